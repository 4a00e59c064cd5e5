"""`/api/admin/backups/cleanup`: removing what no retention rule keeps."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pgproof.domain.job import Job
from pgproof.domain.wording import counted
from pgproof.entrypoints.http.answers import answer_job, as_json
from pgproof.entrypoints.http.dependencies import Cleaner
from pgproof.entrypoints.http.responses import APPLIED, LOCATION, problems
from pgproof.entrypoints.http.schemas.cleanup import CleanupAnswer, CleanupPlanView, CleanupQuery, cleanup_plan
from pgproof.entrypoints.http.waiting import Prefer

router = APIRouter(prefix="/api/admin/backups", tags=["backups"])

# Seconds. Unlike a backup, a cleanup is mostly over at once: whoever does not say otherwise gets its end.
_PATIENCE = 20


@router.post(
    "/cleanup",
    response_model=CleanupAnswer | CleanupPlanView,
    responses={
        202: {"model": CleanupAnswer, "description": "It goes on as a job.", "headers": {**LOCATION, **APPLIED}},
        **problems(409, 502, 504),
    },
)
def clean_up(
    context: Cleaner, request: Request, query: Annotated[CleanupQuery, Query()], prefer: Prefer = None
) -> Response:
    """Remove the backups that no retention rule keeps; with `dry_run=true` only say which those are, and why."""
    app = context.app
    days = app.settings.retention_days
    if query.dry_run:
        return as_json(cleanup_plan(app.expiry.plan(app.clock.now()), app.expiry.policy, days))
    with context.audited("cleanup", force=query.force) as notes:
        job = app.jobs.request_cleanup(by=context.actor, force=query.force)
        notes["job_id"] = job.id

    def going_on() -> CleanupAnswer:
        return CleanupAnswer(message=f"the cleanup goes on as job {job.id}", retention_days=days, job_id=job.id)

    def done(finished: Job) -> Response:
        expired = int(finished.result.get("expired", 0))
        message = f"the cleanup is done: {counted(expired, 'backup')} expired"
        return as_json(CleanupAnswer(message=message, retention_days=days, job_id=job.id, result=dict(finished.result)))

    return answer_job(request, context, job, prefer, going_on, done, patience=_PATIENCE)
