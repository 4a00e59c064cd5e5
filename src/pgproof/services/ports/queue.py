"""Jobs: their rows in the catalog, and the queue that brings them to workers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.job import Job, JobKind, JobProgress, JobStatus, NewJob


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list, newest first; ``None`` does not filter. `before` is a job's number: only older ones."""

    limit: int = 50
    status: JobStatus | None = None
    kind: JobKind | None = None
    database: str | None = None
    before: int | None = None


@dataclass(frozen=True)
class WantedBackup:
    """A backup that is wanted, with the job for it; `group` is the worker group of its database.

    `user_id` is who asked, where that is a user of ours.
    """

    database: str
    group: str
    options: BackupOptions
    trigger: BackupTrigger
    requested_by: str
    schedule_id: int | None = None
    user_id: int | None = None

    def job_for(self, backup: Backup) -> NewJob:
        """The job that takes the pending backup."""
        return NewJob(
            kind=JobKind.BACKUP,
            requested_by=self.requested_by,
            created_at=backup.created_at,
            group=self.group,
            database=self.database,
            subject_id=backup.id,
            options={"parallel_jobs": self.options.parallel_jobs},
            schedule_id=self.schedule_id,
        )


class JobRecords(Protocol):
    """The catalog's jobs. Each method is one short transaction; all raise `CatalogUnreachable`."""

    def add_job(self, wanted: NewJob) -> Job:
        """A new queued job, which is not in the queue yet.

        Raises `Conflict` for a restore or an undo while another one of its database has not ended; of several that are
        added at once, one is.
        """

    def add_backup_jobs(
        self, wanted: Sequence[WantedBackup], *, storage_url: str, now: datetime
    ) -> Sequence[tuple[Backup, Job]]:
        """Pending backups with their queued jobs, all of them or none."""

    def get_job(self, job_id: int) -> Job:
        """The job of that number. Raises `NotFound`."""

    def save_job(self, job: Job, *, expected: JobStatus) -> None:
        """Store every field of a job whose stored status is `expected`, but the wish to cancel it; else `Conflict`.

        Raises `Conflict` for a transition that is not legal as well.
        """

    def list_jobs(self, wanted: JobFilter) -> Sequence[Job]:
        """The newest first."""

    def running_jobs(self) -> Sequence[Job]:
        """All that are running, the oldest first."""

    def unfinished_job(self, kind: JobKind, subject_id: int) -> Job | None:
        """The job that waits or runs for this backup or restore."""

    def unfinished_jobs_of(self, database: str, kinds: Collection[JobKind]) -> Sequence[Job]:
        """Those of these kinds that wait or run for a database, the oldest first."""

    def last_run(self, kind: JobKind, database: str) -> Job | None:
        """The newest one that succeeded."""

    def unsent_jobs(self, *, due_at: datetime, asked_before: datetime, limit: int) -> Sequence[Job]:
        """Queued jobs that are due and not in the queue, the oldest first.

        What is newer than `asked_before` is left out: whoever asked for it is about to put it there.
        """

    def mark_sent(self, entries: Mapping[int, int]) -> None:
        """Store the numbers of queue entries by numbers of jobs, of those that still wait for one."""

    def mark_unsent(self, entries: Mapping[int, int]) -> None:
        """Have jobs put into the queue again that still wait with these entries, by numbers of jobs."""

    def sent_jobs(self) -> Mapping[int, int]:
        """All queued jobs that are in the queue: the numbers of their entries by numbers of jobs."""

    def report(self, job_id: int, progress: JobProgress) -> None:
        """Store how far a running job is."""

    def note_result(self, job_id: int, result: Mapping[str, object]) -> None:
        """Add to the result of a running job, such as the number of the restore that it has begun."""

    def request_cancel(self, job_id: int, now: datetime) -> Job:
        """Cancel a queued job and its pending backup, or ask the worker of a running one to end it; the job then.

        The first wish counts. Raises `Conflict` for a job that has ended.
        """

    def cancel_requested(self, job_ids: Collection[int]) -> frozenset[int]:
        """Those of these jobs that somebody wants to end."""

    def forget_jobs(self, before: datetime, limit: int) -> int:
        """Forget at most `limit` jobs that ended before that moment, with their own logs; how many went.

        The newest of each kind and status stays for every database, and so does what brought a backup, a restore or
        an undo that has not ended by its own record. Whoever counts finished jobs still counts those that went.
        """


@dataclass(frozen=True)
class Entry:
    """What stands in the queue for a job."""

    id: int
    job_id: int


class Receiver(Protocol):
    """A worker's end of the queue."""

    def start(self) -> None:
        """Begin to take jobs, in threads of its own."""

    def stop_taking(self) -> None:
        """Take nothing new; what runs goes on. Returns at once."""

    def close(self, timeout: float) -> bool:
        """Wait until nothing runs any more, for so many seconds; whether that is so. Its threads end with that."""

    @property
    def alive(self) -> bool:
        """Whether it takes jobs, as far as it knows."""


class JobQueue(Protocol):
    """The queue. Of entries with the same lock one is taken at a time, in their order. All raise `CatalogUnreachable`.

    An entry is an invitation to look at a job: one too many does no harm, one that is missing is put again.
    """

    def put(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        """Put jobs into the queue of their group; the numbers of their entries by numbers of jobs."""

    def withdraw(self, entry_id: int) -> None:
        """Remove an entry, taken or not, and give its lock free. One that is gone is no error."""

    def entries(self) -> frozenset[int]:
        """Numbers of all entries that wait or are taken."""

    def taken(self) -> Sequence[Entry]:
        """Entries that workers have taken and not given back."""

    def stalled(self, seconds: float) -> Sequence[Entry]:
        """Taken entries whose worker has given no sign of life for so many seconds."""

    def receiver(self, groups: Sequence[str], at_once: int, run: Callable[[int], None]) -> Receiver:
        """A worker's end: `run` is called with the numbers of jobs, `at_once` at a time, and must not raise."""

    def close(self) -> None:
        """End the sessions that asking needed."""


class JobListener(Protocol):
    """Who wants to know of every job that has ended, in the process that ended it. What it raises is logged."""

    def finished(self, job: Job) -> None:
        """A job has succeeded, failed or been cancelled."""
