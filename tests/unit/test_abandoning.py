"""Giving up on a restore: only if nothing else helps."""

from dataclasses import replace

import pytest

from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.errors import Conflict, ServerUnreachable
from pgproof.domain.job import JobStatus
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.entrypoints.cli import restore_text
from pgproof.services.abandoning import abandon, left_behind, left_over
from pgproof.services.job_ending import LOST_RESTORE, LOST_UNDO, after_restore, after_undo
from pgproof.services.ports import Lock
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog


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

    ended = abandon(catalog, FakeClock(), settle, restore.id, by="cli:ann")
    assert ended == done
    assert "its server answered" in restore_text.abandoned(ended)


def test_its_job_claims_to_know_no_more_than_its_record(catalog: MemoryCatalog, restore: Restore) -> None:
    def gone(restore_id: int) -> str:
        raise ServerUnreachable("no answer", hint="Start it.")

    catalog.save_restore(replace(restore, step=RestoreStep.SWAP))
    ended = abandon(catalog, FakeClock(), gone, restore.id, by="cli:ann")
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
        abandon(catalog, FakeClock(), busy, restore.id, by="cli:ann")
    done = replace(restore, status=RestoreStatus.COMPLETED)

    def too_late(restore_id: int) -> str:
        catalog.save_restore(done)
        raise ServerUnreachable("no answer", hint="Start it.")

    assert abandon(catalog, FakeClock(), too_late, restore.id, by="cli:ann") == done


def test_what_a_living_process_works_on_is_not_left_behind(catalog: MemoryCatalog, restore: Restore) -> None:
    assert left_behind(catalog) == [restore]
    with catalog.own(Lock.RESTORE, restore.id):
        assert left_behind(catalog) == []


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (RestoreOptions(), ["shop__pgproof_shadow_9", "shop__pgproof_previous_9"]),
        (RestoreOptions(mode=RestoreMode.IN_PLACE), []),
        (RestoreOptions(mode=RestoreMode.NEW_DATABASE, target_database="copy"), ["copy"]),
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
