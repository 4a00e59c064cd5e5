"""Between the catalog's rows of jobs and the domain's values."""

from dataclasses import asdict
from typing import Any

from pgproof.adapters.catalog.job_models import JobRow
from pgproof.adapters.catalog.rows import clean
from pgproof.domain.job import Job, JobKind, JobProgress, JobStatus


def job_values(job: Job) -> dict[str, Any]:
    """Every column of a job but its id, and but the wish to cancel it: that comes from elsewhere at any time."""
    values: dict[str, Any] = clean(
        {
            "kind": job.kind.value,
            "status": job.status.value,
            "worker_group": job.group,
            "requested_by": job.requested_by,
            "created_at": job.created_at,
            "database": job.database,
            "subject_id": job.subject_id,
            "options": dict(job.options),
            "attempt": job.attempt,
            "max_attempts": job.max_attempts,
            "schedule_id": job.schedule_id,
            "not_before": job.not_before,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "worker": job.worker,
            "progress": None if job.progress is None else asdict(job.progress),
            "result": dict(job.result),
            "error_code": job.error_code,
            "error_message": job.error_message,
            "error_details": dict(job.error_details),
            "queue_id": job.queue_id,
        }
    )
    return values


def to_job(row: JobRow) -> Job:
    """A job."""
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
        status=JobStatus(row.status),
        group=row.worker_group,
        requested_by=row.requested_by,
        created_at=row.created_at,
        database=row.database,
        subject_id=row.subject_id,
        options=row.options,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        schedule_id=row.schedule_id,
        not_before=row.not_before,
        started_at=row.started_at,
        finished_at=row.finished_at,
        cancel_requested_at=row.cancel_requested_at,
        worker=row.worker,
        progress=None if row.progress is None else JobProgress(**row.progress),
        result=row.result,
        error_code=row.error_code,
        error_message=row.error_message,
        error_details=row.error_details,
        queue_id=row.queue_id,
    )
