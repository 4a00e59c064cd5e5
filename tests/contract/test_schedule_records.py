"""What every record of schedules promises: the same of the one in memory and of PostgreSQL's."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.schedule_records import ScheduleRecords as PostgresSchedules
from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.job import JobKind, JobStatus, NewJob
from pgproof.domain.schedule import NewSchedule, Schedule, ScheduleRun, Task
from pgproof.services.ports import Catalog, WantedBackup
from pgproof.services.ports.schedules import ScheduleRecords, Start
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.schedules import MemorySchedules

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
DUE = datetime(2026, 3, 30, 2, 0, tzinfo=UTC)
LATER = DUE + timedelta(seconds=3)
DAILY = NewSchedule(Task.BACKUP, "0 2 * * *", "Europe/Berlin", "shop", options={"include_logs": True})
WANTED = WantedBackup("shop", "near", BackupOptions(), BackupTrigger.SCHEDULED_CRON, "scheduler", 1)


class Place:
    """Records, and the catalog that their backups are in."""

    def __init__(self, records: ScheduleRecords, catalog: Catalog) -> None:
        self.records = records
        self.catalog = catalog


@pytest.fixture(params=["memory", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        memory = MemoryCatalog()
        yield Place(MemorySchedules(backups=memory.present_backups), memory)
    else:
        catalog: PostgresCatalog = request.getfixturevalue("catalog")
        yield Place(PostgresSchedules(catalog.transactions), catalog)


@pytest.fixture
def records(place: Place) -> ScheduleRecords:
    return place.records


def run_of(schedule: Schedule, at: datetime = DUE, jobs: int = 1) -> ScheduleRun:
    return ScheduleRun(schedule.id, at, LATER, jobs, 2, ("a problem", 'with "quotes"'))


def start(records: ScheduleRecords, schedule: Schedule, at: datetime = DUE) -> None:
    with records.claim([schedule.id]) as claim:
        backup = replace(WANTED, schedule_id=schedule.id)
        claim.start([Start(run_of(schedule, at), [backup])], storage_url="file:///b", now=LATER)


def test_every_field_of_a_new_schedule_is_kept(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    assert records.get_schedule(schedule.id) == schedule
    assert schedule == Schedule(
        id=schedule.id,
        database="shop",
        task=Task.BACKUP,
        cron="0 2 * * *",
        zone="Europe/Berlin",
        enabled=True,
        options={"include_logs": True},
        from_settings=False,
        settled_until=NOW,
        created_at=NOW,
        created_by="ann",
    )


def test_the_same_schedule_is_refused_and_another_time_or_task_is_not(records: ScheduleRecords) -> None:
    everything = replace(DAILY, database=None)
    for new in (DAILY, everything):
        records.add_schedule(new, by="ann", now=NOW)
        with pytest.raises(Conflict):
            records.add_schedule(new, by="ben", now=NOW)
    records.add_schedule(replace(DAILY, cron="0 14 * * *"), by="ann", now=NOW)
    records.add_schedule(NewSchedule(Task.VERIFY, DAILY.cron, DAILY.zone, "shop"), by="ann", now=NOW)
    assert len(records.list_schedules()) == 4


def test_the_settings_have_one_schedule_for_each_task_beside_the_same_one_of_a_person(records: ScheduleRecords) -> None:
    new = NewSchedule(Task.BACKUP, "0 2 * * *")
    records.add_schedule(new, by="ann", now=NOW)
    first = records.add_schedule(new, by="settings", now=NOW, from_settings=True)
    again = records.add_schedule(replace(new, cron="0 3 * * *"), by="settings", now=LATER, from_settings=True)
    assert first == again
    assert first.from_settings
    assert len(records.list_schedules()) == 2


def test_schedules_are_listed_by_their_numbers(records: ScheduleRecords) -> None:
    added = [records.add_schedule(replace(DAILY, cron=f"{n} 2 * * *"), by="a", now=NOW) for n in range(5)]
    assert list(records.list_schedules()) == added


def test_a_change_is_stored_and_returned(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    wanted = replace(schedule, cron="5 4 * * *", zone="UTC", enabled=False, options={}, settled_until=LATER)
    assert records.change_schedule(schedule.id, lambda _: wanted) == wanted
    assert records.get_schedule(schedule.id) == wanted


def test_a_change_that_fails_changes_nothing(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    other = records.add_schedule(replace(DAILY, cron="0 3 * * *"), by="ann", now=NOW)
    with pytest.raises(Conflict):
        records.change_schedule(other.id, lambda one: replace(one, cron=DAILY.cron))

    def fail(_: Schedule) -> Schedule:
        raise NotFound("no")

    with pytest.raises(NotFound):
        records.change_schedule(other.id, fail)
    assert list(records.list_schedules()) == [schedule, other]


@pytest.mark.parametrize("number", [0, -1, 77, 2**63])
def test_an_unknown_number_is_not_found(records: ScheduleRecords, number: int) -> None:
    with pytest.raises(NotFound):
        records.get_schedule(number)
    with pytest.raises(NotFound):
        records.change_schedule(number, lambda one: one)


def test_a_removed_schedule_is_gone_with_its_runs_and_its_jobs_stay(place: Place) -> None:
    schedule = place.records.add_schedule(DAILY, by="ann", now=NOW)
    start(place.records, schedule)
    place.records.remove_schedule(schedule.id)
    assert place.records.list_schedules() == []
    assert place.records.list_runs(schedule.id) == []


def test_what_was_started_is_recorded_and_settles_the_schedule(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    start(records, schedule)
    assert records.list_runs(schedule.id) == [run_of(schedule)]
    assert records.get_schedule(schedule.id) == replace(schedule, settled_until=DUE, last_due_at=DUE)


def test_a_start_makes_queued_jobs_that_know_their_schedule(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    test = NewJob(JobKind.RESTORE_TEST, "scheduler", LATER, "far", "other", 7, schedule_id=schedule.id)
    with records.claim([schedule.id]) as claim:
        backup = replace(WANTED, schedule_id=schedule.id)
        made = claim.start([Start(run_of(schedule), [backup], [test])], storage_url="file:///b", now=LATER)
    first, second = made
    assert (first.kind, first.database, first.group) == (JobKind.BACKUP, "shop", "near")
    assert (second.kind, second.database, second.group, second.subject_id) == (JobKind.RESTORE_TEST, "other", "far", 7)
    assert {job.status for job in made} == {JobStatus.QUEUED}
    assert {job.schedule_id for job in made} == {schedule.id}
    assert first.id != second.id


def test_a_claim_that_ends_with_an_error_keeps_nothing_and_frees_the_schedule(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)

    def die() -> None:
        with records.claim([schedule.id]) as claim:
            claim.start(
                [Start(run_of(schedule), [replace(WANTED, schedule_id=schedule.id)])], storage_url="s", now=LATER
            )
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert records.list_runs(schedule.id) == []
    with records.claim([schedule.id]) as claim:
        assert list(claim.schedules) == [schedule]
        assert claim.waiting == frozenset()


def test_what_somebody_else_has_claimed_is_left_out(records: ScheduleRecords) -> None:
    first, second = (records.add_schedule(replace(DAILY, cron=f"{n} 2 * * *"), by="ann", now=NOW) for n in range(2))
    with records.claim([first.id]) as held:
        with records.claim([second.id, first.id]) as claim:
            assert list(claim.schedules) == [second]
        assert list(held.schedules) == [first]
    with records.claim([second.id, first.id, 77]) as claim:
        assert list(claim.schedules) == [first, second]


def test_a_claim_tells_what_still_waits_in_the_queue(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    other = records.add_schedule(replace(DAILY, cron="1 2 * * *"), by="ann", now=NOW)
    start(records, schedule)
    with records.claim([schedule.id]) as claim:
        assert claim.waiting == {(schedule.id, "shop")}
    with records.claim([other.id]) as claim:
        assert claim.waiting == frozenset()


def test_runs_are_listed_newest_first_and_old_ones_are_forgotten(records: ScheduleRecords) -> None:
    schedule = records.add_schedule(DAILY, by="ann", now=NOW)
    for day in range(4):
        start(records, schedule, DUE + timedelta(days=day))
    assert [run.due_at.day for run in records.list_runs(schedule.id, 3)] == [2, 1, 31]
    records.forget_runs(LATER)
    assert len(records.list_runs(schedule.id)) == 4
    records.forget_runs(LATER + timedelta(microseconds=1))
    assert records.list_runs(schedule.id) == []


def test_the_last_run_of_every_schedule_is_found_at_once(records: ScheduleRecords) -> None:
    first, second, _ = (records.add_schedule(replace(DAILY, cron=f"{n} 2 * * *"), by="ann", now=NOW) for n in range(3))
    for day in (1, 2):
        start(records, first, DUE + timedelta(days=day))
    start(records, second)
    assert records.last_runs() == {first.id: run_of(first, DUE + timedelta(days=2)), second.id: run_of(second)}


def test_the_newest_usable_backup_of_each_database_is_found(place: Place) -> None:
    def add(name: str, minutes: int, status: BackupStatus) -> int:
        begun = place.catalog.begin_backup(
            name, storage_url="s", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
        )
        with begun as running:
            done = replace(running, status=status, completed_at=NOW + timedelta(minutes=minutes))
            place.catalog.save_backup(done, expected=BackupStatus.RUNNING)
            return done.id

    add("shop", 1, BackupStatus.COMPLETED)
    newest = add("shop", 3, BackupStatus.COMPLETED)
    add("shop", 2, BackupStatus.COMPLETED)
    add("shop", 4, BackupStatus.FAILED)
    other = add("other", 1, BackupStatus.COMPLETED)
    add("failing", 1, BackupStatus.FAILED)
    leaving = add("leaving", 1, BackupStatus.COMPLETED)
    place.catalog.change_backup(leaving, lambda one: replace(one, deletion_started_at=LATER))
    assert place.records.newest_usable_backups() == {"shop": newest, "other": other}
