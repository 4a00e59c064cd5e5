"""`/api/admin/jobs`: how far queued work is."""

from typing import Annotated

from fastapi import APIRouter, Query

from pgproof.entrypoints.http.dependencies import Canceller, Looker, Searcher
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.pagination import from_cursor, page
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.backups import LogLines
from pgproof.entrypoints.http.schemas.jobs import JobList, JobQuery, JobRow, job_row
from pgproof.services.ports import JobFilter, Position

router = APIRouter(prefix="/api/admin/jobs", tags=["jobs"])


@router.get("", responses=problems(404))
def list_jobs(context: Searcher, query: Annotated[JobQuery, Query()]) -> JobList:
    """List jobs, the newest first. A database of which nothing is known is not found."""
    after = from_cursor(query.cursor)
    wanted = JobFilter(
        limit=query.limit + 1,
        status=query.status,
        kind=query.kind,
        database=query.database,
        before=None if after is None else after.id,
    )
    found = context.app.jobs.list(wanted)
    context.app.known_databases.check(query.database, found)
    shown, cursor = page(found, query.limit, lambda job: Position(job.created_at, job.id))
    return JobList(jobs=[job_row(job) for job in shown], next_cursor=cursor)


@router.get("/{job_id}", responses=problems(404))
def get_job(context: Looker, job_id: PathId) -> JobRow:
    """A job, with its progress while it runs and its result when it has ended."""
    return job_row(context.app.jobs.get(job_id))


@router.get("/{job_id}/log", responses=problems(404))
def get_job_log(context: Looker, job_id: PathId) -> LogLines:
    """What a job did, with the log of what it worked on."""
    return LogLines(lines=list(context.app.jobs.log(job_id)))


@router.post("/{job_id}/cancel", responses=problems(404, 409))
def cancel_job(context: Canceller, job_id: PathId) -> JobRow:
    """Call a job off: one that waits at once, one that runs within seconds."""
    with context.audited("job.cancel", job_id):
        return job_row(context.app.jobs.cancel(job_id, by=context.actor))
