"""Giving up on a restore: only if nothing else helps."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import (
    ANSWERED,
    AuthenticationFailed,
    CatalogUnreachable,
    ConfigurationError,
    Conflict,
    DatabaseMissing,
    NotFound,
    PgproofError,
    PostgresError,
    PrivilegeMissing,
    ServerUnreachable,
    SwapFailed,
    VersionUnsupported,
)
from pgproof.domain.job import JobStatus
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.entrypoints.cli import restore_text
from pgproof.services.abandoning import abandon, abandon_unasked, left_behind, left_over
from pgproof.services.databases import DatabaseService
from pgproof.services.job_ending import LOST_RESTORE, LOST_UNDO, after_restore, after_undo
from pgproof.services.ports import Lock, PostgresServer, PostgresTools
from pgproof.services.undo_window import drop_kept, find_kept
from pgproof.services.undoing import check_undoable
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.server import MemoryServer

SHOP = Database(1, "shop", ConnectionInfo("shop", "old"))


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def restore(catalog: MemoryCatalog) -> Restore:
    backup = catalog.create_backup(
        "shop", storage_url="/b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    return catalog.create_restore(backup, "shop", RestoreOptions(), NOW)


def test_one_that_can_be_settled_after_all_is_settled(catalog: MemoryCatalog, restore: Restore) -> None:
    done = replace(restore, status=RestoreStatus.COMPLETED)

    def settle(restore_id: int) -> str:
        catalog.save_restore(done)
        return "it is complete"

    ended = abandon(catalog, FakeClock(), settle, restore.id, by="cli:ann", undo_hours=24)
    assert ended == done
    assert "its server answered" in restore_text.abandoned(ended)


def test_its_job_claims_to_know_no_more_than_its_record(catalog: MemoryCatalog, restore: Restore) -> None:
    def gone(restore_id: int) -> str:
        raise ServerUnreachable("no answer", hint="Start it.")

    catalog.save_restore(replace(restore, step=RestoreStep.SWAP))
    ended = abandon(catalog, FakeClock(), gone, restore.id, by="cli:ann", undo_hours=24)
    assert ended.status is RestoreStatus.FAILED
    for ending in (after_restore(ended, LOST_RESTORE, cancelled=False), after_undo(ended, LOST_UNDO)):
        assert ending
        assert ending.status is JobStatus.FAILED
        assert "whether it happened is not known" in str(ending.error)
        assert "as it was" not in str(ending.error)
    usual = after_restore(replace(ended, error_details={}), LOST_RESTORE, cancelled=False)
    assert usual
    assert usual.error is LOST_RESTORE


def test_what_somebody_else_settles_meanwhile_is_not_touched(catalog: MemoryCatalog, restore: Restore) -> None:
    def busy(restore_id: int) -> str:
        raise Conflict("somebody settles it", hint="Wait.")

    with pytest.raises(Conflict, match="somebody settles it"):
        abandon(catalog, FakeClock(), busy, restore.id, by="cli:ann", undo_hours=24)
    done = replace(restore, status=RestoreStatus.COMPLETED)

    def too_late(restore_id: int) -> str:
        catalog.save_restore(done)
        raise ServerUnreachable("no answer", hint="Start it.")

    assert abandon(catalog, FakeClock(), too_late, restore.id, by="cli:ann", undo_hours=24) == done


def test_what_a_living_process_works_on_is_not_left_behind(catalog: MemoryCatalog, restore: Restore) -> None:
    assert left_behind(catalog) == [restore]
    with catalog.own(Lock.RESTORE, restore.id):
        assert left_behind(catalog) == []


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (RestoreOptions(), ["shop__pgproof_shadow_9", "shop__pgproof_previous_9"]),
        (RestoreOptions(mode=RestoreMode.IN_PLACE), []),
        (RestoreOptions(mode=RestoreMode.NEW_DATABASE, target_database="copy"), ["copy", "shop__pgproof_shadow_9"]),
    ],
)
def test_what_its_server_may_still_hold_is_named(restore: Restore, options: RestoreOptions, names: list[str]) -> None:
    made = replace(
        restore,
        options=options,
        dbname=options.target_database or "shop",
        shadow_database="shop__pgproof_shadow_9",
        previous_database="shop__pgproof_previous_9",
    )
    assert left_over(made) == names


def refusing(error: PgproofError) -> Callable[[int], str]:
    def settle(restore_id: int) -> str:
        raise error

    return settle


GONE = ServerUnreachable("no answer", hint="Start it.")


@pytest.fixture
def undoing(catalog: MemoryCatalog, restore: Restore) -> Restore:
    """An undo whose process died; the window ends later."""
    begun = replace(
        restore,
        status=RestoreStatus.UNDOING,
        step=RestoreStep.UNDO,
        live_oid=10,
        shadow_oid=11,
        completed_at=NOW,
        undo_until=NOW + timedelta(hours=24),
    )
    catalog.save_restore(begun)
    return begun


def test_an_undo_that_is_given_up_can_be_asked_for_again(catalog: MemoryCatalog, undoing: Restore) -> None:
    done = abandon(catalog, FakeClock(), refusing(GONE), undoing.id, by="cli:ann", undo_hours=24)
    assert (done.status, done.step, done.completed_at) == (RestoreStatus.COMPLETED, RestoreStep.DONE, NOW)
    assert "whether the undo happened is not known" in restore_text.abandoned(done)
    (advice,) = restore_text.abandon_advice(done)
    assert f"pgproof undo {undoing.id}" in advice
    assert undoing.shadow_database in advice
    server = MemoryServer(shop=11, **{str(undoing.previous_database): 10})
    assert check_undoable(catalog, cast("PostgresServer", server), done, SHOP) == undoing.previous_database


def test_an_undo_that_had_happened_is_not_done_twice_and_its_database_stays(
    catalog: MemoryCatalog, undoing: Restore
) -> None:
    done = abandon(catalog, FakeClock(), refusing(GONE), undoing.id, by="cli:ann", undo_hours=24)
    server = MemoryServer(shop=10, **{undoing.shadow_database: 11})
    with pytest.raises(Conflict, match="is undone already") as refused:
        check_undoable(catalog, cast("PostgresServer", server), done, SHOP)
    assert undoing.shadow_database in refused.value.hint
    databases = DatabaseService(catalog, cast("PostgresServer", server), cast("PostgresTools", None), None)
    catalog.add_database("shop", SHOP.connection)
    later = NOW + timedelta(hours=25)
    (kept,) = find_kept(catalog, later)
    drop_kept(catalog, cast("PostgresServer", server), databases, kept, later)
    assert server.databases == {"shop": 10, undoing.shadow_database: 11}


def test_an_undo_that_is_given_up_after_its_window_keeps_what_it_is_to_put_back(
    catalog: MemoryCatalog, undoing: Restore
) -> None:
    clock = FakeClock()
    asked_late = replace(undoing, undo_until=clock.now() - timedelta(hours=1), safety_backup_id=safety(catalog))
    catalog.save_restore(asked_late)
    done = abandon(catalog, clock, refusing(GONE), undoing.id, by="cli:ann", undo_hours=24)
    until = clock.now() + timedelta(hours=24)
    assert done.undo_until == until
    (kept,) = find_kept(catalog, until - timedelta(seconds=1))
    assert (kept.name, kept.due) == (undoing.previous_database, False)
    assert catalog.get_backup(asked_late.safety_backup_id or 0).held_until == until


def test_a_window_that_is_open_for_longer_is_not_shortened(catalog: MemoryCatalog, undoing: Restore) -> None:
    later = FakeClock().now() + timedelta(hours=48)
    held = safety(catalog, until=later)
    catalog.save_restore(replace(undoing, undo_until=later, safety_backup_id=held))
    done = abandon(catalog, FakeClock(), refusing(GONE), undoing.id, by="cli:ann", undo_hours=24)
    assert (done.undo_until, catalog.get_backup(held).held_until) == (later, later)


@pytest.mark.parametrize("changes", [{"held": False}, {"held_until": None}, {"status": BackupStatus.DELETED}])
def test_a_safety_backup_that_somebody_has_seen_to_stays_as_it_is(
    catalog: MemoryCatalog, undoing: Restore, changes: dict[str, Any]
) -> None:
    held = safety(catalog)
    theirs = catalog.change_backup(held, lambda one: replace(one, **changes))
    catalog.save_restore(replace(undoing, safety_backup_id=held))
    abandon(catalog, FakeClock(), refusing(GONE), undoing.id, by="cli:ann", undo_hours=24)
    assert catalog.get_backup(held) == theirs


def safety(catalog: MemoryCatalog, until: datetime = NOW) -> int:
    """A safety backup with a hold that ends then."""
    made = catalog.create_backup(
        "shop", storage_url="/b", options=BackupOptions(), trigger=BackupTrigger.PRE_RESTORE_SAFETY, now=NOW
    )
    for status in (BackupStatus.RUNNING, BackupStatus.COMPLETED):
        changed = replace(made, status=status, held=True, held_until=until)
        catalog.save_backup(changed, expected=made.status)
        made = changed
    return made.id


def test_an_error_of_a_later_undo_is_told_and_not_what_was_given_up(catalog: MemoryCatalog, undoing: Restore) -> None:
    done = abandon(catalog, FakeClock(), refusing(GONE), undoing.id, by="cli:ann", undo_hours=24)
    own = SwapFailed("somebody is connected", hint="Try again.")
    ending = after_undo(done, own)
    assert ending
    assert ending.error is own


@pytest.mark.parametrize(
    ("mode", "step", "known", "hint"),
    [
        (RestoreMode.SWAP, RestoreStep.SWAP, "whether it happened is not known", "{shadow}.*{previous}.*RENAME"),
        (RestoreMode.SWAP, RestoreStep.LOAD, "had not been touched", "pgproof list --restores"),
        (RestoreMode.IN_PLACE, RestoreStep.REPLACE, "whether it happened is not known", "No safety backup"),
        (RestoreMode.IN_PLACE, RestoreStep.ANALYZE, "it had replaced the contents", "No safety backup"),
    ],
)
def test_an_undo_of_what_was_given_up_says_what_is_known_and_how_to_look(
    catalog: MemoryCatalog, restore: Restore, mode: RestoreMode, step: RestoreStep, known: str, hint: str
) -> None:
    catalog.save_restore(replace(restore, options=RestoreOptions(mode=mode), step=step, live_oid=10, shadow_oid=11))
    done = abandon(catalog, FakeClock(), refusing(GONE), restore.id, by="cli:ann", undo_hours=24)
    with pytest.raises(Conflict, match=f"restore {restore.id} was given up: .*{known}") as refused:
        check_undoable(catalog, cast("PostgresServer", MemoryServer()), done, SHOP)
    assert re.search(
        hint.format(shadow=restore.shadow_database, previous=restore.previous_database), refused.value.hint
    )


def test_a_catalog_that_does_not_answer_gives_nothing_up(catalog: MemoryCatalog, restore: Restore) -> None:
    error = CatalogUnreachable("the catalog does not answer", hint="Wait.")
    with pytest.raises(CatalogUnreachable) as raised:
        abandon(catalog, FakeClock(), refusing(error), restore.id, by="cli:ann", undo_hours=24)
    assert raised.value is error
    assert catalog.get_restore(restore.id) == restore


def test_a_lost_key_gives_nothing_up_and_tells_the_way_out(catalog: MemoryCatalog, restore: Restore) -> None:
    lost = ConfigurationError("the key does not open the password", hint="Give the right one.")
    with pytest.raises(ConfigurationError, match="its server cannot be asked: the key does not open") as raised:
        abandon(catalog, FakeClock(), refusing(lost), restore.id, by="cli:ann", undo_hours=24)
    assert raised.value.hint.startswith("Give the right one. Then the restore is settled by itself. If ")
    assert f"pgproof abandon {restore.id} --server-gone" in raised.value.hint
    assert catalog.get_restore(restore.id) == restore


def test_a_person_who_knows_that_the_server_is_gone_is_believed(catalog: MemoryCatalog, restore: Restore) -> None:
    catalog.save_restore(replace(restore, step=RestoreStep.SWAP))
    done = abandon_unasked(catalog, FakeClock(), restore.id, by="cli:ann", undo_hours=24)
    assert done.status is RestoreStatus.FAILED
    assert done.error_message == (
        "given up, since cli:ann says that its server is gone: whether it happened is not known"
    )
    assert "cli:ann gave it up" in catalog.read_log(Lock.RESTORE, restore.id)[-1]
    assert catalog.unfinished_restores() == []


def test_also_an_undo_is_given_up_unasked_and_can_be_asked_for_again(catalog: MemoryCatalog, undoing: Restore) -> None:
    done = abandon_unasked(catalog, FakeClock(), undoing.id, by="cli:ann", undo_hours=24)
    assert (done.status, done.undo_until) == (RestoreStatus.COMPLETED, FakeClock().now() + timedelta(hours=24))


def test_nobody_is_believed_about_what_is_worked_on_or_has_ended(catalog: MemoryCatalog, restore: Restore) -> None:
    with catalog.own(Lock.RESTORE, restore.id), pytest.raises(Conflict, match="a process works on restore"):
        abandon_unasked(catalog, FakeClock(), restore.id, by="cli:ann", undo_hours=24)
    ended = replace(restore, status=RestoreStatus.COMPLETED)
    catalog.save_restore(ended)
    with pytest.raises(Conflict, match="has ended"):
        abandon_unasked(catalog, FakeClock(), restore.id, by="cli:ann", undo_hours=24)
    assert catalog.get_restore(restore.id) == ended


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (AuthenticationFailed("no", hint="Check it."), "pgproof database update shop URL"),
        (PrivilegeMissing("no", hint="Grant it."), "Grant it."),
        (
            ServerUnreachable("too many clients", hint="Check that it runs.", facts={ANSWERED: True}),
            "takes sessions again",
        ),
        (VersionUnsupported("PostgreSQL 9.6"), "As soon as that server can be asked, the restore is settled"),
        (PostgresError("it said no"), "As soon as that server can be asked, the restore is settled"),
    ],
)
def test_a_server_that_answers_is_not_gone(
    catalog: MemoryCatalog, restore: Restore, error: PgproofError, hint: str
) -> None:
    with pytest.raises(type(error), match="not given up, since its server answers") as raised:
        abandon(catalog, FakeClock(), refusing(error), restore.id, by="cli:ann", undo_hours=24)
    assert hint in raised.value.hint
    assert raised.value.hint == raised.value.hint.strip()
    assert f"pgproof abandon {restore.id} --server-gone" in raised.value.hint
    assert catalog.get_restore(restore.id) == restore


@pytest.mark.parametrize(
    "error",
    [GONE, DatabaseMissing("it was dropped", hint="Look."), NotFound("it is registered no more", hint="Add it.")],
)
def test_what_nobody_can_be_asked_any_more_is_given_up(
    catalog: MemoryCatalog, restore: Restore, error: PgproofError
) -> None:
    done = abandon(catalog, FakeClock(), refusing(error), restore.id, by="cli:ann", undo_hours=24)
    assert done.status is RestoreStatus.FAILED
    assert error.detail in str(done.error_message)
