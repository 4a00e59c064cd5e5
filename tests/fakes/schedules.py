"""Schedules in memory, held to the same contract as the real ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock

from pgproof.domain.backup import Backup
from pgproof.domain.errors import Conflict, NotFound, PgproofError
from pgproof.domain.job import Job, JobKind, JobStatus, NewJob
from pgproof.domain.schedule import NewSchedule, Schedule, ScheduleRun
from pgproof.services.ports.schedules import Start


@dataclass
class MemorySchedules:
    """`jobs` are what was started; `backups` is where the usable ones are looked up.

    A start of a schedule in `refused` fails with the error that stands there.
    """

    jobs: list[Job] = field(default_factory=list)
    backups: Callable[[], Sequence[Backup]] = list
    refused: dict[int, PgproofError] = field(default_factory=dict)
    starts: int = 0
    _schedules: dict[int, Schedule] = field(default_factory=dict)
    _runs: list[ScheduleRun] = field(default_factory=list)
    _claimed: set[int] = field(default_factory=set)
    _last_id: int = 0
    _mutex: RLock = field(default_factory=RLock)

    def add_schedule(self, new: NewSchedule, *, by: str, now: datetime, from_settings: bool = False) -> Schedule:
        with self._mutex:
            of_settings = [one for one in self._schedules.values() if one.from_settings and one.task is new.task]
            if from_settings and of_settings:
                return of_settings[0]
            schedule = Schedule(
                id=self._last_id + 1,
                database=new.database,
                task=new.task,
                cron=new.cron,
                zone=new.zone,
                enabled=new.enabled,
                options=dict(new.options),
                from_settings=from_settings,
                settled_until=now,
                created_at=now,
                created_by=by,
            )
            self._refuse_twin(schedule)
            self._last_id += 1
            self._schedules[schedule.id] = schedule
            return schedule

    def get_schedule(self, schedule_id: int) -> Schedule:
        if schedule_id not in self._schedules:
            raise NotFound(f"the catalog has no schedule {schedule_id}")
        return self._schedules[schedule_id]

    def list_schedules(self) -> Sequence[Schedule]:
        return [self._schedules[key] for key in sorted(self._schedules)]

    def change_schedule(self, schedule_id: int, change: Callable[[Schedule], Schedule]) -> Schedule:
        with self._mutex:
            changed = change(self.get_schedule(schedule_id))
            self._refuse_twin(changed)
            self._schedules[schedule_id] = changed
            return changed

    def remove_schedule(self, schedule_id: int) -> None:
        with self._mutex:
            self._schedules.pop(schedule_id, None)
            self._runs = [run for run in self._runs if run.schedule_id != schedule_id]

    @contextmanager
    def claim(self, schedule_ids: Sequence[int]) -> Iterator["MemoryClaim"]:
        with self._mutex:
            free = sorted(set(schedule_ids) & self._schedules.keys() - self._claimed)
            self._claimed |= set(free)
        claim = MemoryClaim(self, [self._schedules[key] for key in free])
        try:
            yield claim
            with self._mutex:
                self.jobs += claim.made
                self._runs += claim.runs
                for run in claim.runs:
                    settled = replace(
                        self._schedules[run.schedule_id], settled_until=run.due_at, last_due_at=run.due_at
                    )
                    self._schedules[run.schedule_id] = settled
        finally:
            self._claimed -= set(free)

    def list_runs(self, schedule_id: int, limit: int = 10) -> Sequence[ScheduleRun]:
        found = [run for run in self._runs if run.schedule_id == schedule_id]
        return sorted(found, key=lambda run: run.due_at, reverse=True)[:limit]

    def last_runs(self) -> Mapping[int, ScheduleRun]:
        return {run.schedule_id: run for run in sorted(self._runs, key=lambda run: run.due_at)}

    def forget_runs(self, before: datetime) -> None:
        self._runs = [run for run in self._runs if run.started_at >= before]

    def newest_usable_backups(self) -> Mapping[str, int]:
        usable = [(backup.completed_at, backup.id, backup.database) for backup in self.backups() if backup.usable]
        return {name: key for _, key, name in sorted(usable, key=lambda one: (str(one[0]), one[1]))}

    def _refuse_twin(self, wanted: Schedule) -> None:
        for one in self._schedules.values():
            same = (one.database, one.task, one.cron, one.zone, one.from_settings) == (
                wanted.database, wanted.task, wanted.cron, wanted.zone, wanted.from_settings,
            )  # fmt: skip
            if same and one.id != wanted.id:
                raise Conflict("there is the same schedule already")


class MemoryClaim:
    def __init__(self, records: MemorySchedules, schedules: Sequence[Schedule]) -> None:
        self._records = records
        self.schedules = schedules
        self.made: list[Job] = []
        self.runs: list[ScheduleRun] = []

    @property
    def waiting(self) -> frozenset[tuple[int, str | None]]:
        ids = {schedule.id for schedule in self.schedules}
        queued = [job for job in self._records.jobs if job.status is JobStatus.QUEUED]
        return frozenset((job.schedule_id, job.database) for job in queued if job.schedule_id in ids)

    def start(self, starts: Sequence[Start], *, storage_url: str, now: datetime) -> Sequence[Job]:
        self._records.starts += 1
        for start in starts:
            if (start.backups or start.jobs) and start.run.schedule_id in self._records.refused:
                raise self._records.refused[start.run.schedule_id]
        wanted = [
            NewJob(JobKind.BACKUP, one.requested_by, now, one.group, one.database, schedule_id=one.schedule_id)
            for start in starts
            for one in start.backups
        ]
        wanted += [job for start in starts for job in start.jobs]
        made = [_job(len(self._records.jobs) + len(self.made) + n, job) for n, job in enumerate(wanted, 1)]
        self.made += made
        self.runs += [start.run for start in starts]
        return made


def _job(number: int, new: NewJob) -> Job:
    return Job(
        id=number,
        kind=new.kind,
        status=JobStatus.QUEUED,
        group=new.group,
        requested_by=new.requested_by,
        created_at=new.created_at,
        database=new.database,
        subject_id=new.subject_id,
        options=new.options,
        max_attempts=new.max_attempts,
        schedule_id=new.schedule_id,
    )
