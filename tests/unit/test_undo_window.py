"""Databases that restores keep: dropped when their time is over, and never another one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pgproof.domain.backup import BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ServerUnreachable
from pgproof.domain.restore import Restore, RestoreStatus
from pgproof.domain.retention import Action
from pgproof.services.ports import Lock
from tests.command_line import NOW
from tests.expiry_world import DAY, World


@pytest.fixture
def world() -> World:
    return World()


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
    assert 'registered as the protected database "rescued"' in line
    assert made.previous_database in world.server.databases


def test_a_database_that_is_not_registered_any_more_is_told_and_left(world: World) -> None:
    world.restore(world.backup(1), hours_left=-1)
    world.catalog.remove_database("shop")
    (line,) = world.service().sweep(world.plan()).left_alone
    assert '"shop" is not registered any more' in line


def test_a_name_that_means_another_database_by_now_is_told_and_left(world: World) -> None:
    world.restore(world.backup(1), hours_left=-1)
    world.catalog.remove_database("shop")
    world.catalog.add_database("shop", ConnectionInfo("shop2", "db"))
    (line,) = world.service().sweep(world.plan()).left_alone
    assert 'now means "shop2"' in line


def test_an_undo_that_came_after_the_plan_wins(world: World) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    plan = world.plan()
    world.catalog.save_restore(replace(made, status=RestoreStatus.UNDONE))
    assert world.service().sweep(plan).dropped == []
    with world.catalog.own(Lock.RESTORE, made.id):
        assert world.service().sweep(world.plan()).dropped == []


def test_a_window_that_was_prolonged_after_the_plan_holds(world: World) -> None:
    made = world.restore(world.backup(1), hours_left=-1)
    plan = world.plan()
    world.catalog.save_restore(replace(made, undo_until=NOW + DAY))
    assert world.service().sweep(plan).dropped == []
    assert made.previous_database in world.server.databases


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


def test_the_safety_backup_of_a_restore_that_was_undone_is_no_way_back_any_more(world: World) -> None:
    world.backup(1)
    safety = world.backup(9, trigger=BackupTrigger.PRE_RESTORE_SAFETY)
    made = world.restore(world.backup(2), hours_left=1, safety_backup_id=safety.id)
    world.catalog.save_restore(replace(made, status=RestoreStatus.UNDONE))
    assert [one.id for one in world.service().sweep(world.plan()).expired] == [safety.id]
