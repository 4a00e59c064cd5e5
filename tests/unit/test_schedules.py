"""The schedules of an installation, and what one tick starts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogError, CatalogUnreachable, Conflict, InvalidInput, NotFound
from pgproof.domain.job import Job, JobKind, JobStatus
from pgproof.domain.schedule import NewSchedule, Schedule, Task
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import PostgresServer, PostgresTools
from pgproof.services.schedules import ScheduleChange, ScheduleDefaults, ScheduleService
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.schedules import MemorySchedules
from tests.fakes.server import MemoryServer

DAY = 86_400
# The clock of these tests begins on 1 March 2026 at 12:30 UTC.
UNTIL_TWO = 13.5 * 3600
DEFAULTS = ScheduleDefaults({Task.BACKUP: "0 2 * * *", Task.CLEANUP: "5 2 * * *"}, "UTC", BackupOptions())
NOTHING = ScheduleDefaults({Task.BACKUP: None, Task.CLEANUP: None}, "UTC", BackupOptions())


@dataclass
class Sent:
    """A dispatcher that remembers."""

    jobs: list[Job] = field(default_factory=list)

    def send(self, jobs: Sequence[Job]) -> None:
        self.jobs += jobs


class World:
    """Schedules on fakes: the databases `a` and `b`."""

    def __init__(self, defaults: ScheduleDefaults = NOTHING, configured: ConnectionInfo | None = None) -> None:
        self.clock = FakeClock()
        self.catalog = MemoryCatalog()
        for name in ("a", "b"):
            self.catalog.add_database(name, ConnectionInfo(name, "db", 5432, "app"))
        self.records = MemorySchedules(backups=self.catalog.present_backups)
        self.sent = Sent()
        server = cast("PostgresServer", MemoryServer())
        self.databases = DatabaseService(self.catalog, server, cast("PostgresTools", None), configured)
        self.service = self.with_settings(defaults)

    def with_settings(self, defaults: ScheduleDefaults) -> ScheduleService:
        return ScheduleService(
            records=self.records,
            jobs=cast("Any", None),
            dispatcher=cast("Any", self.sent),
            databases=self.databases,
            clock=self.clock,
            storage_url="memory://",
            defaults=defaults,
        )

    def add(self, database: str | None = None, cron: str = "0 2 * * *", task: Task = Task.BACKUP) -> Schedule:
        return self.service.add(NewSchedule(task, cron, database=database), by="ann")

    def tick_at(self, seconds: float) -> int:
        self.clock.seconds = seconds
        return self.service.tick()

    @property
    def started(self) -> list[tuple[str, str | None]]:
        return [(job.kind.value, job.database) for job in self.sent.jobs]

    def take(self, database: str) -> int:
        begun = self.catalog.begin_backup(
            database, storage_url="memory://", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
        )
        with begun as running:
            done = replace(running, status=BackupStatus.COMPLETED, completed_at=self.clock.now())
            self.catalog.save_backup(done, expected=BackupStatus.RUNNING)
            return done.id


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_started_before_its_time_and_everything_at_it(world: World) -> None:
    world.add("a")
    assert world.tick_at(UNTIL_TWO - 1) == 0
    assert world.tick_at(UNTIL_TWO) == 1
    assert world.started == [("backup", "a")]


def test_a_run_is_started_once_however_often_one_looks(world: World) -> None:
    world.add("a")
    assert [world.tick_at(UNTIL_TWO + n) for n in range(4)] == [1, 0, 0, 0]


def test_a_clock_that_was_years_ahead_for_a_moment_does_not_end_the_runs(world: World) -> None:
    schedule = world.add("a")
    world.tick_at(UNTIL_TWO + 1000 * DAY)
    for seconds in (UNTIL_TWO - 1, UNTIL_TWO, UNTIL_TWO + 1, UNTIL_TWO + DAY):
        world.tick_at(seconds)
    due = [f"{run.due_at:%Y-%m-%d %H:%M}" for run in world.service.last_runs(schedule.id)]
    assert due == ["2028-11-26 02:00", "2026-03-03 02:00", "2026-03-02 02:00"]


def test_a_schedule_for_all_leaves_out_the_databases_that_have_one_of_their_own_for_that_task(world: World) -> None:
    world.add()
    world.add("b", "0 3 * * *")
    world.add("a", "0 4 * * *", Task.VERIFY)
    world.tick_at(UNTIL_TWO)
    assert world.started == [("backup", "a")]


def test_a_schedule_of_its_own_that_is_switched_off_still_counts(world: World) -> None:
    world.add()
    own = world.add("b", "0 14 * * *")
    world.service.change(own.id, ScheduleChange(enabled=False))
    world.tick_at(UNTIL_TWO + 3 * DAY)
    assert world.started == [("backup", "a")]


def test_a_cleanup_is_one_job_for_all(world: World) -> None:
    world.add(task=Task.CLEANUP)
    world.tick_at(UNTIL_TWO)
    assert world.started == [("cleanup", None)]


@pytest.mark.parametrize("task", [Task.VERIFY, Task.RESTORE_TEST])
def test_what_is_about_a_backup_takes_the_newest_usable_one_of_each_database(world: World, task: Task) -> None:
    world.take("a")
    newest = world.take("a")
    world.add(task=task)
    world.tick_at(UNTIL_TWO)
    (job,) = world.sent.jobs
    assert (job.kind, job.database, job.subject_id) == (JobKind(task.value), "a", newest)


def test_a_database_without_a_usable_backup_is_reported_where_it_was_named(world: World) -> None:
    schedule = world.add("a", task=Task.RESTORE_TEST)
    assert world.tick_at(UNTIL_TWO) == 0
    (run,) = world.service.last_runs(schedule.id)
    assert run.problems == ('the database "a" has no usable backup',)


def test_a_downtime_over_several_runs_is_caught_up_once_and_reported(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = world.add("a")
    assert world.tick_at(UNTIL_TWO + 6 * DAY + 3600) == 1
    (run,) = world.service.last_runs(schedule.id)
    assert run.missed == 6
    assert run.due_at == NOW + timedelta(seconds=UNTIL_TWO + 6 * DAY)
    assert "missed 6 runs" in caplog.text


def test_the_schedule_of_a_removed_database_is_reported_and_the_others_start(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    gone, there = world.add("a"), world.add("b")
    world.catalog.remove_database("a")
    assert world.tick_at(UNTIL_TWO) == 1
    assert world.started == [("backup", "b")]
    (run,) = world.service.last_runs(gone.id)
    assert run.problems == ('the database "a" is not registered any more',)
    assert world.service.last_runs(there.id)[0].problems == ()
    assert "not registered any more" in caplog.text
    assert world.tick_at(UNTIL_TWO + 5) == 0


def test_one_schedule_that_the_catalog_refuses_does_not_keep_the_others_from_starting(world: World) -> None:
    bad, good = world.add("a"), world.add("b")
    world.records.refused[bad.id] = CatalogError("the catalog answered: no")
    assert world.tick_at(UNTIL_TWO) == 1
    assert world.started == [("backup", "b")]
    assert world.service.last_runs(bad.id)[0].problems == ("the catalog answered: no",)
    assert world.service.last_runs(bad.id)[0].jobs == 0
    assert world.service.last_runs(good.id)[0].jobs == 1


def test_when_the_catalog_goes_away_nothing_is_lost(world: World) -> None:
    schedule = world.add("a")
    world.records.refused[schedule.id] = CatalogUnreachable("gone")
    with pytest.raises(CatalogUnreachable):
        world.tick_at(UNTIL_TWO)
    assert world.service.last_runs(schedule.id) == []
    del world.records.refused[schedule.id]
    assert world.tick_at(UNTIL_TWO + 60) == 1


def test_a_zone_that_this_machine_does_not_know_is_reported_once_and_the_others_start(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    strange, _ = world.add("a"), world.add("b")
    world.records.change_schedule(strange.id, lambda one: replace(one, zone="Mars/Olympus"))
    assert [world.tick_at(UNTIL_TWO + n) for n in range(3)] == [1, 0, 0]
    assert caplog.text.count('"Mars/Olympus" is not the name of a time zone') == 1


def test_while_the_job_of_an_earlier_run_waits_there_is_no_second_one(world: World) -> None:
    schedule = world.add("a")
    world.tick_at(UNTIL_TWO)
    assert world.tick_at(UNTIL_TWO + DAY) == 0
    (run, _) = world.service.last_runs(schedule.id)
    assert run.problems == ("1 earlier job of a still waits in the queue, so there is no new one",)
    world.records.jobs[0] = replace(world.records.jobs[0], status=JobStatus.RUNNING)
    assert world.tick_at(UNTIL_TWO + 2 * DAY) == 1


def test_a_thousand_databases_are_started_by_four_writes(world: World) -> None:
    for n in range(998):
        world.catalog.add_database(f"d{n}", ConnectionInfo(f"d{n}", "db", 5432, "app"))
    for name in world.databases.groups():
        world.add(name)
    assert world.tick_at(UNTIL_TWO) == 1000
    assert world.records.starts == 4
    assert len({job.database for job in world.sent.jobs}) == 1000


def test_the_settings_make_their_schedules_when_a_worker_starts() -> None:
    world = World(DEFAULTS)
    assert world.service.list() == []
    world.tick_at(0)
    assert [(one.task, one.cron, one.from_settings) for one in world.service.list()] == [
        (Task.BACKUP, "0 2 * * *", True),
        (Task.CLEANUP, "5 2 * * *", True),
    ]
    assert world.tick_at(UNTIL_TWO + 300) == 3
    assert world.started == [("backup", "a"), ("backup", "b"), ("cleanup", None)]


def test_settings_that_changed_change_their_schedule_and_make_nothing_due_that_is_past() -> None:
    world = World(DEFAULTS)
    world.tick_at(0)
    world.clock.seconds = UNTIL_TWO - 3600
    world.service = world.with_settings(replace(DEFAULTS, crons={Task.BACKUP: "30 0 * * *", Task.CLEANUP: None}))
    assert world.service.tick() == 0
    (schedule,) = world.service.list()
    assert (schedule.cron, schedule.settled_until) == ("30 0 * * *", world.clock.now())


def test_a_schedule_of_the_settings_can_be_switched_off_and_stays_off() -> None:
    world = World(DEFAULTS)
    world.tick_at(0)
    schedule = world.service.list()[0]
    world.service.change(schedule.id, ScheduleChange(enabled=False))
    world.service = world.with_settings(DEFAULTS)
    world.tick_at(UNTIL_TWO)
    assert world.started == []


def test_what_the_settings_say_is_changed_in_the_settings() -> None:
    world = World(DEFAULTS)
    world.tick_at(0)
    schedule = world.service.list()[0]
    with pytest.raises(Conflict, match="follows the settings") as caught:
        world.service.change(schedule.id, ScheduleChange(cron="0 4 * * *"))
    assert "BACKUP_SCHEDULE" in caught.value.hint
    with pytest.raises(Conflict):
        world.service.remove(schedule.id)


def test_the_database_of_the_settings_is_backed_up_before_anybody_has_registered_it() -> None:
    world = World(configured=ConnectionInfo("shop", "db", 5432, "app"))
    world.add()
    world.tick_at(UNTIL_TWO)
    assert world.started == [("backup", "a"), ("backup", "b"), ("backup", "shop")]


def test_a_schedule_of_an_unknown_database_is_refused(world: World) -> None:
    with pytest.raises(NotFound):
        world.add("nobody")


def test_options_of_a_schedule_reach_its_backups(world: World) -> None:
    with pytest.raises(InvalidInput):
        world.service.add(NewSchedule(Task.BACKUP, "0 2 * * *", options={"level": 1}), by="ann")
    schedule = world.add("a")
    with pytest.raises(InvalidInput):
        world.service.change(schedule.id, ScheduleChange(options={"parallel_jobs": 0}))
    assert world.service.change(schedule.id, ScheduleChange(options={"parallel_jobs": 4})).options == {
        "parallel_jobs": 4
    }


def test_the_next_runs_are_told_and_there_are_none_of_one_that_is_switched_off(world: World) -> None:
    schedule = world.add("a")
    assert [run.day for run in world.service.next_runs(schedule, 3)] == [2, 3, 4]
    assert world.service.next_runs(replace(schedule, enabled=False)) == []


def test_a_removed_schedule_starts_nothing_any_more(world: World) -> None:
    schedule = world.add("a")
    world.service.remove(schedule.id)
    assert world.tick_at(UNTIL_TWO) == 0
    with pytest.raises(NotFound):
        world.service.get(schedule.id)


def test_runs_of_long_ago_are_forgotten(world: World) -> None:
    schedule = world.add("a", "0 2 * * *")
    world.tick_at(UNTIL_TWO)
    world.records.jobs[0] = replace(world.records.jobs[0], status=JobStatus.SUCCEEDED)
    world.tick_at(UNTIL_TWO + 91 * DAY)
    assert len(world.service.last_runs(schedule.id)) == 1
