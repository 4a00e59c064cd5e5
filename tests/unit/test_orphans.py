"""What lies in the storage and belongs to nobody: reported, and removed only when that is asked."""

from datetime import timedelta

import pytest

from tests.command_line import NOW
from tests.expiry_world import S, World


@pytest.fixture
def world() -> World:
    return World()


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


def test_what_another_installation_has_marked_is_told_and_never_removed(world: World) -> None:
    folder = "gone/backup_20200101_000000_4711"
    lay(world, f"{folder}/taken-by-another.1")
    plan = world.plan()
    assert (plan.orphans.removable, [one.folder for one in plan.orphans.claimed]) == ([], [folder])
    assert world.service().sweep(plan, remove_orphans=True).removed == []
    assert len(world.storage.objects) == 1


def test_what_another_installation_marks_meanwhile_is_not_removed(world: World) -> None:
    folder = "gone/backup_20200101_000000_4711"
    lay(world, f"{folder}/archive")
    plan = world.plan()
    lay(world, f"{folder}/taken-by-another.1")
    done = world.service().sweep(plan, remove_orphans=True)
    assert done.removed == []
    assert len(world.storage.objects) == 2


def test_what_we_have_marked_and_no_row_knows_is_removed_when_that_is_asked(world: World) -> None:
    lay(world, f"gone/backup_20200101_000000_4711/taken-by-{world.catalog.installation()}.1")
    assert len(world.service().sweep(world.plan(), remove_orphans=True).removed) == 1
    assert world.storage.objects == {}


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


def test_nor_are_those_of_a_backup_that_is_being_deleted(world: World) -> None:
    doomed = world.backup(3, deletion_started_at=NOW, deletion_target=S.DELETED)
    lay(world, f"{doomed.folder}/archive")
    assert world.plan().orphans.removable == []


def test_a_folder_that_gets_a_row_meanwhile_is_not_removed(world: World) -> None:
    first = world.backup(3, path=())
    folder = first.folder.removesuffix(str(first.id)) + str(first.id + 1)
    lay(world, f"{folder}/archive")
    plan = world.plan()
    assert [one.folder for one in plan.orphans.removable] == [folder]
    assert world.backup(3, path=()).folder == folder
    done = world.service().sweep(plan, remove_orphans=True)
    assert (done.removed, len(done.left_alone)) == ([], 1)
    assert f"{folder}/archive" in world.storage.objects


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
