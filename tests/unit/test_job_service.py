"""Asking for jobs: what is refused at once, what is recorded, what is called off."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.job import Job, JobKind, JobStatus
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.services.databases import DatabaseService
from pgproof.services.job_news import JobNews
from pgproof.services.job_options import restore_options_as_json, restore_options_from_json
from pgproof.services.jobs import JobService
from pgproof.services.ports import Lock, PostgresServer, PostgresTools, WantedBackup
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.jobs import MemoryJobRecords, MemoryQueue
from tests.fakes.server import MemoryServer
from tests.fakes.storage import MemoryStorage


class Ears:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def finished(self, job: Job) -> None:
        self.heard.append(job.id)


@dataclass
class World:
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    clock: FakeClock = field(default_factory=FakeClock)
    ears: Ears = field(default_factory=Ears)

    def __post_init__(self) -> None:
        self.records = MemoryJobRecords(self.catalog)
        server = cast("PostgresServer", MemoryServer())
        self.catalog.add_database("shop", ConnectionInfo("shop"), group="near")
        self.jobs = JobService(
            records=self.records,
            queue=self.queue,
            catalog=self.catalog,
            storage=MemoryStorage(),
            server=server,
            databases=DatabaseService(self.catalog, server, cast("PostgresTools", None), None),
            clock=self.clock,
            news=JobNews([self.ears]),
            pause=self.pass_time,
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds

    def backup(self, status: BackupStatus = BackupStatus.COMPLETED) -> Backup:
        pending = self.catalog.create_backup(
            "shop", storage_url="memory://", options=BackupOptions(), trigger=BackupTrigger.MANUAL_API, now=NOW
        )
        running = replace(pending, status=BackupStatus.RUNNING)
        self.catalog.save_backup(running, expected=BackupStatus.PENDING)
        ended = replace(running, status=status)
        self.catalog.save_backup(ended, expected=BackupStatus.RUNNING)
        return ended


@pytest.fixture
def world() -> World:
    return World()


def test_a_backup_is_pending_and_its_job_is_in_the_queue_of_its_group(world: World) -> None:
    backup, job = world.jobs.request_backup("shop", BackupOptions(), BackupTrigger.MANUAL_API, by="ann")
    assert world.catalog.get_backup(backup.id).status is BackupStatus.PENDING
    stored = world.jobs.get(job.id)
    assert (stored.group, stored.requested_by, stored.subject_id) == ("near", "ann", backup.id)
    assert stored.queue_id in world.queue.entries()
    assert world.jobs.unfinished_of_backup(backup.id) == stored


def test_many_backups_are_asked_for_at_once(world: World) -> None:
    wanted = [
        WantedBackup(f"db{number}", "default", BackupOptions(), BackupTrigger.SCHEDULED_CRON, "scheduler", number)
        for number in range(50)
    ]
    made = world.jobs.request_backups(wanted)
    assert [job.schedule_id for _, job in made] == list(range(50))
    assert len(world.queue.entries()) == 50


def test_what_is_asked_for_while_the_queue_is_away_is_recorded_all_the_same(world: World) -> None:
    world.queue.unreachable = True
    _, job = world.jobs.request_backup("shop", BackupOptions(), BackupTrigger.MANUAL_API, by="ann")
    assert world.jobs.get(job.id).queue_id is None
    world.queue.unreachable = False
    assert world.jobs.dispatch() == 0  # whoever asked may be about to send it
    world.clock.seconds += 6
    assert world.jobs.dispatch() == 1
    assert world.jobs.get(job.id).queue_id in world.queue.entries()


@pytest.mark.parametrize("status", [BackupStatus.FAILED, BackupStatus.CANCELLED])
def test_only_a_usable_backup_is_restored_verified_and_tested(world: World, status: BackupStatus) -> None:
    backup = world.backup(status)
    asks: tuple[Callable[[], object], ...] = (
        lambda: world.jobs.request_restore(backup.id, RestoreOptions(), by="ann"),
        lambda: world.jobs.request_verify(backup.id, by="ann"),
        lambda: world.jobs.request_restore_test(backup.id, by="ann"),
    )
    for ask in asks:
        with pytest.raises(Conflict, match=f"is {status}"):
            ask()
    with pytest.raises(NotFound):
        world.jobs.request_restore(99, RestoreOptions(), by="ann")
    assert world.queue.entries() == frozenset()


def test_a_second_restore_of_a_database_waits_for_nobody_and_is_refused(world: World) -> None:
    backup = world.backup()
    first = world.jobs.request_restore(backup.id, RestoreOptions(), by="ann")
    with pytest.raises(Conflict, match=f"job {first.id}"):
        world.jobs.request_restore(backup.id, RestoreOptions(), by="ann")
    world.jobs.cancel(first.id, by="ann")
    assert world.jobs.request_restore(backup.id, RestoreOptions(), by="ann").status is JobStatus.QUEUED


def test_a_database_that_somebody_restores_by_hand_is_not_restored_by_a_job(world: World) -> None:
    backup = world.backup()
    restore = world.catalog.create_restore(backup, "shop", RestoreOptions(), NOW)
    with pytest.raises(Conflict, match=f"restore {restore.id}"):
        world.jobs.request_restore(backup.id, RestoreOptions(), by="ann")


def test_a_restore_comes_back_from_its_job_as_it_was_asked_for(world: World) -> None:
    options = RestoreOptions(
        mode=RestoreMode.NEW_DATABASE,
        target_database="cöpy",
        tables=("public.a",),
        schemas=("s",),
        role_map={"a": "b"},
        no_owner=True,
        create_safety_backup=False,
    )
    job = world.jobs.request_restore(world.backup().id, options, by="ann")
    assert restore_options_from_json(world.jobs.get(job.id).options) == options
    assert restore_options_from_json(restore_options_as_json(RestoreOptions())) == RestoreOptions()


def test_a_cleanup_of_all_is_a_job_of_the_default_group(world: World) -> None:
    assert world.jobs.request_cleanup(by="ann").group == "default"
    one = world.jobs.request_cleanup(by="ann", force=True, database="shop")
    assert (one.group, one.database, one.options) == ("near", "shop", {"force": True})


def test_what_waits_is_called_off_at_once_and_everybody_hears_of_it(world: World) -> None:
    backup, job = world.jobs.request_backup("shop", BackupOptions(), BackupTrigger.MANUAL_API, by="ann")
    assert world.jobs.cancel(job.id, by="bob").status is JobStatus.CANCELLED
    assert world.catalog.get_backup(backup.id).status is BackupStatus.CANCELLED
    assert world.queue.entries() == frozenset()
    assert world.ears.heard == [job.id]
    assert world.catalog.read_log(Lock.JOB, job.id) == ["to be cancelled: bob asked for it"]


def test_what_runs_is_asked_to_end(world: World) -> None:
    job = world.jobs.request_cleanup(by="ann")
    world.records.save_job(replace(job, status=JobStatus.RUNNING), expected=JobStatus.QUEUED)
    asked = world.jobs.cancel(job.id, by="bob")
    assert (asked.status, asked.cancel_requested_at) == (JobStatus.RUNNING, world.clock.now())
    assert world.ears.heard == []


def test_waiting_ends_with_the_job_or_with_the_time(world: World) -> None:
    job = world.jobs.request_cleanup(by="ann")
    assert world.jobs.wait(job.id, 10).status is JobStatus.QUEUED
    assert world.clock.seconds == pytest.approx(10)
    world.jobs.cancel(job.id, by="ann")
    assert world.jobs.wait(job.id, 10).status is JobStatus.CANCELLED
    assert world.clock.seconds == pytest.approx(10)


def test_the_log_of_a_job_holds_that_of_what_it_worked_on(world: World) -> None:
    backup, job = world.jobs.request_backup("shop", BackupOptions(), BackupTrigger.MANUAL_API, by="ann")
    world.catalog.append_log(Lock.JOB, job.id, ["attempt 1"], NOW)
    world.catalog.append_log(Lock.BACKUP, backup.id, ["step: dump"], NOW)
    assert world.jobs.log(job.id) == ["attempt 1", "step: dump"]
    verify = world.jobs.request_verify(world.backup().id, by="ann")
    assert (verify.kind, list(world.jobs.log(verify.id))) == (JobKind.VERIFY, [])
