"""A process that was taken for dead wakes up beside its successor, or beside a copy of itself: what they have stays."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database, ServerVersion
from pgproof.domain.errors import Conflict, DumpFailed, PgproofError, WorkerLost
from pgproof.services.backups import BackupService
from pgproof.services.claiming import Claim, remove_left
from pgproof.services.handing_back import hand_back
from pgproof.services.ports import Lock
from pgproof.services.taking import TakingRules
from tests.command_line import MANIFEST, NOW, FakeClock
from tests.e2e.conftest import Recorder
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage

SHOP = Database(1, "shop", ConnectionInfo("shop"))


class CutOff(MemoryCatalog):
    """What a process has that has lost its sessions: `lost` are the jobs that others have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[tuple[Lock, int]] = set()

    def check_owned(self, kind: Lock, job_id: int) -> None:
        if (kind, job_id) in self.lost:
            raise WorkerLost("another process has taken over")
        super().check_owned(kind, job_id)


def pending(catalog: MemoryCatalog, storage: MemoryStorage) -> Backup:
    return catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_API, now=NOW
    )


def service(catalog: MemoryCatalog, storage: MemoryStorage, at_the_dump: Callable[[], Any]) -> BackupService:
    """One that gets as far as the dump."""
    server = SimpleNamespace(
        identify=lambda _: SimpleNamespace(version=ServerVersion(180000), system_identifier="1", is_superuser=True),
        open_snapshot=lambda *_, **__: at_the_dump(),
    )
    client = SimpleNamespace(version="18", folder="bin")
    return BackupService(
        catalog=catalog,
        storage=storage,
        streams=cast("Any", None),
        server=cast("Any", server),
        tools=cast("Any", SimpleNamespace(for_server=lambda *_, **__: client)),
        clock=FakeClock(),
        databases=cast("Any", None),
        rules=TakingRules("1"),
    )


def store_whole(catalog: MemoryCatalog, storage: MemoryStorage, backup: Backup) -> None:
    manifest = replace(MANIFEST, installation=catalog.installation(), backup_id=backup.id)
    for name, content in ((backup.filename, b"a good dump"), ("manifest.json", manifest.render().encode())):
        storage.put(f"{backup.folder}/{name}", [content])


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("error", [DumpFailed("the server went away"), WorkerLost("another process has taken over")])
@pytest.mark.parametrize("finished", [True, False])
def test_who_was_taken_over_takes_nothing_from_its_successor(
    error: PgproofError, *, again: bool, finished: bool
) -> None:
    catalog, storage = CutOff(), MemoryStorage()
    backup = pending(catalog, storage)
    stored: dict[str, bytes] = {}

    def taken_over() -> None:
        catalog.lost.add((Lock.BACKUP, backup.id))
        remove_left(storage, backup.folder, catalog.installation())
        hand_back(catalog, catalog.get_backup(backup.id), NOW)
        running = replace(catalog.get_backup(backup.id), status=BackupStatus.RUNNING)
        catalog.save_backup(running, expected=BackupStatus.PENDING)
        claim = Claim.of(catalog, storage, running)
        claim.make()
        storage.put(f"{running.folder}/{running.filename}", [b"half a good dump"])
        if finished:
            store_whole(catalog, storage, running)
            claim.release(pytest.fail)
            catalog.save_backup(replace(running, status=BackupStatus.COMPLETED), expected=BackupStatus.RUNNING)
        stored.update(storage.objects)
        raise error

    with pytest.raises(type(error)):
        service(catalog, storage, taken_over).take(backup.id, Recorder(), database=SHOP, again=lambda _: again)
    assert catalog.get_backup(backup.id).status is (BackupStatus.COMPLETED if finished else BackupStatus.RUNNING)
    assert storage.objects == stored


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_a_copied_catalog_takes_nothing_from_what_it_was_copied_from(*, again: bool, whole: bool) -> None:
    catalog, storage = MemoryCatalog(), MemoryStorage()
    backup = pending(catalog, storage)
    if whole:
        store_whole(catalog, storage, backup)
    else:
        Claim.of(catalog, storage, backup).make()
        storage.put(f"{backup.folder}/{backup.filename}", [b"half a good dump"])
    stored = dict(storage.objects)

    def never() -> None:
        pytest.fail("it was not refused")

    with pytest.raises(Conflict):
        service(catalog, storage, never).take(backup.id, Recorder(), database=SHOP, again=lambda _: again)
    assert storage.objects == stored
    row = catalog.get_backup(backup.id)
    assert (row.status, row.being_deleted) == (BackupStatus.PENDING if again else BackupStatus.FAILED, False)
