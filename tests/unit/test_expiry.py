"""Cleaning up: the plan, the guard against too much, and a sweep that goes on past what fails."""

from dataclasses import replace

import pytest

from pgproof.domain.errors import Conflict, StorageDenied
from pgproof.domain.removal_share import Removal
from pgproof.domain.restore import RestoreOptions
from pgproof.domain.retention import Action
from pgproof.services.ports import Lock
from tests.command_line import NOW
from tests.expiry_world import S, World


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
    planned = world.backup(20)
    plan = world.plan()
    later = world.backup(30)
    assert [one.id for one in world.service().sweep(plan).expired] == [planned.id]
    assert world.status(later) is S.COMPLETED


def test_trap_22_databases_with_alike_names_are_swept_apart(world: World) -> None:
    app, prod = world.backup(30, "app"), world.backup(1, "app-prod")
    assert world.service().sweep(world.plan()).expired == []
    assert world.status(app) is world.status(prod) is S.COMPLETED


def test_backups_in_a_storage_that_is_not_in_use_are_left_alone(world: World) -> None:
    world.backup(1)
    elsewhere = world.backup(30, storage_url="file:///old")
    world.storage.objects = {key: b"" for key in world.storage.objects if not key.startswith(elsewhere.folder)}
    (decision,) = [one for one in world.plan().decisions["shop"] if one.backup.id == elsewhere.id]
    assert str(decision) == "kept: lies in another storage: file:///old"


def test_backups_that_were_moved_with_their_storage_are_not_elsewhere(world: World) -> None:
    world.backup(1, storage_url="file:///old")
    moved = world.backup(30, storage_url="file:///old")
    plan = world.plan()
    assert plan.orphans.importable == []
    assert [one.id for one in world.service().sweep(plan).expired] == [moved.id]


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
