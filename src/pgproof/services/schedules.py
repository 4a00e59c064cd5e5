"""Schedules: keeping them, and starting what is due."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pgproof.domain.backup import BackupOptions
from pgproof.domain.errors import Conflict, NotFound, PgproofError
from pgproof.domain.job import Job, JobKind, NewJob
from pgproof.domain.schedule import NewSchedule, Schedule, ScheduleRun, Task, due, next_runs
from pgproof.domain.schedule_options import check_options
from pgproof.domain.wording import in_quotes
from pgproof.services.databases import DatabaseService
from pgproof.services.dispatching import Dispatcher
from pgproof.services.jobs import JobService
from pgproof.services.ports import Clock, WantedBackup
from pgproof.services.ports.schedules import ScheduleRecords
from pgproof.services.scheduled_work import OF_A_BACKUP, ScheduledWork
from pgproof.services.starting import start_due

_SETTINGS = "settings"
# Few enough that other schedulers find work too, many enough that a thousand take seconds.
_AT_ONCE = 250
_RUNS_KEPT = timedelta(days=90)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScheduleDefaults:
    """What the settings say. A task without an expression has no schedule of the settings."""

    crons: Mapping[Task, str | None]
    zone: str
    backup: BackupOptions


@dataclass(frozen=True)
class ScheduleChange:
    """What is to be changed of a schedule; ``None`` leaves it as it is."""

    cron: str | None = None
    zone: str | None = None
    enabled: bool | None = None
    options: Mapping[str, Any] | None = None


class ScheduleService:
    """Any number of processes may call `tick`; each due time is started once."""

    def __init__(
        self,
        *,
        records: ScheduleRecords,
        jobs: JobService,
        dispatcher: Dispatcher,
        databases: DatabaseService,
        clock: Clock,
        storage_url: str,
        defaults: ScheduleDefaults,
    ) -> None:
        self._records = records
        self._jobs = jobs
        self._dispatcher = dispatcher
        self._databases = databases
        self._clock = clock
        self._storage_url = storage_url
        self._defaults = defaults
        self._in_step = False
        self._reported: set[int] = set()

    def add(self, new: NewSchedule, *, by: str) -> Schedule:
        """Keep a new schedule. Raises `NotFound` for an unknown database, `Conflict` if there is the same one."""
        check_options(new.task, new.options)
        if new.database is not None and new.database not in self._databases.groups():
            raise NotFound(
                f"no database named {in_quotes(new.database)} is registered",
                hint="`pgproof database list` shows the registered ones.",
            )
        return self._records.add_schedule(new, by=by, now=self._clock.now())

    @property
    def zone(self) -> str:
        """The time zone of the settings: the one of a schedule that names none."""
        return self._defaults.zone

    def get(self, schedule_id: int) -> Schedule:
        """The schedule of that id."""
        return self._records.get_schedule(schedule_id)

    def list(self, database: str | None = None) -> Sequence[Schedule]:
        """All schedules, or those that one database has of its own.

        Those of the settings are there once a worker has started with these settings.
        """
        return [one for one in self._records.list_schedules() if database in (None, one.database)]

    def change(self, schedule_id: int, change: ScheduleChange) -> Schedule:
        """Change a schedule; runs that are past by now are not made up for.

        Raises `Conflict` where the settings say what is to be changed.
        """
        values = {name: value for name, value in vars(change).items() if value is not None}

        def changed(stored: Schedule) -> Schedule:
            if stored.from_settings and values.keys() - {"enabled"}:
                raise _follows_settings(stored)
            check_options(stored.task, values.get("options", {}))
            return stored.changed(self._clock.now(), **values)

        return self._records.change_schedule(schedule_id, changed)

    def remove(self, schedule_id: int) -> Schedule:
        """Forget a schedule. Jobs that it has asked for go on."""
        stored = self.get(schedule_id)
        if stored.from_settings:
            raise _follows_settings(stored)
        self._records.remove_schedule(schedule_id)
        return stored

    def run_now(self, schedule_id: int, *, by: str) -> Sequence[Job]:
        """Ask for the jobs of a schedule at once, whatever is due; also of one that is not enabled."""
        schedule = self.get(schedule_id)
        wanted = self._work([schedule]).wanted(schedule, by=by, now=self._clock.now())
        backups = [job for job in wanted if isinstance(job, WantedBackup)]
        made = [job for _, job in self._jobs.request_backups(backups)]
        return made + [self._request(job, by) for job in wanted if isinstance(job, NewJob)]

    def _request(self, wanted: NewJob, by: str) -> Job:
        if wanted.subject_id is None:
            return self._jobs.request_cleanup(by=by, schedule_id=wanted.schedule_id)
        verifying = wanted.kind is JobKind.VERIFY
        request = self._jobs.request_verify if verifying else self._jobs.request_restore_test
        return request(wanted.subject_id, by=by, schedule_id=wanted.schedule_id)

    def next_runs(self, schedule: Schedule, count: int = 5) -> Sequence[datetime]:
        """The next due times in UTC; none of a schedule that is not enabled."""
        return next_runs(schedule.cron, schedule.zone, self._clock.now(), count) if schedule.enabled else []

    def last_runs(self, schedule_id: int, limit: int = 10) -> Sequence[ScheduleRun]:
        """What became of the last due times, the newest first."""
        return self._records.list_runs(self.get(schedule_id).id, limit)

    def databases(self, schedule: Schedule) -> Sequence[str]:
        """The databases that a schedule is for; none if the one that it names is gone."""
        if schedule.database is not None and schedule.database not in self._databases.groups():
            return []
        return [] if schedule.task is Task.CLEANUP else self._work([schedule]).databases(schedule)

    def tick(self) -> int:
        """Start everything that is due, and return the number of new jobs.

        What one schedule cannot have is recorded with its run and keeps nothing else from being started. Raises only
        if the catalog does not answer; then nothing is lost, and the next tick goes on.
        """
        if not self._in_step:
            self.follow_settings()
        now = self._clock.now()
        schedules = [self._in_step_with(now, schedule) for schedule in self._records.list_schedules()]
        waiting = [schedule.id for schedule in schedules if self._is_due(schedule, now)]
        if not waiting:
            return 0
        work = self._work([one for one in schedules if one.id in set(waiting)])
        jobs = 0
        for first in range(0, len(waiting), _AT_ONCE):
            with self._records.claim(waiting[first : first + _AT_ONCE]) as claim:
                made = start_due(claim, work, self._storage_url, now)
            self._dispatcher.send(made)
            jobs += len(made)
        self._records.forget_runs(now - _RUNS_KEPT)
        return jobs

    def follow_settings(self) -> None:
        """Make, change or remove the schedules of the settings, so that they say what the settings say."""
        now, zone = self._clock.now(), self._defaults.zone
        for known in self._records.list_schedules():
            cron = self._defaults.crons.get(known.task) if known.from_settings else known.cron
            if cron is None:
                self._records.remove_schedule(known.id)
            elif known.from_settings and (known.cron, known.zone) != (cron, zone):
                self._records.change_schedule(known.id, partial(Schedule.changed, now=now, cron=cron, zone=zone))
        self._make_missing()
        self._in_step = True

    def _in_step_with(self, now: datetime, schedule: Schedule) -> Schedule:
        if not schedule.is_ahead(now):
            return schedule
        _log.warning("%s was settled until %s: a clock was ahead, its runs go on", schedule, schedule.settled_until)
        return self._records.change_schedule(schedule.id, partial(Schedule.brought_back, now=now))

    def _make_missing(self) -> None:
        there = {one.task for one in self._records.list_schedules() if one.from_settings}
        for task, cron in self._defaults.crons.items():
            if cron is not None and task not in there:
                new = NewSchedule(task, cron, self._defaults.zone)
                self._records.add_schedule(new, by=_SETTINGS, now=self._clock.now(), from_settings=True)

    def _is_due(self, schedule: Schedule, now: datetime) -> bool:
        try:
            return due(schedule, now) is not None
        except PgproofError as error:
            # Its time zone may be unknown on this machine only. Said once: this is asked every few seconds.
            if schedule.id not in self._reported:
                self._reported.add(schedule.id)
                _log.error("%s cannot be started here: %s", schedule, error.detail)
            return False

    def _work(self, starting: Sequence[Schedule]) -> ScheduledWork:
        of_a_backup = any(one.task in OF_A_BACKUP for one in starting)
        return ScheduledWork(
            self._records.list_schedules(),
            self._databases.groups(),
            self._records.newest_usable_backups() if of_a_backup else {},
            self._defaults.backup,
        )


def _follows_settings(schedule: Schedule) -> Conflict:
    setting = {Task.BACKUP: "BACKUP_SCHEDULE", Task.CLEANUP: "BACKUP_CLEANUP_SCHEDULE"}[schedule.task]
    return Conflict(
        f"schedule {schedule.id} follows the settings",
        hint=f"Change {setting} or BACKUP_TIMEZONE (an empty {setting} removes it), or switch it off: "
        f"pgproof schedule disable {schedule.id}",
    )
