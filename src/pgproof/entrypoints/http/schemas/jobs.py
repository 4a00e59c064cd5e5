"""Jobs as the API shows them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from pgproof.domain.job import Job, JobKind, JobProgress, JobStatus
from pgproof.entrypoints.http.fields import Cursor, Limit, OfDatabase, Request


class JobProgressView(BaseModel):
    """How far a running job is; null is unknown. `percent` and `seconds_left` are estimates."""

    step: str
    bytes_done: int
    bytes_total: int | None
    tables_done: int
    tables_total: int | None
    percent: float | None
    seconds_left: float | None


class JobRow(BaseModel):
    """A job: queued work. What it is about is one of `backup_id`, `restore_id` and `restore_test_id`."""

    id: int
    kind: JobKind
    status: JobStatus
    database: str | None
    group: str
    backup_id: int | None
    restore_id: int | None
    restore_test_id: int | None
    attempt: int
    max_attempts: int
    requested_by: str
    schedule_id: int | None
    created_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    worker: str | None
    progress: JobProgressView | None
    result: dict[str, Any]
    error_code: str | None
    error_message: str | None
    error_details: dict[str, Any]


class AcceptedJob(BaseModel):
    """A job that was asked for; `Location` says where to look how far it is."""

    job_id: int
    kind: JobKind
    status: JobStatus
    message: str
    backup_id: int | None = None
    restore_id: int | None = None


class JobQuery(Request):
    """Which jobs to list, newest first."""

    limit: Limit = 50
    status: JobStatus | None = Field(default=None, description="Only those that stand so.")
    kind: JobKind | None = Field(default=None, description="Only those that do this.")
    database: OfDatabase = None
    cursor: Cursor = None


class JobList(BaseModel):
    """A page of jobs."""

    jobs: list[JobRow]
    next_cursor: str | None


def job_row(job: Job) -> JobRow:
    """A job, as its answer and as an element of lists."""
    return JobRow(
        id=job.id,
        kind=job.kind,
        status=job.status,
        database=job.database,
        group=job.group,
        backup_id=backup_id_of(job),
        restore_id=job.subject_id if job.kind is JobKind.UNDO else job.result.get("restore_id"),
        restore_test_id=job.result.get("restore_test_id"),
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        requested_by=job.requested_by,
        schedule_id=job.schedule_id,
        created_at=job.created_at,
        not_before=job.not_before,
        started_at=job.started_at,
        finished_at=job.finished_at,
        cancel_requested_at=job.cancel_requested_at,
        worker=job.worker,
        progress=None if job.progress is None else _progress(job.progress),
        result=dict(job.result),
        error_code=job.error_code,
        error_message=job.error_message,
        error_details=dict(job.error_details),
    )


def accepted(job: Job, message: str) -> AcceptedJob:
    """A job that was asked for."""
    return AcceptedJob(
        job_id=job.id,
        kind=job.kind,
        status=job.status,
        message=message,
        backup_id=backup_id_of(job),
        restore_id=job.subject_id if job.kind is JobKind.UNDO else None,
    )


def backup_id_of(job: Job) -> int | None:
    """The backup that a job is about."""
    return None if job.kind is JobKind.UNDO else job.subject_id


def _progress(progress: JobProgress) -> JobProgressView:
    return JobProgressView(**vars(progress))
