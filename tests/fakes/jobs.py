"""Jobs and their queue in memory, held to the same contracts as the real ones."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from pgproof.domain.backup import Backup, BackupStatus
from pgproof.domain.errors import CatalogUnreachable, Conflict, NotFound
from pgproof.domain.job import (
    ONCE,
    UNFINISHED_JOBS,
    Job,
    JobKind,
    JobProgress,
    JobStatus,
    NewJob,
    check_job_transition,
    check_only_restore,
    lock_of,
    urgency,
)
from pgproof.services.ports import Entry, JobFilter, Lock, Receiver, WantedBackup
from tests.fakes.catalog import MemoryCatalog


class MemoryJobRecords:
    """The jobs of a catalog in memory; they are as unreachable as it is."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self._catalog = catalog
        self._jobs: dict[int, Job] = {}
        self._last_id = 0
        self.forgotten: list[Job] = []
        self._mutex = threading.RLock()

    def add_job(self, wanted: NewJob) -> Job:
        with self._answering():
            if wanted.kind in ONCE and wanted.database is not None:
                check_only_restore(self.unfinished_jobs_of(wanted.database, ONCE))
            self._last_id += 1
            job = wanted.queued(self._last_id)
            self._jobs[job.id] = job
            return job

    def add_backup_jobs(
        self, wanted: Sequence[WantedBackup], *, storage_url: str, now: datetime
    ) -> Sequence[tuple[Backup, Job]]:
        with self._answering():
            return [self._add_backup(one, storage_url, now) for one in wanted]

    def _add_backup(self, one: WantedBackup, storage_url: str, now: datetime) -> tuple[Backup, Job]:
        backup = self._catalog.create_backup(
            one.database, storage_url=storage_url, options=one.options, trigger=one.trigger, now=now
        )
        return backup, self.add_job(one.job_for(backup))

    def get_job(self, job_id: int) -> Job:
        with self._answering():
            if job_id not in self._jobs:
                raise NotFound(f"the catalog has no job {job_id}")
            return self._jobs[job_id]

    def save_job(self, job: Job, *, expected: JobStatus) -> None:
        with self._answering():
            if job.status != expected:
                check_job_transition(expected, job.status)
            stored = self.get_job(job.id)
            if stored.status is not expected:
                raise Conflict(f"job {job.id} is {stored.status}, not {expected}")
            self._jobs[job.id] = replace(job, cancel_requested_at=stored.cancel_requested_at)

    def list_jobs(self, wanted: JobFilter) -> Sequence[Job]:
        with self._answering():
            found = [
                job
                for job in reversed(self._jobs.values())
                if wanted.status in (None, job.status)
                and wanted.kind in (None, job.kind)
                and wanted.database in (None, job.database)
                and (wanted.before is None or job.id < wanted.before)
            ]
            return found[: wanted.limit]

    def running_jobs(self) -> Sequence[Job]:
        with self._answering():
            return [job for job in self._jobs.values() if job.status is JobStatus.RUNNING]

    def unfinished_job(self, kind: JobKind, subject_id: int) -> Job | None:
        with self._answering():
            found = (job for job in self._jobs.values() if (job.kind, job.subject_id) == (kind, subject_id))
            return next((job for job in found if job.unfinished), None)

    def unfinished_jobs_of(self, database: str, kinds: Collection[JobKind]) -> Sequence[Job]:
        with self._answering():
            found = [job for job in self._jobs.values() if job.unfinished and job.kind in kinds]
            return [job for job in found if job.database == database]

    def last_run(self, kind: JobKind, database: str) -> Job | None:
        with self._answering():
            found = [job for job in self._jobs.values() if (job.kind, job.database) == (kind, database)]
            return next((job for job in reversed(found) if job.status is JobStatus.SUCCEEDED), None)

    def unsent_jobs(self, *, due_at: datetime, asked_before: datetime, limit: int) -> Sequence[Job]:
        with self._answering():
            found = [
                job
                for job in self._jobs.values()
                if job.status is JobStatus.QUEUED
                and job.queue_id is None
                and job.created_at < asked_before
                and (job.not_before is None or job.not_before <= due_at)
            ]
            return found[:limit]

    def mark_sent(self, entries: Mapping[int, int]) -> None:
        with self._answering():
            for job_id, entry in entries.items():
                job = self._jobs.get(job_id)
                if job is not None and job.status is JobStatus.QUEUED and job.queue_id is None:
                    self._jobs[job_id] = replace(job, queue_id=entry)

    def mark_unsent(self, entries: Mapping[int, int]) -> None:
        with self._answering():
            for job_id, entry in entries.items():
                job = self._jobs.get(job_id)
                if job is not None and job.status is JobStatus.QUEUED and job.queue_id == entry:
                    self._jobs[job_id] = replace(job, queue_id=None)

    def sent_jobs(self) -> Mapping[int, int]:
        with self._answering():
            queued = [job for job in self._jobs.values() if job.status is JobStatus.QUEUED]
            return {job.id: job.queue_id for job in queued if job.queue_id is not None}

    def report(self, job_id: int, progress: JobProgress) -> None:
        with self._answering():
            job = self._jobs.get(job_id)
            if job is not None and job.status is JobStatus.RUNNING:
                self._jobs[job_id] = replace(job, progress=progress)

    def note_result(self, job_id: int, result: Mapping[str, object]) -> None:
        with self._answering():
            job = self._jobs.get(job_id)
            if job is not None and job.status is JobStatus.RUNNING:
                self._jobs[job_id] = replace(job, result={**job.result, **result})

    def request_cancel(self, job_id: int, now: datetime) -> Job:
        with self._answering():
            job = self.get_job(job_id)
            if job.status not in UNFINISHED_JOBS:
                raise Conflict(f"job {job_id} has ended: it is {job.status}")
            job = replace(job, cancel_requested_at=job.cancel_requested_at or now)
            if job.status is JobStatus.QUEUED:
                job = replace(job, status=JobStatus.CANCELLED, finished_at=now)
                if job.kind is JobKind.BACKUP and job.subject_id is not None:
                    self._cancel_pending(job.subject_id, now)
            self._jobs[job_id] = job
            return job

    def _cancel_pending(self, backup_id: int, now: datetime) -> None:
        backup = self._catalog.get_backup(backup_id)
        if backup.status is BackupStatus.PENDING:
            cancelled = replace(backup, status=BackupStatus.CANCELLED, completed_at=now)
            self._catalog.save_backup(cancelled, expected=BackupStatus.PENDING)

    def cancel_requested(self, job_ids: Collection[int]) -> frozenset[int]:
        with self._answering():
            wanted = (self._jobs[job_id] for job_id in job_ids if job_id in self._jobs)
            return frozenset(job.id for job in wanted if job.cancel_requested_at is not None)

    def forget_jobs(self, before: datetime, limit: int) -> int:
        with self._answering():
            newest = {(job.database, job.kind, job.status): job.id for job in self._jobs.values()}
            doomed = [
                job
                for job in self._jobs.values()
                if not job.unfinished
                and job.finished_at is not None
                and job.finished_at < before
                and job.id not in newest.values()
                and not self._still_tells(job)
            ][:limit]
            for job in doomed:
                del self._jobs[job.id]
                self._catalog.drop_log(Lock.JOB, job.id)
            self.forgotten += doomed
            return len(doomed)

    def _still_tells(self, job: Job) -> bool:
        if job.kind is JobKind.BACKUP and job.subject_id is not None:
            return self._catalog.get_backup(job.subject_id).status in (BackupStatus.PENDING, BackupStatus.RUNNING)
        restore_id = job.subject_id if job.kind is JobKind.UNDO else job.result.get("restore_id")
        return job.kind in ONCE and restore_id in {one.id for one in self._catalog.unfinished_restores()}

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with self._mutex:
            if self._catalog.unreachable:
                raise CatalogUnreachable("unable to reach the catalog")
            yield


class MemoryQueue:
    """A queue whose entries a test takes by hand. `silent` are entries whose worker gives no sign of life."""

    def __init__(self) -> None:
        self.unreachable = False
        self.silent: set[int] = set()
        self._waiting: dict[int, Job] = {}
        self._taken: dict[int, Job] = {}
        self._last = 0

    def put(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        self._check()
        entries = {}
        for job in jobs:
            self._last += 1
            self._waiting[self._last] = job
            entries[job.id] = self._last
        return entries

    def take(self) -> Entry | None:
        """What the next worker of any group would take."""
        busy = {_lock(job) for job in self._taken.values()}
        order = sorted(self._waiting, key=lambda entry: (-urgency(self._waiting[entry].kind), entry))
        for entry in order:
            if _lock(self._waiting[entry]) not in busy:
                self._taken[entry] = self._waiting.pop(entry)
                return Entry(entry, self._taken[entry].id)
        return None

    def withdraw(self, entry_id: int) -> None:
        self._check()
        self._waiting.pop(entry_id, None)
        self._taken.pop(entry_id, None)

    def entries(self) -> frozenset[int]:
        self._check()
        return frozenset({*self._waiting, *self._taken})

    def taken(self) -> Sequence[Entry]:
        self._check()
        return [Entry(entry, job.id) for entry, job in self._taken.items()]

    def stalled(self, seconds: float) -> Sequence[Entry]:
        return [entry for entry in self.taken() if entry.id in self.silent]

    def receiver(self, groups: Sequence[str], at_once: int, run: Callable[[int], None]) -> Receiver:
        raise NotImplementedError("a test takes entries by hand")

    def close(self) -> None:
        return

    def _check(self) -> None:
        if self.unreachable:
            raise CatalogUnreachable("unable to reach the queue")


def _lock(job: Job) -> str:
    return lock_of(job.kind, job.database, job.subject_id)
