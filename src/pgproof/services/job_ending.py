"""How an attempt ends, and what becomes of its job."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pgproof.domain.backup import USABLE, Backup, BackupStatus
from pgproof.domain.errors import Cancelled, Conflict, PgproofError, WorkerLost
from pgproof.domain.job import Job, JobStatus, RetryRules
from pgproof.domain.restore import Restore, RestoreStatus
from pgproof.services.abandoning import was_given_up
from pgproof.services.describing import described

LOST = WorkerLost("the worker that did the job died", hint="Start it again.")
LOST_RESTORE = WorkerLost(f"{LOST.detail}; the live database is as it was", hint="Start it again.")
LOST_UNDO = WorkerLost(f"{LOST.detail}; nothing was undone", hint="Start it again.")


@dataclass(frozen=True)
class Ending:
    """What an attempt came to. `queued` jobs are tried again: at once if they were `handed_back`, else later."""

    status: JobStatus
    error: BaseException | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    handed_back: bool = False
    at_once: bool = False


def succeeded(**result: Any) -> Ending:
    """The work is done."""
    return Ending(JobStatus.SUCCEEDED, result=result)


def ended(job: Job, ending: Ending, rules: RetryRules, now: datetime) -> Job:
    """The job after that attempt."""
    result = {**job.result, **ending.result}
    if ending.status is not JobStatus.QUEUED:
        return replace(
            job, status=ending.status, finished_at=now, result=result, queue_id=None, not_before=None,
            **error_fields(ending.error),
        )  # fmt: skip
    attempt = job.attempt - 1 if ending.handed_back else job.attempt
    error = None if ending.handed_back else ending.error
    later = None if ending.handed_back or ending.at_once else now + rules.pause(job.attempt)
    return replace(
        job, status=JobStatus.QUEUED, attempt=attempt, not_before=later, result=result, queue_id=None,
        started_at=None, worker=None, progress=None, **error_fields(error),
    )  # fmt: skip


def error_fields(error: BaseException | None) -> dict[str, Any]:
    """What a job's record says of an error."""
    if error is None:
        return {"error_code": None, "error_message": None, "error_details": {}}
    code = error.code if isinstance(error, PgproofError) else "unexpected"
    return {"error_code": code, **described(error)}


def after_backup(backup: Backup, error: BaseException) -> Ending:
    """How an attempt at a backup ended that raised `error` and left it settled, and not pending."""
    if backup.status in USABLE:
        return succeeded()
    match backup.status:
        case BackupStatus.CANCELLED | BackupStatus.DELETED | BackupStatus.EXPIRED:
            said = error if isinstance(error, Cancelled) else Cancelled(f"backup {backup.id} was called off")
            return Ending(JobStatus.CANCELLED, said)
    return Ending(JobStatus.FAILED, error)


def after_restore(restore: Restore, error: BaseException, *, cancelled: bool) -> Ending | None:
    """The same of a restore; ``None`` as long as its record says nothing."""
    match restore.status:
        case RestoreStatus.RUNNING | RestoreStatus.UNDOING:
            return None
        case RestoreStatus.COMPLETED | RestoreStatus.UNDONE:
            return succeeded()
    return Ending(JobStatus.CANCELLED if cancelled else JobStatus.FAILED, _as_recorded(restore) or error)


def after_undo(restore: Restore, error: BaseException) -> Ending | None:
    """The same of an undo."""
    match restore.status:
        case RestoreStatus.UNDOING:
            return None
        case RestoreStatus.UNDONE:
            return succeeded()
    # An earlier undo may have been given up, and this one have an error of its own.
    recorded = _as_recorded(restore) if isinstance(error, WorkerLost) else None
    return Ending(JobStatus.FAILED, recorded or error)


def _as_recorded(restore: Restore) -> WorkerLost | None:
    """Why a restore that was given up has failed: its job must not claim to know more than its record."""
    if not was_given_up(restore):
        return None
    return WorkerLost(restore.error_message or "", hint=str(restore.error_details.get("hint", "")))


def unsettled(what: str) -> Conflict:
    """What is said of a job whose work nobody can judge now."""
    return Conflict(f"what became of {what} cannot be told now", hint="It is looked at again in a minute.")
