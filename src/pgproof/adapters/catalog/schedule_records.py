"""The part of the catalog that knows schedules and their runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.failures import translated
from pgproof.adapters.catalog.found import checked_id, found
from pgproof.adapters.catalog.job_models import JobRow
from pgproof.adapters.catalog.new_jobs import insert_backup_jobs, insert_jobs
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.schedule_models import ScheduleRow, ScheduleRunRow
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict
from pgproof.domain.job import Job, JobStatus
from pgproof.domain.schedule import NewSchedule, Schedule, ScheduleRun, Task
from pgproof.services.ports.schedules import Start

_NEWEST_USABLE = """
    SELECT DISTINCT ON (database) database, id FROM pgproof.backup_jobs
    WHERE status IN ('completed', 'restored') AND deletion_started_at IS NULL
    ORDER BY database, completed_at DESC, id DESC"""

_SETTLE = """
    UPDATE pgproof.schedules SET settled_until = due_at, last_due_at = due_at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:dues AS timestamptz[])) AS started (schedule_id, due_at)
    WHERE id = schedule_id"""


class ScheduleRecords(Records):
    """See the port `ScheduleRecords`."""

    def add_schedule(self, new: NewSchedule, *, by: str, now: datetime, from_settings: bool = False) -> Schedule:
        """A new schedule whose first run lies after `now`."""
        values = {
            "database": new.database,
            "task": new.task.value,
            "cron": new.cron,
            "zone": new.zone,
            "enabled": new.enabled,
            "options": dict(new.options),
            "from_settings": from_settings,
            "settled_until": now,
            "created_at": now,
            "created_by": by,
        }
        statement = insert(ScheduleRow).values(**clean(values)).on_conflict_do_nothing().returning(ScheduleRow)
        with self._transactions() as session:
            row = session.scalar(statement)
            if row is None and from_settings:
                of_settings = select(ScheduleRow).where(ScheduleRow.from_settings, ScheduleRow.task == new.task.value)
                row = session.scalars(of_settings).one()
            if row is None:
                raise _same_schedule()
            return _to_schedule(row)

    def get_schedule(self, schedule_id: int) -> Schedule:
        """The schedule of that id."""
        with self._transactions() as session:
            return _to_schedule(found(session, ScheduleRow, schedule_id))

    def list_schedules(self) -> Sequence[Schedule]:
        """All of them by id."""
        with self._transactions() as session:
            return [_to_schedule(row) for row in session.scalars(select(ScheduleRow).order_by(ScheduleRow.id))]

    def change_schedule(self, schedule_id: int, change: Callable[[Schedule], Schedule]) -> Schedule:
        """Store what `change` makes of the stored schedule, and return it; nobody changes it in between."""
        with self._transactions() as session:
            row = found(session, ScheduleRow, schedule_id, lock=True)
            changed = change(_to_schedule(row))
            same = select(ScheduleRow.id).where(
                ScheduleRow.database.is_not_distinct_from(changed.database),
                ScheduleRow.task == changed.task.value,
                ScheduleRow.cron == changed.cron,
                ScheduleRow.zone == changed.zone,
                ScheduleRow.from_settings == changed.from_settings,
                ScheduleRow.id != changed.id,
            )
            if session.scalars(same).first() is not None:
                raise _same_schedule()
            row.cron, row.zone, row.enabled = clean(changed.cron), changed.zone, changed.enabled
            row.options = clean(dict(changed.options))
            row.settled_until, row.last_due_at = changed.settled_until, changed.last_due_at
        return changed

    def remove_schedule(self, schedule_id: int) -> None:
        """Forget a schedule and its runs; the jobs that it asked for stay."""
        with self._transactions() as session:
            session.execute(delete(ScheduleRow).where(ScheduleRow.id == checked_id(schedule_id, ScheduleRow)))

    @contextmanager
    def claim(self, schedule_ids: Sequence[int]) -> Iterator["RowsClaimed"]:
        """Have those of these schedules that nobody else claims to oneself, for the length of a `with` block."""
        statement = (
            select(ScheduleRow)
            .where(ScheduleRow.id.in_(schedule_ids))
            .order_by(ScheduleRow.id)
            .with_for_update(skip_locked=True, key_share=True)
        )
        with self._transactions() as session:
            claimed = [_to_schedule(row) for row in session.scalars(statement)]
            yield RowsClaimed(session, self._transactions.connection, claimed)

    def list_runs(self, schedule_id: int, limit: int = 10) -> Sequence[ScheduleRun]:
        """The runs of a schedule, the newest first."""
        statement = (
            select(ScheduleRunRow)
            .where(ScheduleRunRow.schedule_id == checked_id(schedule_id, ScheduleRow))
            .order_by(ScheduleRunRow.due_at.desc())
            .limit(limit)
        )
        with self._transactions() as session:
            return [_to_run(row) for row in session.scalars(statement)]

    def last_runs(self) -> Mapping[int, ScheduleRun]:
        """The newest run of each schedule that has one, by the schedule's id."""
        newest = select(ScheduleRunRow.schedule_id, func.max(ScheduleRunRow.due_at)).group_by(
            ScheduleRunRow.schedule_id
        )
        statement = select(ScheduleRunRow).where(tuple_(ScheduleRunRow.schedule_id, ScheduleRunRow.due_at).in_(newest))
        with self._transactions() as session:
            return {row.schedule_id: _to_run(row) for row in session.scalars(statement)}

    def forget_runs(self, before: datetime) -> None:
        """Forget the runs that were started before that moment."""
        with self._transactions() as session:
            session.execute(delete(ScheduleRunRow).where(ScheduleRunRow.started_at < before))

    def newest_usable_backups(self) -> Mapping[str, int]:
        """The id of the newest usable backup of each database that has one."""
        with self._transactions() as session:
            rows = session.execute(text(_NEWEST_USABLE))
            return {row.database: row.id for row in rows}


class RowsClaimed:
    """See the port `Claim`: the rows are locked until the session's transaction ends."""

    def __init__(self, session: Session, connection: ConnectionInfo, schedules: Sequence[Schedule]) -> None:
        self._session = session
        self._connection = connection
        self.schedules = schedules

    @cached_property
    def waiting(self) -> frozenset[tuple[int, str | None]]:
        """The schedules and databases for which a job that was asked for earlier still waits."""
        statement = select(JobRow.schedule_id, JobRow.database).where(
            JobRow.status == JobStatus.QUEUED.value,
            JobRow.schedule_id.in_([schedule.id for schedule in self.schedules]),
        )
        with translated(self._connection):
            return frozenset((key, name) for key, name in self._session.execute(statement) if key is not None)

    def start(self, starts: Sequence[Start], *, storage_url: str, now: datetime) -> Sequence[Job]:
        """Make the jobs, record the runs, and settle the schedules until their due times: all of it or nothing."""
        if not starts:
            return []
        backups = [backup for start in starts for backup in start.backups]
        with translated(self._connection), self._session.begin_nested():
            made = [job for _, job in insert_backup_jobs(self._session, backups, storage_url, now)]
            made += insert_jobs(self._session, [job for start in starts for job in start.jobs])
            self._session.execute(insert(ScheduleRunRow), [_run_values(start.run) for start in starts])
            self._session.flush()
            ids, dues = [start.run.schedule_id for start in starts], [start.run.due_at for start in starts]
            self._session.execute(text(_SETTLE), {"ids": ids, "dues": dues})
        return made


def _same_schedule() -> Conflict:
    return Conflict("there is the same schedule already", hint="`pgproof schedule list` shows all of them.")


def _to_schedule(row: ScheduleRow) -> Schedule:
    return Schedule(
        id=row.id,
        database=row.database,
        task=Task(row.task),
        cron=row.cron,
        zone=row.zone,
        enabled=row.enabled,
        options=row.options,
        from_settings=row.from_settings,
        settled_until=row.settled_until,
        created_at=row.created_at,
        created_by=row.created_by,
        last_due_at=row.last_due_at,
    )


def _run_values(run: ScheduleRun) -> dict[str, Any]:
    values: dict[str, Any] = clean({**vars(run), "problems": list(run.problems)})
    return values


def _to_run(row: ScheduleRunRow) -> ScheduleRun:
    return ScheduleRun(row.schedule_id, row.due_at, row.started_at, row.jobs, row.missed, tuple(row.problems))
