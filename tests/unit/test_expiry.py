"""Cleaning up: the plan, the guard against too much, and a sweep that goes on past what fails."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict, ServerUnreachable, StorageDenied
from pgproof.domain.removal_share import Removal
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.domain.retention import Action
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.services.databases import DatabaseService
from pgproof.services.expiry import CleanupPlan, ExpiryService
from pgproof.services.ports import Lock, PostgresServer, PostgresTools
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.server import MemoryServer
from tests.fakes.storage import MemoryStorage

DAY = timedelta(days=1)
S = BackupStatus


class StubbornStorage(MemoryStorage):
    """Refuses to delete keys that hold this text."""

    stubborn = "nothing"

    def delete(self, key: str) -> None:
        if self.stubborn in key:
            raise StorageDenied(f"{key} may not be deleted", hint="Clear `stubborn` of this fake.")
        super().delete(key)


class World:
    """A catalog, a storage and a server with one database `shop`, and the service on them."""

    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.storage = StubbornStorage()
        self.server = MemoryServer(shop=1)
        self.clock = FakeClock()
        self.catalog.add_database("shop", ConnectionInfo("shop", "db"))

    def service(self, policy: RetentionPolicy | None = None, max_share: float = 1.0) -> ExpiryService:
        server = cast("PostgresServer", self.server)
        return ExpiryService(
            catalog=self.catalog,
            storage=self.storage,
            server=server,
            databases=DatabaseService(self.catalog, server, cast("PostgresTools", None), None),
            clock=self.clock,
            policy=policy or RetentionPolicy(keep_days=7),
            max_share=max_share,
        )

    def plan(self) -> CleanupPlan:
        return self.service().plan(NOW)

    def backup(
        self, days: float, database: str = "shop", path: tuple[S, ...] = (S.COMPLETED,), **fields: Any
    ) -> Backup:
        """A backup of that age, with its objects."""
        taken_at = NOW - days * DAY
        backup = self.catalog.create_backup(
            database,
            storage_url=self.storage.url,
            options=BackupOptions(),
            trigger=fields.pop("trigger", BackupTrigger.SCHEDULED_CRON),
            now=taken_at,
        )
        values = {"started_at": taken_at, "file_size": 1000, **fields}
        for status in (S.RUNNING, *path):
            change = replace(self.catalog.get_backup(backup.id), status=status, **values)
            backup = self.catalog.change_backup(backup.id, lambda _, change=change: change)  # type: ignore[misc]
        if backup.usable:
            for name in ("manifest.json", backup.filename):
                self.storage.put(f"{backup.folder}/{name}", [b"content"])
        return backup

    def restore(self, backup: Backup, *, hours_left: float, **fields: Any) -> Restore:
        """A completed swap whose window ends in so many hours, with the database that it keeps."""
        made = self.catalog.create_restore(backup, "shop", RestoreOptions(), NOW - DAY)
        done = replace(
            made,
            status=RestoreStatus.COMPLETED,
            undo_until=NOW + timedelta(hours=hours_left),
            live_oid=10 * made.id,
            shadow_oid=10 * made.id + 1,
            **fields,
        )
        self.catalog.save_restore(done)
        if done.previous_database is not None:
            self.server.databases[done.previous_database] = 10 * made.id
        return done

    def status(self, backup: Backup) -> BackupStatus:
        return self.catalog.get_backup(backup.id).status


@pytest.fixture
def world() -> World:
    return World()


# Backups


def test_a_sweep_expires_what_the_plan_says_and_keeps_the_rest(world: World) -> None:
    young, old = world.backup(1), world.backup(8)
    failed = world.backup(9, path=(S.FAILED,))
    plan = world.plan()
    assert [one.backup.id for one in plan.with_action(Action.EXPIRE)] == [old.id]
    assert world.status(old) is S.COMPLETED, "a plan changes nothing"
    done = world.service().sweep(plan)
    assert [one.id for one in done.expired] == [old.id]
    assert [one.id for one in done.forgotten] == [failed.id]
    assert (world.status(young), world.status(old), world.status(failed)) == (S.COMPLETED, S.EXPIRED, S.DELETED)
    assert {key.rpartition("/")[0] for key in world.storage.objects} == {young.folder}
    assert world.catalog.read_log(Lock.BACKUP, old.id) == ["its deletion begins: expired: older than 7 days"]
    assert done.freed == 1000


def test_the_oldest_goes_first_so_that_an_abort_leaves_the_newest(world: World) -> None:
    world.backup(1)
    old = [world.backup(days).id for days in (9, 11, 10)]
    done = world.service().sweep(world.plan())
    assert [one.id for one in done.expired] == [old[1], old[2], old[0]]


def test_trap_24_one_failing_delete_stops_nothing_and_is_told(world: World) -> None:
    world.backup(1)
    first, stuck, last = (world.backup(days) for days in (12, 11, 10))
    world.storage.stubborn = stuck.filename
    done = world.service().sweep(world.plan())
    assert [one.id for one in done.expired] == [first.id, last.id]
    (failure,) = done.failures
    assert failure.what == f"backup {stuck.id} of shop"
    assert isinstance(failure.error, StorageDenied)
    assert world.catalog.get_backup(stuck.id).being_deleted
    world.storage.stubborn = "nothing"
    again = world.service().sweep(world.plan())
    assert [one.id for one in again.expired] == [stuck.id], "the next sweep finishes it"
    assert world.status(stuck) is S.EXPIRED


def test_trap_12_a_backup_that_a_restore_reads_stays(world: World) -> None:
    world.backup(1)
    read, safety = world.backup(20), world.backup(21)
    running = world.catalog.create_restore(read, "shop", RestoreOptions(), NOW)
    world.catalog.save_restore(replace(running, safety_backup_id=safety.id))
    assert world.plan().with_action(Action.EXPIRE) == []


def test_trap_12_nor_does_one_go_that_a_restore_began_to_read_after_the_plan(world: World) -> None:
    world.backup(1)
    old, older = world.backup(9), world.backup(10)
    plan = world.plan()
    world.catalog.create_restore(old, "shop", RestoreOptions(), NOW)
    with world.catalog.own(Lock.BACKUP, older.id):
        done = world.service().sweep(plan)
    assert (done.expired, done.failures) == ([], [])
    assert done.left_alone == [f"backup {older.id} of shop: another process works on backup {older.id}"]
    assert world.status(old) is world.status(older) is S.COMPLETED


def test_what_was_held_or_became_the_last_good_one_after_the_plan_stays(world: World) -> None:
    newest, old, older = world.backup(1), world.backup(9), world.backup(10)
    plan = world.plan()
    world.catalog.change_backup(older.id, lambda one: replace(one, held=True))
    world.catalog.change_backup(newest.id, lambda one: replace(one, status=S.DELETED))
    assert world.service().sweep(plan).expired == []
    assert world.status(old) is S.COMPLETED


def test_a_sweep_removes_nothing_that_its_plan_did_not_say(world: World) -> None:
    world.backup(1)
    plan = world.plan()
    later = world.backup(30)
    assert world.service().sweep(plan).expired == []
    assert world.status(later) is S.COMPLETED


def test_trap_22_databases_with_alike_names_are_swept_apart(world: World) -> None:
    app, prod = world.backup(30, "app"), world.backup(1, "app-prod")
    assert world.service().sweep(world.plan()).expired == []
    assert world.status(app) is world.status(prod) is S.COMPLETED


def test_backups_in_a_storage_that_is_not_in_use_are_left_alone(world: World) -> None:
    world.backup(1)
    elsewhere = world.backup(30, storage_url="file:///old")
    (decision,) = [one for one in world.plan().decisions["shop"] if one.backup.id == elsewhere.id]
    assert str(decision) == "kept: lies in another storage: file:///old"


def test_a_storage_that_does_not_answer_ends_it_before_anything_changes(world: World) -> None:
    world.backup(1)
    old = world.backup(9)
    world.storage.denied = True
    with pytest.raises(StorageDenied):
        world.plan()
    assert world.status(old) is S.COMPLETED


# Too much at once


def test_a_sweep_that_would_remove_too_much_changes_nothing_and_gives_the_numbers(world: World) -> None:
    backups = [world.backup(days) for days in (1, 8, 9, 10)]
    service = world.service(max_share=0.5)
    plan = service.plan(NOW)
    assert plan.too_much == [Removal("shop", 3, 4), Removal(None, 3, 4)]
    with pytest.raises(Conflict, match="more than 50% of the usable backups") as refused:
        service.sweep(plan)
    assert refused.value.facts["beyond"] == ["shop: 3 of 4", "all databases: 3 of 4"]
    assert "pgproof cleanup --force" in refused.value.hint
    assert {world.status(backup) for backup in backups} == {S.COMPLETED}
    assert len(service.sweep(plan, force=True).expired) == 3


@pytest.mark.parametrize(("days", "allowed"), [((1, 2, 8, 9), True), ((1, 8, 9), True), ((1, 2, 8, 9, 10), False)])
def test_half_is_not_more_than_half_and_three_backups_are_too_few_to_judge(
    world: World, days: tuple[int, ...], *, allowed: bool
) -> None:
    for age in days:
        world.backup(age)
    assert (world.service(max_share=0.5).plan(NOW).too_much == []) is allowed


def test_a_database_that_would_lose_most_stops_it_also_among_many_that_lose_nothing(world: World) -> None:
    for age in range(5):
        world.backup(age, "large")
    for age in (1, 8, 9, 10):
        world.backup(age, "small")
    assert world.service(max_share=0.5).plan(NOW).too_much == [Removal("small", 3, 4)]


def test_many_small_databases_are_judged_together(world: World) -> None:
    for name in "abc":
        for age in (1, 8, 9):
            world.backup(age, name)
    assert world.service(max_share=0.5).plan(NOW).too_much == [Removal(None, 6, 9)]


def test_records_of_failures_and_begun_deletions_are_no_loss(world: World) -> None:
    for age in range(4):
        world.backup(age)
    for age in range(8, 20):
        world.backup(age, path=(S.FAILED,))
        world.backup(age, deletion_started_at=NOW, deletion_target=S.DELETED)
    assert world.service(max_share=0.0).plan(NOW).too_much == []


# Databases that restores keep


def test_a_previous_database_is_dropped_when_its_window_is_over_and_not_before(world: World) -> None:
    backup = world.backup(1)
    over, still_open = world.restore(backup, hours_left=0), world.restore(backup, hours_left=0.01)
    done = world.service().sweep(world.plan())
    assert [kept.name for kept in done.dropped] == [over.previous_database]
    assert set(world.server.databases) == {"shop", still_open.previous_database}
    assert world.catalog.get_restore(over.id).databases_dropped_at == NOW
    assert world.plan().due_databases == [], "it is dropped once"


def test_what_an_undo_swapped_out_is_dropped_too(world: World) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    world.catalog.save_restore(replace(made, status=RestoreStatus.UNDONE))
    world.server.databases = {"shop": made.live_oid or 0, made.shadow_database: made.shadow_oid or 0}
    world.service().sweep(world.plan())
    assert set(world.server.databases) == {"shop"}


@pytest.mark.parametrize("status", [RestoreStatus.RUNNING, RestoreStatus.UNDOING, RestoreStatus.FAILED])
def test_a_restore_that_is_not_settled_or_failed_keeps_nothing_to_drop(world: World, status: RestoreStatus) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    world.catalog.save_restore(replace(made, status=status))
    assert world.plan().kept_databases == []


def rename_live(restore: Restore) -> dict[str, Any]:
    return {"previous_database": restore.dbname}


def name_somebody_elses(restore: Restore) -> dict[str, Any]:
    return {"previous_database": "postgres"}


def forget_oid(restore: Restore) -> dict[str, Any]:
    return {"live_oid": None}


@pytest.mark.parametrize("damage", [rename_live, name_somebody_elses, forget_oid])
def test_only_the_database_that_the_restore_recorded_is_dropped(
    world: World, damage: Callable[[Restore], dict[str, Any]]
) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    world.server.databases["postgres"] = 5
    before = dict(world.server.databases)
    world.catalog.save_restore(replace(made, **damage(made)))
    done = world.service().sweep(world.plan())
    assert world.server.databases == before
    assert (done.dropped, done.failures) == ([], [])
    assert len(done.left_alone) == 1


def test_another_database_that_has_got_the_name_stays(world: World) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    assert made.previous_database is not None
    world.server.databases[made.previous_database] = 4711
    world.service().sweep(world.plan())
    assert world.server.databases[made.previous_database] == 4711


def test_a_kept_database_that_is_protected_by_now_stays(world: World) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    assert made.previous_database is not None
    world.catalog.add_database("rescued", ConnectionInfo(made.previous_database, "db"))
    (line,) = world.service().sweep(world.plan()).left_alone
    assert "registered as the protected database 'rescued'" in line
    assert made.previous_database in world.server.databases


def test_a_database_that_is_not_registered_any_more_is_told_and_left(world: World) -> None:
    world.restore(world.backup(1), hours_left=-1)
    world.catalog.remove_database("shop")
    (line,) = world.service().sweep(world.plan()).left_alone
    assert "'shop' is not registered any more" in line


def test_a_name_that_means_another_database_by_now_is_told_and_left(world: World) -> None:
    world.restore(world.backup(1), hours_left=-1)
    world.catalog.remove_database("shop")
    world.catalog.add_database("shop", ConnectionInfo("shop2", "db"))
    (line,) = world.service().sweep(world.plan()).left_alone
    assert "now means 'shop2'" in line


def test_an_undo_that_came_after_the_plan_wins(world: World) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    plan = world.plan()
    world.catalog.save_restore(replace(made, status=RestoreStatus.UNDONE))
    assert world.service().sweep(plan).dropped == []
    with world.catalog.own(Lock.RESTORE, made.id):
        assert world.service().sweep(world.plan()).dropped == []


def test_a_server_that_does_not_answer_does_not_keep_backups_from_going(world: World) -> None:
    old = world.backup(9)
    world.restore(world.backup(1), hours_left=-1)
    world.server.unreachable = True
    done = world.service().sweep(world.plan())
    assert [one.id for one in done.expired] == [old.id]
    assert [type(one.error) for one in done.failures] == [ServerUnreachable]


def test_a_safety_backup_goes_after_the_window_of_its_restore(world: World) -> None:
    world.backup(1)
    safety = world.backup(9, trigger=BackupTrigger.PRE_RESTORE_SAFETY)
    world.restore(world.backup(2), hours_left=1, safety_backup_id=safety.id)
    assert world.service().sweep(world.plan()).expired == []
    later = world.service().plan(NOW + timedelta(hours=1))
    assert [one.backup.id for one in later.with_action(Action.EXPIRE)] == [safety.id]


# What lies in the storage and belongs to nobody


def lay(world: World, key: str) -> str:
    world.storage.put(key, [b"12345"])
    return key


def test_leftovers_are_reported_and_removed_only_when_that_is_asked(world: World) -> None:
    kept = world.backup(1)
    folder = "gone/backup_20200101_000000_4711"
    lay(world, f"{folder}/backup_20200101_000000_4711.dump.zst")
    lay(world, f"{folder}/globals.sql.zst")
    (found,) = world.plan().orphans.removable
    assert (found.folder, found.objects, found.size) == (folder, 2, 10)
    assert world.service().sweep(world.plan()).removed == []
    assert len(world.storage.objects) == 4
    done = world.service().sweep(world.plan(), remove_orphans=True)
    assert [one.folder for one in done.removed] == [folder]
    assert {key.rpartition("/")[0] for key in world.storage.objects} == {kept.folder}


def test_a_whole_backup_that_no_row_knows_is_reported_and_never_removed(world: World) -> None:
    key = lay(world, "other/backup_20200101_000000_4711/manifest.json")
    plan = world.plan()
    assert [one.folder for one in plan.orphans.importable] == ["other/backup_20200101_000000_4711"]
    assert plan.orphans.removable == []
    world.service().sweep(plan, remove_orphans=True)
    assert key in world.storage.objects


@pytest.mark.parametrize(
    "key",
    [
        f"shop/backup_{NOW - timedelta(hours=23):%Y%m%d_%H%M%S}_99/archive",  # somebody may be taking it now
        "shop/backup_20209999_000000_99/archive",
        "shop/backup_20200101_000000/archive",
        "shop/my backup/archive",
        "backup_20200101_000000_99/archive",
        "a/b/backup_20200101_000000_99/archive",
        "README",
    ],
)
def test_what_is_young_or_does_not_look_like_a_backup_is_nobodys_business(world: World, key: str) -> None:
    lay(world, key)
    plan = world.plan()
    assert (plan.orphans.removable, plan.orphans.importable) == ([], [])


def test_objects_of_an_unfinished_backup_are_no_leftovers_however_old_it_is(world: World) -> None:
    running = world.backup(3, path=())
    lay(world, f"{running.folder}/archive")
    assert world.plan().orphans.removable == []


def test_objects_that_a_failed_backup_left_are(world: World) -> None:
    failed = world.backup(3, path=(S.FAILED,))
    lay(world, f"{failed.folder}/archive")
    done = world.service().sweep(world.plan(), remove_orphans=True)
    assert [one.folder for one in done.removed] == [failed.folder]


def test_a_folder_that_becomes_a_backup_meanwhile_is_not_removed(world: World) -> None:
    lay(world, "shop/backup_20200101_000000_99/archive")
    plan = world.plan()
    lay(world, "shop/backup_20200101_000000_99/manifest.json")
    (line,) = world.service().sweep(plan, remove_orphans=True).left_alone
    assert "has become a backup meanwhile" in line
    assert len(world.storage.objects) == 2
