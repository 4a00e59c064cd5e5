"""A backup that is handed back waits again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.errors import CatalogUnreachable, Conflict
from pgproof.services.handing_back import hand_back
from pgproof.services.patience import Patience, impatient
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage


def running(catalog: MemoryCatalog, storage: MemoryStorage) -> Backup:
    begun = catalog.begin_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_API, now=NOW
    )
    with begun as backup:
        return backup


@pytest.mark.parametrize("seconds", [0, 1, 3600, -3600])
def test_it_keeps_its_number_and_gets_another_folder(seconds: int) -> None:
    catalog = MemoryCatalog()
    backup = running(catalog, MemoryStorage())
    back = hand_back(catalog, backup, NOW + timedelta(seconds=seconds))
    stored = catalog.get_backup(backup.id)
    assert stored == back
    assert (stored.status, stored.started_at, stored.created_at) == (BackupStatus.PENDING, None, backup.created_at)
    assert stored.file_path == f"{stored.folder}/{stored.filename}"
    assert stored.folder.rpartition("/")[2] == stored.filename.partition(".")[0]
    assert stored.folder != backup.folder


def test_no_attempt_has_the_folder_of_one_before_it() -> None:
    catalog = MemoryCatalog()
    backup = running(catalog, MemoryStorage())
    folders = [backup.folder]
    for _ in range(4):
        back = hand_back(catalog, catalog.get_backup(backup.id), NOW)
        folders.append(back.folder)
        catalog.save_backup(replace(back, status=BackupStatus.RUNNING), expected=BackupStatus.PENDING)
    assert len(set(folders)) == len(folders)


def test_what_somebody_else_has_settled_is_not_handed_back() -> None:
    catalog = MemoryCatalog()
    backup = running(catalog, MemoryStorage())
    hand_back(catalog, backup, NOW)
    with pytest.raises(Conflict):
        hand_back(catalog, backup, NOW)


@pytest.fixture
def ask() -> Callable[[], str]:
    answers = iter([None, None, "here"])

    def asking() -> str:
        answer = next(answers)
        if answer is None:
            raise CatalogUnreachable("away")
        return answer

    return asking


def test_a_catalog_that_is_away_is_asked_again(ask: Callable[[], str]) -> None:
    clock, slept = FakeClock(), list[float]()
    assert Patience(clock, slept.append, 60)(ask) == "here"
    assert len(slept) == 2


def test_patience_ends_when_its_time_is_up(ask: Callable[[], str]) -> None:
    clock = FakeClock()

    def pause(_seconds: float) -> None:
        clock.seconds += 61

    with pytest.raises(CatalogUnreachable):
        Patience(clock, pause, 60)(ask)


def test_patience_ends_when_nobody_waits_any_more(ask: Callable[[], str]) -> None:
    with pytest.raises(CatalogUnreachable):
        Patience(FakeClock(), lambda _seconds: None, 60)(ask, lambda: True)
    with pytest.raises(CatalogUnreachable):
        impatient(ask)
