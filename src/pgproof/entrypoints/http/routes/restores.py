"""`/api/admin/restores` and `/api/admin/restore-tests`: what became of them, and the way back from a restore."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pgproof.domain.job import Job
from pgproof.entrypoints.http.answers import answer_job, as_json
from pgproof.entrypoints.http.dependencies import Looker, Restorer, Searcher
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.pagination import from_cursor, page
from pgproof.entrypoints.http.responses import APPLIED, LOCATION, problems
from pgproof.entrypoints.http.schemas.backups import LogLines
from pgproof.entrypoints.http.schemas.jobs import AcceptedJob, accepted
from pgproof.entrypoints.http.schemas.restores import (
    RestoreList,
    RestoreQuery,
    RestoreRow,
    RestoreTestList,
    RestoreTestQuery,
    RestoreTestRow,
    restore_row,
    restore_test_row,
)
from pgproof.entrypoints.http.waiting import Prefer
from pgproof.services.ports import Lock, Position

restores = APIRouter(prefix="/api/admin/restores", tags=["restores"])
restore_tests = APIRouter(prefix="/api/admin/restore-tests", tags=["restore tests"])


@restores.get("", responses=problems(404))
def list_restores(context: Searcher, query: Annotated[RestoreQuery, Query()]) -> RestoreList:
    """List restores, the newest first, with the way back from each."""
    found = context.app.catalog.list_restores(query.limit + 1, database=query.database, after=from_cursor(query.cursor))
    context.app.known_databases.check(query.database, found)
    shown, cursor = page(found, query.limit, lambda restore: Position(restore.created_at, restore.id))
    return RestoreList(restores=[restore_row(restore) for restore in shown], next_cursor=cursor)


@restores.get("/{restore_id}", responses=problems(404))
def get_restore(context: Looker, restore_id: PathId) -> RestoreRow:
    """A restore."""
    return restore_row(context.app.catalog.get_restore(restore_id))


@restores.get("/{restore_id}/log", responses=problems(404))
def get_restore_log(context: Looker, restore_id: PathId) -> LogLines:
    """What a restore did."""
    context.app.catalog.get_restore(restore_id)
    return LogLines(lines=list(context.app.catalog.read_log(Lock.RESTORE, restore_id)))


@restores.post(
    "/{restore_id}/undo",
    status_code=202,
    responses={
        202: {"model": AcceptedJob, "description": "A worker will do it.", "headers": {**LOCATION, **APPLIED}},
        200: {"model": RestoreRow, "description": "The previous database is back.", "headers": APPLIED},
        **problems(404, 409, 502, 504),
    },
)
def undo_restore(context: Restorer, request: Request, restore_id: PathId, prefer: Prefer = None) -> Response:
    """Put back the database that a restore has replaced; what the restore had brought stays beside it."""
    app = context.app
    with context.audited("restore.undo", restore_id) as notes:
        job = app.jobs.request_undo(restore_id, by=context.actor)
        notes["job_id"] = job.id
    body = accepted(job, f"restore {restore_id} is to be undone, by job {job.id}")

    def done(_job: Job) -> Response:
        return as_json(restore_row(app.catalog.get_restore(restore_id)))

    return answer_job(request, context, job, prefer, lambda: body, done)


@restore_tests.get("")
def list_restore_tests(context: Searcher, query: Annotated[RestoreTestQuery, Query()]) -> RestoreTestList:
    """List restore tests, the newest first."""
    found = context.app.catalog.list_restore_tests(
        query.limit + 1, backup_id=query.backup_id, after=from_cursor(query.cursor)
    )
    shown, cursor = page(found, query.limit, lambda test: Position(test.started_at, test.id))
    return RestoreTestList(restore_tests=[restore_test_row(test) for test in shown], next_cursor=cursor)


@restore_tests.get("/{test_id}", responses=problems(404))
def get_restore_test(context: Looker, test_id: PathId) -> RestoreTestRow:
    """A restore test."""
    return restore_test_row(context.app.catalog.get_restore_test(test_id))


@restore_tests.get("/{test_id}/log", responses=problems(404))
def get_restore_test_log(context: Looker, test_id: PathId) -> LogLines:
    """What a restore test did."""
    context.app.catalog.get_restore_test(test_id)
    return LogLines(lines=list(context.app.catalog.read_log(Lock.RESTORE_TEST, test_id)))
