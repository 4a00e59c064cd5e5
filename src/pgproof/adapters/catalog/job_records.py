"""The part of the catalog that knows jobs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, TableValuedAlias, Update, cast, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from pgproof.adapters.catalog.forgetting import FORGET_JOBS
from pgproof.adapters.catalog.found import checked_id, found
from pgproof.adapters.catalog.job_models import JobRow
from pgproof.adapters.catalog.job_rows import job_values, to_job
from pgproof.adapters.catalog.models import BackupRow
from pgproof.adapters.catalog.new_jobs import insert_backup_jobs, insert_jobs
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.backup import Backup, BackupStatus
from pgproof.domain.errors import Conflict
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
)
from pgproof.services.ports import JobFilter, WantedBackup

_UNFINISHED = JobRow.status.in_([status.value for status in UNFINISHED_JOBS])
_QUEUED = JobRow.status == JobStatus.QUEUED.value
_RUNNING = JobRow.status == JobStatus.RUNNING.value
_TURNS = 1885824365  # tells the locks of those who ask for restores from others


class JobRecords(Records):
    """See the port `JobRecords`."""

    def add_job(self, wanted: NewJob) -> Job:
        """A new queued job, which is not in the queue yet."""
        with self._transactions() as session:
            if wanted.kind in ONCE and wanted.database is not None:
                session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(wanted.database, _TURNS))))
                check_only_restore(_jobs(session.scalars(_unfinished_of(wanted.database, ONCE))))
            (job,) = insert_jobs(session, [wanted])
        return job

    def add_backup_jobs(
        self, wanted: Sequence[WantedBackup], *, storage_url: str, now: datetime
    ) -> Sequence[tuple[Backup, Job]]:
        """Pending backups with their queued jobs, all of them or none."""
        with self._transactions() as session:
            return insert_backup_jobs(session, wanted, storage_url, now)

    def get_job(self, job_id: int) -> Job:
        """The job of that number."""
        with self._transactions() as session:
            return to_job(found(session, JobRow, job_id))

    def save_job(self, job: Job, *, expected: JobStatus) -> None:
        """Store every field of a job whose stored status is `expected`, but its wish to be cancelled."""
        if job.status != expected:
            check_job_transition(expected, job.status)
        statement = (
            update(JobRow)
            .where(JobRow.id == checked_id(job.id, JobRow), JobRow.status == expected.value)
            .values(**job_values(job))
            .returning(JobRow.id)
        )
        with self._transactions() as session:
            if session.scalar(statement) is None:
                stored = found(session, JobRow, job.id)
                raise Conflict(
                    f"job {job.id} is {stored.status}, not {expected}",
                    hint="Somebody else changed it meanwhile: look at it again.",
                )

    def list_jobs(self, wanted: JobFilter) -> Sequence[Job]:
        """The newest first."""
        conditions: list[ColumnElement[bool]] = []
        if wanted.status is not None:
            conditions.append(JobRow.status == wanted.status.value)
        if wanted.kind is not None:
            conditions.append(JobRow.kind == wanted.kind.value)
        if wanted.database is not None:
            conditions.append(JobRow.database == clean(wanted.database))
        if wanted.before is not None:
            conditions.append(JobRow.id < wanted.before)
        statement = select(JobRow).where(*conditions).order_by(JobRow.id.desc()).limit(wanted.limit)
        with self._transactions() as session:
            return _jobs(session.scalars(statement))

    def running_jobs(self) -> Sequence[Job]:
        """All that are running, the oldest first."""
        with self._transactions() as session:
            return _jobs(session.scalars(select(JobRow).where(_RUNNING).order_by(JobRow.id)))

    def unfinished_job(self, kind: JobKind, subject_id: int) -> Job | None:
        """The job that waits or runs for this backup or restore."""
        statement = select(JobRow).where(JobRow.kind == kind.value, JobRow.subject_id == subject_id, _UNFINISHED)
        with self._transactions() as session:
            row = session.scalars(statement.order_by(JobRow.id).limit(1)).first()
            return None if row is None else to_job(row)

    def unfinished_jobs_of(self, database: str, kinds: Collection[JobKind]) -> Sequence[Job]:
        """Those of these kinds that wait or run for a database, the oldest first."""
        with self._transactions() as session:
            return _jobs(session.scalars(_unfinished_of(database, kinds)))

    def last_run(self, kind: JobKind, database: str) -> Job | None:
        """The newest one that succeeded."""
        statement = select(JobRow).where(
            JobRow.database == clean(database),
            JobRow.kind == kind.value,
            JobRow.status == JobStatus.SUCCEEDED.value,
        )
        with self._transactions() as session:
            row = session.scalars(statement.order_by(JobRow.id.desc()).limit(1)).first()
            return None if row is None else to_job(row)

    def unsent_jobs(self, *, due_at: datetime, asked_before: datetime, limit: int) -> Sequence[Job]:
        """Queued jobs that are due and not in the queue, the oldest first."""
        statement = select(JobRow).where(
            _UNFINISHED,  # what the index of unfinished jobs covers
            _QUEUED,
            JobRow.queue_id.is_(None),
            JobRow.created_at < asked_before,
            or_(JobRow.not_before.is_(None), JobRow.not_before <= due_at),
        )
        with self._transactions() as session:
            return _jobs(session.scalars(statement.order_by(JobRow.id).limit(limit)))

    def mark_sent(self, entries: Mapping[int, int]) -> None:
        """Store the numbers of queue entries by numbers of jobs, of those that wait for one."""
        sent = _pairs(entries)
        statement = (
            update(JobRow)
            .where(JobRow.id == sent.c.job_id, _QUEUED, JobRow.queue_id.is_(None))
            .values(queue_id=sent.c.entry_id)
        )
        with self._transactions() as session:
            session.execute(statement, execution_options={"synchronize_session": False})

    def mark_unsent(self, entries: Mapping[int, int]) -> None:
        """Have jobs put into the queue again that still wait with these entries."""
        if not entries:
            return
        gone = _pairs(entries)
        statement = (
            update(JobRow)
            .where(JobRow.id == gone.c.job_id, _QUEUED, JobRow.queue_id == gone.c.entry_id)
            .values(queue_id=None)
        )
        with self._transactions() as session:
            session.execute(statement, execution_options={"synchronize_session": False})

    def sent_jobs(self) -> Mapping[int, int]:
        """All queued jobs that are in the queue: the numbers of their entries by numbers of jobs."""
        statement = select(JobRow.id, JobRow.queue_id).where(_UNFINISHED, _QUEUED)
        with self._transactions() as session:
            return {job_id: entry for job_id, entry in session.execute(statement) if entry is not None}

    def report(self, job_id: int, progress: JobProgress) -> None:
        """Store how far a running job is."""
        statement = update(JobRow).where(JobRow.id == job_id, _RUNNING).values(progress=clean(asdict(progress)))
        with self._transactions() as session:
            session.execute(statement)

    def note_result(self, job_id: int, result: Mapping[str, object]) -> None:
        """Add to the result of a running job."""
        added = JobRow.result.op("||")(cast(clean(dict(result)), JSONB))
        statement = update(JobRow).where(JobRow.id == job_id, _RUNNING).values(result=added)
        with self._transactions() as session:
            session.execute(statement, execution_options={"synchronize_session": False})

    def request_cancel(self, job_id: int, now: datetime) -> Job:
        """Cancel a queued job and its pending backup, or ask the worker of a running one to end it."""
        with self._transactions() as session:
            row = found(session, JobRow, job_id, lock=True)
            if JobStatus(row.status) not in UNFINISHED_JOBS:
                raise Conflict(f"job {job_id} has ended: it is {row.status}", hint=f"See it: pgproof job show {job_id}")
            row.cancel_requested_at = row.cancel_requested_at or now
            if row.status == JobStatus.QUEUED.value:
                row.status, row.finished_at = JobStatus.CANCELLED.value, now
                if row.kind == JobKind.BACKUP.value:
                    session.execute(_cancel_pending(row.subject_id, now))
            session.flush()
            return to_job(row)

    def cancel_requested(self, job_ids: Collection[int]) -> frozenset[int]:
        """Those of these jobs that somebody wants to end."""
        if not job_ids:
            return frozenset()
        statement = select(JobRow.id).where(JobRow.id.in_(job_ids), JobRow.cancel_requested_at.is_not(None))
        with self._transactions() as session:
            return frozenset(session.scalars(statement))

    def forget_jobs(self, before: datetime, limit: int) -> int:
        """Forget finished jobs with their logs, and keep count of them."""
        with self._transactions() as session:
            return int(session.scalars(text(FORGET_JOBS), {"before": before, "limit": limit}).one())


def _cancel_pending(backup_id: int | None, now: datetime) -> Update:
    return (
        update(BackupRow)
        .where(BackupRow.id == backup_id, BackupRow.status == BackupStatus.PENDING)
        .values(status=BackupStatus.CANCELLED, completed_at=now)
    )


def _unfinished_of(database: str, kinds: Collection[JobKind]) -> Select[Any]:
    of_kinds = JobRow.kind.in_([kind.value for kind in kinds])
    return select(JobRow).where(JobRow.database == clean(database), of_kinds, _UNFINISHED).order_by(JobRow.id)


def _jobs(rows: Iterable[JobRow]) -> list[Job]:
    return [to_job(row) for row in rows]


def _pairs(entries: Mapping[int, int]) -> TableValuedAlias:
    """Numbers of jobs and of entries, as a table."""
    numbers = func.unnest(list(entries), list(entries.values())).table_valued("job_id", "entry_id")
    return numbers.render_derived()
