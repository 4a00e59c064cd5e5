"""`/api/admin/backups/{id}`: what is done with a backup by a job."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from pgproof.domain.errors import Conflict
from pgproof.domain.job import Job
from pgproof.domain.restore import RestoreOptions
from pgproof.entrypoints.http.answers import answer_job, as_json
from pgproof.entrypoints.http.dependencies import Canceller, Restorer, Tester, Verifier
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.idempotency import REPLAYED, IdempotencyKey, once
from pgproof.entrypoints.http.responses import APPLIED, LOCATION, problems
from pgproof.entrypoints.http.schemas.backups import BackupDetails, backup_details
from pgproof.entrypoints.http.schemas.jobs import AcceptedJob, JobRow, accepted, job_row
from pgproof.entrypoints.http.schemas.restores import (
    CreateRestore,
    RestoreRow,
    RestoreTestRow,
    restore_row,
    restore_test_row,
)
from pgproof.entrypoints.http.waiting import Prefer

router = APIRouter(prefix="/api/admin/backups", tags=["backups"])

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": AcceptedJob, "description": "A worker will do it.", "headers": {**LOCATION, **APPLIED}}
}


@router.post(
    "/restore/{backup_id}",
    status_code=202,
    responses={
        **_ACCEPTED,
        200: {"model": RestoreRow, "description": "The backup is restored.", "headers": {**LOCATION, **APPLIED}},
        **problems(404, 409, 502, 504),
    },
)
def restore_backup(
    context: Restorer,
    request: Request,
    backup_id: PathId,
    body: Annotated[CreateRestore | None, Body()] = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Bring a backup back. Until it is proven equal and swapped in by one transaction, nothing live is touched."""
    wanted = body or CreateRestore()
    app = context.app

    def ask() -> dict[str, object]:
        with context.audited(
            "backup.restore", backup_id, **wanted.model_dump(mode="json", exclude_unset=True)
        ) as notes:
            job = app.jobs.request_restore(backup_id, _options(wanted, app.settings.parallel_jobs), by=context.actor)
            notes["job_id"] = job.id
        return accepted(job, f"the restore of backup {backup_id} waits for a worker, as job {job.id}").model_dump(
            mode="json"
        )

    answer, new = once(context, idempotency_key, f"restore_backup {backup_id}", wanted, ask)
    asked = AcceptedJob.model_validate(answer)

    def done(job: Job) -> Response:
        return as_json(restore_row(app.catalog.get_restore(int(job.result["restore_id"]))))

    job = app.jobs.get(asked.job_id)
    return answer_job(request, context, job, prefer, lambda: asked, done, headers={} if new else REPLAYED)


@router.post(
    "/{backup_id}/verify",
    status_code=202,
    responses={
        **_ACCEPTED,
        200: {"model": BackupDetails, "description": "What is stored is what was stored.", "headers": APPLIED},
        **problems(404, 409, 502, 504),
    },
)
def verify_backup(context: Verifier, request: Request, backup_id: PathId, prefer: Prefer = None) -> Response:
    """Hold the stored bytes to their checksums, and read the table of contents."""
    with context.audited("backup.verify", backup_id) as notes:
        job = context.app.jobs.request_verify(backup_id, by=context.actor)
        notes["job_id"] = job.id
    body = accepted(job, f"backup {backup_id} is to be verified, by job {job.id}")

    def done(_job: Job) -> Response:
        return as_json(backup_details(context.app.catalog.get_backup(backup_id)))

    return answer_job(request, context, job, prefer, lambda: body, done)


@router.post(
    "/{backup_id}/restore-test",
    status_code=202,
    responses={
        **_ACCEPTED,
        200: {
            "model": RestoreTestRow,
            "description": "The test has ended; `outcome` says how.",
            "headers": APPLIED,
        },
        **problems(404, 409, 502, 504),
    },
)
def start_restore_test(context: Tester, request: Request, backup_id: PathId, prefer: Prefer = None) -> Response:
    """Restore a backup where nobody uses it, and compare what came back with what was there."""
    app = context.app
    with context.audited("backup.restore_test", backup_id) as notes:
        job = app.jobs.request_restore_test(backup_id, by=context.actor)
        notes["job_id"] = job.id
    body = accepted(job, f"backup {backup_id} is to be tested, by job {job.id}")

    def done(finished: Job) -> Response:
        return as_json(restore_test_row(app.catalog.get_restore_test(int(finished.result["restore_test_id"]))))

    return answer_job(request, context, job, prefer, lambda: body, done)


@router.post("/{backup_id}/cancel", responses=problems(404, 409))
def cancel_backup(context: Canceller, backup_id: PathId) -> JobRow:
    """Call a backup off that waits or runs; its tools end within seconds."""
    app = context.app
    with context.audited("backup.cancel", backup_id):
        backup = app.catalog.get_backup(backup_id)
        job = app.jobs.unfinished_of_backup(backup_id)
        if job is None:
            raise Conflict(
                f"backup {backup_id} is {backup.status}, and no job works on it",
                hint="Only a backup that waits or runs can be cancelled; another process may run it without a job.",
            )
        return job_row(app.jobs.cancel(job.id, by=context.actor))


def _options(wanted: CreateRestore, parallel_jobs: int) -> RestoreOptions:
    return RestoreOptions(
        mode=wanted.mode,
        create_safety_backup=wanted.create_safety_backup,
        run_analyze=wanted.run_analyze,
        parallel_jobs=parallel_jobs if wanted.parallel_jobs is None else wanted.parallel_jobs,
        drop_existing=wanted.drop_existing,
        target_database=wanted.target_database,
        tables=tuple(wanted.tables),
        schemas=tuple(wanted.schemas),
        no_owner=wanted.no_owner,
        no_acl=wanted.no_acl,
        role_map=dict(wanted.role_map),
        tablespace=wanted.tablespace,
        force=wanted.force,
    )
