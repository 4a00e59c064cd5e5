"""A job: queued work, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pgproof.domain.database import DEFAULT_GROUP
from pgproof.domain.errors import Cancelled, Conflict, InvalidInput, PgproofError
from pgproof.domain.wording import in_quotes

_GROUP_LIMIT = 40
_GROUP_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


class JobKind(StrEnum):
    """What a job does. Its subject is the number of a backup, and of a restore for an undo; a cleanup has none."""

    BACKUP = "backup"
    RESTORE = "restore"
    UNDO = "undo"
    VERIFY = "verify"
    RESTORE_TEST = "restore_test"
    CLEANUP = "cleanup"


class JobStatus(StrEnum):
    """Where a job stands. A job that is tried again is `queued` once more."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED_JOBS = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
# What changes a protected database is done once, or by a person again.
ONCE = frozenset({JobKind.RESTORE, JobKind.UNDO})

_ENDS = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})
_TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED}),
    JobStatus.RUNNING: _ENDS | {JobStatus.QUEUED},
}
_ATTEMPTS: Mapping[JobKind, int] = {
    JobKind.BACKUP: 5,
    JobKind.VERIFY: 3,
    JobKind.RESTORE_TEST: 3,
    JobKind.CLEANUP: 3,
}


@dataclass(frozen=True)
class JobProgress:
    """How far the running attempt is; ``None`` is unknown.

    `tables_done` does not count the tables that are being worked on. `percent` (0 to 99) and `seconds_left` are
    estimates: from the last run of the same kind on the same database, else from the bytes.
    """

    step: str = ""
    bytes_done: int = 0
    bytes_total: int | None = None
    tables_done: int = 0
    tables_total: int | None = None
    percent: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the catalog's `jobs`.

    `attempt` counts the executions that have begun; one that was handed back does not count. `database` is a
    registered name, `options` and `result` are JSON objects. `queue_id` is the number of its entry in the queue;
    a queued job without one is still to be put there. `worker` is the last one that had it.
    """

    id: int
    kind: JobKind
    status: JobStatus
    group: str
    requested_by: str
    created_at: datetime
    database: str | None = None
    subject_id: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    max_attempts: int = 1
    schedule_id: int | None = None
    not_before: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    worker: str | None = None
    progress: JobProgress | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    error_code: str | None = None
    error_message: str | None = None
    error_details: Mapping[str, Any] = field(default_factory=dict)
    queue_id: int | None = None

    @property
    def unfinished(self) -> bool:
        """Whether it waits or runs."""
        return self.status in UNFINISHED_JOBS

    @property
    def attempts_left(self) -> int:
        """How often it may still be tried."""
        return max(0, self.max_attempts - self.attempt)


@dataclass(frozen=True)
class NewJob:
    """A job that is wanted. `max_attempts` follows from its kind."""

    kind: JobKind
    requested_by: str
    created_at: datetime
    group: str = DEFAULT_GROUP
    database: str | None = None
    subject_id: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule_id: int | None = None

    @property
    def max_attempts(self) -> int:
        """How often such a job may be tried."""
        return _ATTEMPTS.get(self.kind, 1)

    def queued(self, number: int) -> Job:
        """The job as it begins, with the number that the catalog gives it."""
        return Job(
            id=number,
            kind=self.kind,
            status=JobStatus.QUEUED,
            group=self.group,
            requested_by=self.requested_by,
            created_at=self.created_at,
            database=self.database,
            subject_id=self.subject_id,
            options=self.options,
            max_attempts=self.max_attempts,
            schedule_id=self.schedule_id,
        )


@dataclass(frozen=True)
class RetryRules:
    """How long a job waits before it is tried again: exponentially longer each time."""

    first: timedelta = timedelta(seconds=30)
    factor: int = 4
    longest: timedelta = timedelta(minutes=30)

    def pause(self, attempt: int) -> timedelta:
        """The wait after that attempt (from 1 on) has failed."""
        # Multiplied step by step: a power of a large number would not fit a timedelta.
        wait = self.first
        for _ in range(attempt - 1):
            wait = min(wait * self.factor, self.longest)
        return min(wait, self.longest)


def check_job_transition(current: JobStatus, wanted: JobStatus) -> None:
    """Raise `Conflict` unless a job may go from `current` to `wanted`."""
    if wanted not in _TRANSITIONS.get(current, frozenset()):
        raise Conflict(f"a job that is {current} cannot become {wanted}")


def check_group(name: str) -> str:
    """The name of a worker group as it is, or `InvalidInput`."""
    if not 0 < len(name) <= _GROUP_LIMIT or not set(name) <= _GROUP_LETTERS:
        raise InvalidInput(
            f"{in_quotes(name)} cannot be the name of a worker group",
            hint=f"Use 1 to {_GROUP_LIMIT} letters a to z, digits, hyphens, underscores and dots.",
        )
    return name


def check_only_restore(unfinished: Sequence[Job]) -> None:
    """Raise `Conflict` if there are restores or undos of a database that have not ended: one is asked for at a time."""
    if unfinished:
        raise Conflict(
            f"the database {in_quotes(unfinished[0].database or '')} is to be restored already, "
            f"by job {unfinished[0].id}",
            hint="Wait until that has ended, or cancel it.",
        )


def may_be_tried_again(job: Job, error: BaseException) -> bool:
    """Whether a job whose present attempt ended with `error` is to be queued once more."""
    if job.kind in ONCE or job.cancel_requested_at is not None or job.attempts_left == 0:
        return False
    return isinstance(error, PgproofError) and error.retryable and not isinstance(error, Cancelled)


def estimated(progress: JobProgress, elapsed: float, last: float | None) -> tuple[float | None, float | None]:
    """Percent and seconds left of an attempt that has taken `elapsed` seconds, when the last one took `last`.

    One that takes longer than the last has no known end any more.
    """
    if last is not None and 0 <= elapsed < last:
        return round(100 * elapsed / last, 1), round(last - elapsed, 1)
    if last is None and progress.bytes_total:
        return round(min(99.0, 100 * progress.bytes_done / progress.bytes_total), 1), None
    return (99.0 if last is not None else None), None


def lock_of(kind: JobKind, database: str | None, subject_id: int | None) -> str:
    """What a job needs for itself alone: of jobs with the same lock one runs at a time, in their order.

    What reads or changes a protected database takes turns. What reads a stored backup does not stand in the way
    of a restore.
    """
    if kind in (JobKind.BACKUP, JobKind.RESTORE, JobKind.UNDO):
        return f"database {database}"
    if kind is JobKind.CLEANUP:
        return "cleanup"
    return f"backup {subject_id}"


def urgency(kind: JobKind) -> int:
    """Who goes first: somebody waits for a restore."""
    return 10 if kind in ONCE else 0
