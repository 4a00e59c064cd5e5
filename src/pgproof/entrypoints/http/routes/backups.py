"""`/api/admin/backups`: asking for backups, finding them, looking at one."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.job import Job
from pgproof.entrypoints.http.answers import answer_job, as_json, path_of
from pgproof.entrypoints.http.dependencies import Deleter, Holder, Looker, Operator, Searcher
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.idempotency import REPLAYED, IdempotencyKey, once
from pgproof.entrypoints.http.pagination import from_cursor, page
from pgproof.entrypoints.http.responses import APPLIED, LOCATION, problems
from pgproof.entrypoints.http.schemas.backups import (
    BackupDetails,
    BackupList,
    BackupQuery,
    CreateBackup,
    CreatedBackup,
    HoldAnswer,
    LogLines,
    Message,
    Stats,
    backup_details,
    backup_filter,
    backup_row,
    stats,
)
from pgproof.entrypoints.http.waiting import Prefer
from pgproof.services.ports import ListedBackup, Lock, Position

router = APIRouter(prefix="/api/admin/backups", tags=["backups"])

_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"model": CreatedBackup, "description": "The backup is complete.", "headers": {**LOCATION, **APPLIED}},
    202: {"model": CreatedBackup, "description": "A worker will take it.", "headers": {**LOCATION, **APPLIED}},
}


@router.post("/create", status_code=202, responses={**_CREATED, **problems(404, 409, 502, 504)})
def create_backup(
    context: Operator,
    request: Request,
    body: Annotated[CreateBackup | None, Body()] = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Back up a database. The answer comes at once, or with `Prefer: wait=SECONDS` when the backup is complete."""
    wanted = body or CreateBackup()
    app = context.app

    def ask() -> dict[str, object]:
        with context.audited("backup.create", **wanted.model_dump(mode="json", exclude_unset=True)) as notes:
            backup, job = app.jobs.request_backup(
                wanted.database,
                _options(app, wanted),
                BackupTrigger.MANUAL_API,
                by=context.actor,
                user_id=context.principal.user_id,
            )
            notes["subject"] = backup.id
        message = f"backup {backup.id} of {backup.database} waits for a worker, as job {job.id}"
        return _created(backup, job.id, message).model_dump(mode="json")

    answer, new = once(context, idempotency_key, "create_backup", wanted, ask)
    asked = CreatedBackup.model_validate(answer)

    def done(job: Job) -> Response:
        taken = app.catalog.get_backup(asked.id)
        location = {"Location": path_of(request, "get_backup", backup_id=taken.id)}
        message = f"backup {taken.id} of {taken.database} is complete"
        return as_json(_created(taken, job.id, message), 201, location)

    job = app.jobs.get(asked.job_id)
    return answer_job(request, context, job, prefer, lambda: asked, done, headers={} if new else REPLAYED)


@router.get("", response_model=BackupList, responses=problems(404))
def list_backups(context: Searcher, query: Annotated[BackupQuery, Query()]) -> Response:
    """List backups, the newest first."""
    catalog, wanted = context.app.catalog, backup_filter(query)
    one_more = replace(wanted, limit=query.limit + 1, after=from_cursor(query.cursor))
    there = catalog.backup_page(one_more)
    context.app.known_databases.check(query.database, there.backups)
    shown, cursor = page(there.backups, query.limit, _place)
    found = BackupList.model_construct(
        backups=[backup_row(backup) for backup in shown], total=there.total, next_cursor=cursor
    )
    return as_json(found)


@router.get("/stats")
def get_stats(context: Looker) -> Stats:
    """Totals over all backups."""
    app = context.app
    return stats(app.catalog.backup_stats(), app.settings.retention_days, app.settings.storage_location)


@router.get("/{backup_id}", responses=problems(404))
def get_backup(context: Looker, backup_id: PathId) -> BackupDetails:
    """Everything that the catalog knows about a backup."""
    return backup_details(context.app.catalog.get_backup(backup_id))


@router.get("/{backup_id}/log", responses=problems(404))
def get_backup_log(context: Looker, backup_id: PathId) -> LogLines:
    """What the backup did."""
    context.app.catalog.get_backup(backup_id)
    return LogLines(lines=list(context.app.catalog.read_log(Lock.BACKUP, backup_id)))


@router.put("/{backup_id}/hold", responses=problems(404, 409))
def hold_backup(context: Holder, backup_id: PathId) -> HoldAnswer:
    """Exempt a backup from every deletion."""
    return _hold(context, backup_id, held=True)


@router.delete("/{backup_id}/hold", responses=problems(404, 409))
def release_backup(context: Holder, backup_id: PathId) -> HoldAnswer:
    """End the exemption that a hold makes."""
    return _hold(context, backup_id, held=False)


@router.delete("/{backup_id}", responses=problems(404, 409, 502))
def delete_backup(context: Deleter, backup_id: PathId) -> Message:
    """Remove a backup from the storage for good."""
    with context.audited("backup.delete", backup_id):
        deleted = context.app.backups.delete(backup_id)
    return Message(message=f"backup {deleted.id} of {deleted.database} is deleted from {deleted.storage_url}")


def _hold(context: Holder, backup_id: int, *, held: bool) -> HoldAnswer:
    with context.audited("backup.hold" if held else "backup.release", backup_id):
        changed = context.app.backups.hold(backup_id, held=held)
    word = "held" if held else "released"
    return HoldAnswer(id=changed.id, held=changed.held, message=f"backup {changed.id} of {changed.database} is {word}")


def _options(app: App, wanted: CreateBackup) -> BackupOptions:
    settings = app.settings
    level, jobs = wanted.compression_level, wanted.parallel_jobs
    return BackupOptions(
        format=wanted.format or settings.format,
        compression=wanted.compression or settings.compression,
        compression_level=settings.compression_level if level is None else level,
        parallel_jobs=settings.parallel_jobs if jobs is None else jobs,
        include_logs=wanted.include_logs,
        include_cache=wanted.include_cache,
        description=wanted.description,
        fingerprint=wanted.fingerprint or settings.fingerprint,
    )


def _created(backup: Backup, job_id: int, message: str) -> CreatedBackup:
    return CreatedBackup(
        id=backup.id,
        filename=backup.filename,
        status=backup.status,
        created_at=backup.created_at,
        message=message,
        database=backup.database,
        job_id=job_id,
    )


def _place(backup: ListedBackup) -> Position:
    return Position(backup.created_at, backup.id)
