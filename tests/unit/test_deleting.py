"""Deleting in two phases: whenever it stops, nothing looks whole that is not, and somebody can finish it."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger, tombstone
from pgproof.domain.errors import ConfigurationError, Conflict, StorageDenied, StorageError
from pgproof.services.backups import check_usable
from pgproof.services.claiming import Claim
from pgproof.services.databases import DatabaseService
from pgproof.services.deleting import delete_backup, finish_deletion
from pgproof.services.ports import Lock, PostgresServer, ScratchServer
from pgproof.services.recovery import RecoveryService
from pgproof.services.restore_tests import RestoreTestService
from pgproof.services.restoring.work import World
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage

NAMES = ("RESTORE.md", "SHA256SUMS", "globals.sql.zst", "manifest.json")


class Killed(BaseException):
    """The process ends here."""


class WatchedStorage(MemoryStorage):
    """Calls `before_delete` with each key before it goes."""

    before_delete: Callable[[str], None] = staticmethod(lambda key: None)

    def delete(self, key: str) -> None:
        self.before_delete(key)
        super().delete(key)


class HoardingStorage(MemoryStorage):
    """Says that it deleted, and keeps everything."""

    def delete(self, key: str) -> None: ...


def stored(catalog: MemoryCatalog, storage: MemoryStorage) -> Backup:
    """A completed backup with its five objects."""
    backup = catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    for status in (BackupStatus.RUNNING, BackupStatus.COMPLETED):
        backup = catalog.change_backup(backup.id, lambda one, status=status: replace(one, status=status))  # type: ignore[misc]
    for name in (*NAMES, backup.filename):
        storage.put(f"{backup.folder}/{name}", [b"content"])
    return backup


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def storage() -> WatchedStorage:
    return WatchedStorage()


@pytest.fixture
def backup(catalog: MemoryCatalog, storage: WatchedStorage) -> Backup:
    return stored(catalog, storage)


def delete(
    catalog: MemoryCatalog, storage: MemoryStorage, backup: Backup, target: BackupStatus = BackupStatus.DELETED
) -> Backup:
    return delete_backup(catalog, storage, backup.id, target=target, now=NOW, why="older than 7 days")


def recovery(catalog: MemoryCatalog, storage: MemoryStorage) -> RecoveryService:
    nobody = cast("PostgresServer", None)
    databases = cast("DatabaseService", None)
    return RecoveryService(
        catalog=catalog,
        storage=storage,
        server=nobody,
        databases=databases,
        clock=FakeClock(),
        undo_hours=24,
        restore_tests=RestoreTestService(
            world=cast("World", SimpleNamespace(catalog=catalog)),
            scratch=cast("ScratchServer", None),
            parallel_jobs=1,
        ),
    )


@pytest.mark.parametrize("target", [BackupStatus.DELETED, BackupStatus.EXPIRED])
def test_a_deletion_ends_with_nothing_stored_and_the_row_saying_so(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup, target: BackupStatus
) -> None:
    other = stored(catalog, storage)
    storage.unfinished.add(f"{backup.folder}/half.dump")
    done = delete(catalog, storage, backup, target)
    assert done == catalog.get_backup(backup.id)
    assert (done.status, done.being_deleted) == (target, False)
    assert {key.rpartition("/")[0] for key in storage.objects} == {other.folder}
    assert storage.unfinished == set()
    assert catalog.read_log(Lock.BACKUP, backup.id) == ["its deletion begins: older than 7 days"]


def test_the_row_is_a_tombstone_before_any_object_goes_and_the_manifest_goes_first(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup
) -> None:
    seen: list[tuple[str, bool, bool]] = []

    def look(key: str) -> None:
        row = catalog.get_backup(backup.id)
        seen.append((key.rpartition("/")[2], row.being_deleted, row.usable))

    storage.before_delete = look
    delete(catalog, storage, backup)
    assert [name for name, _, _ in seen] == ["manifest.json", *sorted({*NAMES, backup.filename} - {"manifest.json"})]
    assert {(doomed, usable) for _, doomed, usable in seen} == {(True, False)}


def test_trap_24_the_row_does_not_go_while_an_object_stays(catalog: MemoryCatalog) -> None:
    storage = HoardingStorage()
    backup = stored(catalog, storage)
    with pytest.raises(StorageError, match="still lists 5 objects"):
        delete(catalog, storage, backup)
    row = catalog.get_backup(backup.id)
    assert (row.status, row.being_deleted) == (BackupStatus.COMPLETED, True)
    assert catalog.unfinished_deletions() == [row]


def test_trap_24_a_backup_of_another_storage_is_not_taken_for_gone(catalog: MemoryCatalog, backup: Backup) -> None:
    with pytest.raises(ConfigurationError, match="lies in memory://") as refused:
        delete(catalog, MemoryStorage("memory://new"), backup)
    assert "BACKUP_STORAGE_URL" in refused.value.hint
    assert catalog.get_backup(backup.id) == backup


def test_a_backup_that_was_moved_with_its_storage_can_be_deleted_there(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup
) -> None:
    moved = WatchedStorage("memory://new")
    moved.objects, storage.objects = storage.objects, {}

    def kill(key: str) -> None:
        if not key.endswith("manifest.json"):
            raise Killed

    moved.before_delete = kill
    with pytest.raises(Killed):
        delete(catalog, moved, backup)
    del moved.before_delete
    assert len(recovery(catalog, moved).settle()) == 1, "also once the manifest is gone"
    assert (moved.objects, catalog.get_backup(backup.id).status) == ({}, BackupStatus.DELETED)


@pytest.mark.parametrize("objects_gone", range(6))
def test_a_deletion_that_was_killed_is_finished_by_recovery(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup, objects_gone: int
) -> None:
    countdown = iter(range(objects_gone))

    def kill(key: str) -> None:
        if next(countdown, None) is None:
            raise Killed

    storage.before_delete = kill
    if objects_gone < 5:
        with pytest.raises(Killed):
            delete(catalog, storage, backup, BackupStatus.EXPIRED)
    else:  # every object went, and the row is still a tombstone
        storage.objects.clear()
        catalog.change_backup(backup.id, lambda one: tombstone(one, BackupStatus.EXPIRED, NOW))
    assert catalog.get_backup(backup.id).being_deleted
    del storage.before_delete
    settled = recovery(catalog, storage).settle()
    assert settled == [f"backup {backup.id}: its deletion had been interrupted; it is finished"]
    assert catalog.get_backup(backup.id).status is BackupStatus.EXPIRED
    assert storage.objects == {}
    assert recovery(catalog, storage).settle() == []


def test_recovery_tells_what_it_cannot_finish_now_and_tries_again(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup
) -> None:
    storage.denied = True
    with pytest.raises(StorageDenied):
        delete(catalog, storage, backup)
    assert recovery(catalog, storage).settle() == [f"backup {backup.id}: cannot be settled now: the storage refuses"]
    storage.denied = False
    assert recovery(catalog, storage).settle()
    assert catalog.get_backup(backup.id).status is BackupStatus.DELETED


def test_recovery_leaves_a_deletion_alone_that_somebody_is_at(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup
) -> None:
    catalog.change_backup(backup.id, lambda one: tombstone(one, BackupStatus.DELETED, NOW))
    with catalog.own(Lock.BACKUP, backup.id):
        assert recovery(catalog, storage).settle() == []
    assert len(recovery(catalog, storage).settle()) == 1


def test_a_backup_that_somebody_works_on_is_not_deleted(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup
) -> None:
    with catalog.own(Lock.BACKUP, backup.id), pytest.raises(Conflict, match="works on"):
        delete(catalog, storage, backup)
    assert catalog.get_backup(backup.id) == backup
    assert len(storage.objects) == 5


def test_a_held_backup_is_not_deleted(catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup) -> None:
    held = catalog.change_backup(backup.id, lambda one: replace(one, held=True))
    with pytest.raises(Conflict, match="is held") as refused:
        delete(catalog, storage, backup)
    assert refused.value.hint == f"Release it first: pgproof release {backup.id}"
    assert catalog.get_backup(backup.id) == held
    assert len(storage.objects) == 5


@pytest.mark.parametrize("target", [BackupStatus.EXPIRED, BackupStatus.DELETED])
def test_a_backup_that_is_gone_is_not_deleted_again(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup, target: BackupStatus
) -> None:
    done = delete(catalog, storage, backup)
    with pytest.raises(Conflict):
        delete(catalog, storage, backup, target)
    assert catalog.get_backup(backup.id) == done


def requested(catalog: MemoryCatalog, storage: WatchedStorage) -> Backup:
    return catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )


def test_a_running_backup_is_not_deleted(catalog: MemoryCatalog, storage: WatchedStorage) -> None:
    running = replace(requested(catalog, storage), status=BackupStatus.RUNNING)
    catalog.save_backup(running, expected=BackupStatus.PENDING)
    with pytest.raises(Conflict, match="is running") as refused:
        delete(catalog, storage, running)
    assert refused.value.hint == "Wait until it has ended."
    assert catalog.get_backup(running.id) == running


def test_a_backup_that_nobody_has_begun_is_called_off_by_deleting_it(
    catalog: MemoryCatalog, storage: WatchedStorage
) -> None:
    pending = requested(catalog, storage)
    assert delete(catalog, storage, pending).status is BackupStatus.DELETED
    with pytest.raises(Conflict):
        catalog.save_backup(replace(pending, status=BackupStatus.RUNNING), expected=BackupStatus.PENDING)


def test_a_backup_that_somebody_is_about_to_begin_is_not_called_off(
    catalog: MemoryCatalog, storage: WatchedStorage
) -> None:
    pending = requested(catalog, storage)
    with catalog.own(Lock.BACKUP, pending.id), pytest.raises(Conflict):
        delete(catalog, storage, pending)
    assert catalog.get_backup(pending.id) == pending


def test_a_backup_that_is_being_deleted_is_not_usable_and_cannot_be_saved_by_a_hold(
    catalog: MemoryCatalog, backup: Backup
) -> None:
    doomed = catalog.change_backup(backup.id, lambda one: tombstone(one, BackupStatus.DELETED, NOW))
    with pytest.raises(Conflict, match="is being deleted"):
        check_usable(doomed)
    assert tombstone(doomed, BackupStatus.EXPIRED, NOW) == doomed, "a second deletion joins the first"
    assert catalog.backup_stats().completed_backups == 0


def test_a_finished_deletion_is_not_done_again(catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup) -> None:
    done = delete(catalog, storage, backup)
    assert finish_deletion(catalog, storage, backup.id) == done


def test_what_a_failed_backup_has_stored_is_remembered_until_it_is_gone(catalog: MemoryCatalog) -> None:
    storage = HoardingStorage()
    backup = running(catalog, storage)
    (line,) = [line for line in recovery(catalog, storage).settle() if "cannot be settled now" in line][:1]
    assert "still lists 6 objects" in line
    row = catalog.get_backup(backup.id)
    assert (row.status, row.being_deleted) == (BackupStatus.FAILED, True)
    emptied = MemoryStorage(storage.url)
    assert recovery(catalog, emptied).settle() == [f"backup {backup.id}: what it had stored when it failed was removed"]
    row = catalog.get_backup(backup.id)
    assert (row.status, row.being_deleted) == (BackupStatus.FAILED, False)
    assert catalog.unfinished_deletions() == []


def test_a_failed_backup_of_which_something_is_left_can_be_deleted(catalog: MemoryCatalog) -> None:
    hoard = HoardingStorage()
    backup = running(catalog, hoard)
    recovery(catalog, hoard).settle()
    done = delete(catalog, MemoryStorage(hoard.url), backup)
    assert (done.status, done.being_deleted) == (BackupStatus.DELETED, False)


def running(catalog: MemoryCatalog, storage: MemoryStorage) -> Backup:
    """A backup whose process died before its manifest was whole."""
    pending = catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    Claim.of(catalog, storage, pending).make()
    for name in (*NAMES, pending.filename):
        storage.put(f"{pending.folder}/{name}", [b"content"])
    return catalog.change_backup(pending.id, lambda one: replace(one, status=BackupStatus.RUNNING))
