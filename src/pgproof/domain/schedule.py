"""A schedule: what is to be done when, and what is due now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Any

from pgproof.domain.cron import check_cron, runs_after, runs_until, zone_of
from pgproof.domain.errors import InvalidInput

CLOCKS_DIFFER_BY = timedelta(hours=1)  # at most, between machines whose clocks are right
# A schedule of every minute misses half a million runs in a year: nobody needs the exact number.
MOST_COUNTED = 1000


class Task(StrEnum):
    """What a schedule asks for."""

    BACKUP = "backup"
    CLEANUP = "cleanup"
    RESTORE_TEST = "restore_test"
    VERIFY = "verify"


@dataclass(frozen=True)
class NewSchedule:
    """A schedule that is to be. Making one checks every value; raises `InvalidInput`.

    Without a `database` it is for every database that has no schedule of its own for this task; a cleanup is always
    for all of them.
    """

    task: Task
    cron: str
    zone: str = "UTC"
    database: str | None = None
    enabled: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cron", check_cron(self.cron))
        zone_of(self.zone)
        if self.task is Task.CLEANUP and self.database is not None:
            raise InvalidInput(
                "a cleanup is for all databases: what it keeps of each depends on the storage that they share",
                hint="Leave the database out.",
            )


@dataclass(frozen=True)
class Schedule:
    """A row of the catalog's `schedules`.

    Due times up to `settled_until` are dealt with: they were started, or lie before the schedule was made or changed.
    `last_due_at` is the newest that was started. `from_settings` tells that expression and zone are the settings'.
    """

    id: int
    database: str | None
    task: Task
    cron: str
    zone: str
    enabled: bool
    options: Mapping[str, Any]
    from_settings: bool
    settled_until: datetime
    created_at: datetime
    created_by: str
    last_due_at: datetime | None = None

    def changed(self, now: datetime, **values: Any) -> "Schedule":
        """The schedule with other values. Raises `InvalidInput`.

        Where they change its due times, those that are past by now are not made up for.
        """
        changed = replace(self, **values)
        new = NewSchedule(changed.task, changed.cron, changed.zone, changed.database)
        times = (changed.enabled, new.cron, changed.zone)
        settled = self.settled_until if times == (self.enabled, self.cron, self.zone) else max(now, self.settled_until)
        return replace(changed, cron=new.cron, settled_until=settled)

    def is_ahead(self, now: datetime) -> bool:
        """Whether due times are settled that have not come yet: somebody's clock was ahead, and is no more."""
        return self.settled_until > now + CLOCKS_DIFFER_BY

    def brought_back(self, now: datetime) -> "Schedule":
        """The schedule with nothing settled that has not come yet."""
        return replace(self, settled_until=now) if self.is_ahead(now) else self

    def __str__(self) -> str:
        whose = "all databases" if self.database is None else self.database
        return f"schedule {self.id} ({self.task.value.replace('_', ' ')} of {whose}, {self.cron}, {self.zone})"


@dataclass(frozen=True)
class ScheduleRun:
    """What became of a due time: `jobs` were asked for; `problems` say what could not be.

    `missed` due times before it were passed over.
    """

    schedule_id: int
    due_at: datetime
    started_at: datetime
    jobs: int = 0
    missed: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    """A run that is due since `at`. `missed` counts the ones before it that nobody started, up to `MOST_COUNTED`."""

    at: datetime
    missed: int


def next_runs(cron: str, zone: str, after: datetime, count: int) -> Sequence[datetime]:
    """The next due times in UTC, at most `count`."""
    return list(islice(runs_after(cron, zone_of(zone), after), count))


def due(schedule: Schedule, now: datetime) -> Due | None:
    """The newest due time that nobody has dealt with: after a downtime there is one run, however many were missed."""
    if not schedule.enabled:
        return None
    first = _first_due(schedule.cron, schedule.zone, schedule.settled_until)
    if first is None or first > now:
        return None
    latest = runs_until(schedule.cron, zone_of(schedule.zone), now)
    open_ones: list[datetime] = []
    for at in latest:
        if at <= schedule.settled_until or len(open_ones) > MOST_COUNTED:
            break
        open_ones.append(at)
    return Due(open_ones[0], len(open_ones) - 1) if open_ones else None


@lru_cache(maxsize=8192)
def _first_due(cron: str, zone: str, after: datetime) -> datetime | None:
    # Every scheduler asks this of every schedule, every few seconds.
    return next(runs_after(cron, zone_of(zone), after), None)
