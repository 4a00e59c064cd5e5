"""The record of schedules and of their runs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pgproof.domain.job import Job, NewJob
from pgproof.domain.schedule import NewSchedule, Schedule, ScheduleRun
from pgproof.services.ports.queue import WantedBackup


@dataclass(frozen=True)
class Start:
    """A run, and the jobs that it asks for."""

    run: ScheduleRun
    backups: Sequence[WantedBackup] = ()
    jobs: Sequence[NewJob] = ()


class Claim(Protocol):
    """Schedules that nobody else starts as long as the claim lasts."""

    @property
    def schedules(self) -> Sequence[Schedule]:
        """Those that were free, as they are now, by id."""

    @property
    def waiting(self) -> frozenset[tuple[int, str | None]]:
        """The schedules and databases for which a job that was asked for earlier still waits."""

    def start(self, starts: Sequence[Start], *, storage_url: str, now: datetime) -> Sequence[Job]:
        """Make the jobs, record the runs, and settle the schedules until their due times: all of it or nothing.

        Nobody sees any of it before the claim ends. Raises `CatalogError`; the claim goes on.
        """


class ScheduleRecords(Protocol):
    """The record of schedules. Every method is one short transaction; lookups by id raise `NotFound`."""

    def add_schedule(self, new: NewSchedule, *, by: str, now: datetime, from_settings: bool = False) -> Schedule:
        """A new schedule whose first run lies after `now`.

        `Conflict` if there is the same one. Of the settings there is one for each task: it is returned as it is.
        """

    def get_schedule(self, schedule_id: int) -> Schedule:
        """The schedule of that id."""

    def list_schedules(self) -> Sequence[Schedule]:
        """All of them by id."""

    def change_schedule(self, schedule_id: int, change: Callable[[Schedule], Schedule]) -> Schedule:
        """Store what `change` makes of the stored schedule, and return it; nobody changes it in between."""

    def remove_schedule(self, schedule_id: int) -> None:
        """Forget a schedule and its runs; the jobs that it asked for stay."""

    def claim(self, schedule_ids: Sequence[int]) -> AbstractContextManager[Claim]:
        """Have those of these schedules that nobody else claims to oneself, for the length of a `with` block.

        An exception, or the death of the process, ends the claim, and nothing of it is kept.
        """

    def list_runs(self, schedule_id: int, limit: int = 10) -> Sequence[ScheduleRun]:
        """The runs of a schedule, the newest first."""

    def last_runs(self) -> Mapping[int, ScheduleRun]:
        """The newest run of each schedule that has one, by the schedule's id."""

    def forget_runs(self, before: datetime) -> None:
        """Forget the runs that were started before that moment."""

    def newest_usable_backups(self) -> Mapping[str, int]:
        """The id of the newest usable backup of each database that has one."""
