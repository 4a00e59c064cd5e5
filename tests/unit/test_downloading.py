"""Downloading: what arrives is whole and checked, or says that it is not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger, tombstone
from pgproof.domain.errors import (
    CatalogUnreachable,
    ChecksumMismatch,
    ConfigurationError,
    Conflict,
    InvalidInput,
    ManifestInvalid,
    NotFound,
    ObjectMissing,
    StorageDenied,
    StorageFull,
    StorageUnreachable,
)
from pgproof.services.downloading import DownloadService
from pgproof.services.ports import Progress, Storage
from tests.command_line import NOW
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage
from tests.stored_backup import ARCHIVE, GLOBALS, stored_whole


class WatchedStorage(MemoryStorage):
    """Calls `before_chunk` with key and position before each chunk that is read."""

    before_chunk: Callable[[str, int], None] = staticmethod(lambda key, position: None)

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        chunks = super().read(key, start)

        def watched() -> Iterator[bytes]:
            position = start
            for chunk in chunks:
                self.before_chunk(key, position)
                yield chunk
                position += len(chunk)

        return watched()


class OneFolder:
    """Every path names the same memory."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.opened: list[Path] = []
        self.is_foreign: Callable[[], bool] = lambda: False

    def open(self, path: Path, apart_from: Storage) -> Storage:
        self.opened.append(path)
        if apart_from is self.storage:
            raise InvalidInput("it lies in the storage itself", hint="Name another.")
        return self.storage

    def check_owner(self, storage: Storage, name: str) -> None:
        assert storage is self.storage
        if self.is_foreign():
            raise Conflict(f"{name} belongs to another user", hint="Name another.")


class Watcher:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.last: dict[str, Progress] = {}

    def step(self, name: str) -> None:
        self.steps.append(name)

    def progress(self, progress: Progress) -> None:
        self.last[self.steps[-1]] = progress

    def log(self, line: str) -> None:
        raise AssertionError(line)


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def storage() -> WatchedStorage:
    return WatchedStorage()


@pytest.fixture
def folder() -> WatchedStorage:
    return WatchedStorage("memory://elsewhere")


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def service(catalog: MemoryCatalog, storage: WatchedStorage, folder: WatchedStorage) -> DownloadService:
    return DownloadService(catalog=catalog, storage=storage, folders=OneFolder(folder))


@pytest.fixture
def backup(catalog: MemoryCatalog, storage: WatchedStorage) -> Backup:
    return stored_whole(catalog, storage)


def stem(backup: Backup) -> str:
    return backup.folder.rpartition("/")[2]


def whole(backup: Backup, storage: MemoryStorage) -> dict[str, bytes]:
    """What a folder holds that has it all."""
    found = {key: body for key, body in storage.objects.items() if key.startswith(f"{backup.folder}/")}
    assert len(found) == 5
    return {key.removeprefix("shop/"): body for key, body in found.items()}


def test_all_objects_arrive_in_a_folder_of_the_backups_name_and_the_manifest_last(
    service: DownloadService, storage: WatchedStorage, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    done = service.download(backup.id, Path("there"), watcher)
    assert folder.objects == whole(backup, storage)
    assert list(folder.objects)[-1] == f"{stem(backup)}/manifest.json"
    assert done.backup == backup
    assert done.folder == f"memory://elsewhere/{stem(backup)}"
    assert done.copied == list(done.objects)
    assert done.size == done.size_copied == sum(map(len, folder.objects.values()))
    assert watcher.steps[:2] == ["manifest", f"copy {backup.filename}"]
    assert watcher.last[f"copy {backup.filename}"] == Progress(bytes_done=len(ARCHIVE), bytes_total=len(ARCHIVE))


def test_a_download_changes_neither_catalog_nor_storage(
    service: DownloadService, catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    before = dict(storage.objects)
    service.download(backup.id, Path("there"), watcher)
    assert b"".join(service.stream(backup.id, watcher)) == ARCHIVE
    assert storage.objects == before
    assert catalog.get_backup(backup.id) == backup


def test_a_second_download_checks_what_is_there_and_writes_nothing(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    service.download(backup.id, Path("there"), watcher)
    before = dict(folder.objects)
    folder.capacity = 0  # a write would fail
    again = Watcher()
    done = service.download(backup.id, Path("there"), again)
    assert (done.copied, done.size_copied) == ([], 0)
    assert folder.objects == before
    assert f"checksum of {backup.filename}" in again.steps


@pytest.mark.parametrize("stop", range(5))
def test_an_interrupted_download_never_looks_whole_and_goes_on_where_it_was(
    service: DownloadService,
    storage: WatchedStorage,
    folder: WatchedStorage,
    backup: Backup,
    watcher: Watcher,
    stop: int,
) -> None:
    names = [backup.filename, "globals.sql.zst", "RESTORE.md", "SHA256SUMS", "manifest.json"]

    def interrupt(key: str, _position: int) -> None:
        if watcher.steps[-1] == f"copy {names[stop]}":
            raise KeyboardInterrupt

    storage.before_chunk = interrupt
    with pytest.raises(KeyboardInterrupt):
        service.download(backup.id, Path("there"), watcher)
    assert list(folder.objects) == [f"{stem(backup)}/{name}" for name in names[:stop]]
    folder.unfinished.add(f"{stem(backup)}/{names[stop]}")
    del storage.before_chunk
    done = service.download(backup.id, Path("there"), watcher)
    assert [item.name for item in done.copied] == names[stop:]
    assert folder.objects == whole(backup, storage)
    assert folder.unfinished == set()


@pytest.mark.parametrize("name", ["archive", "globals.sql.zst", "manifest.json"])
@pytest.mark.parametrize("damage", [lambda body: b"?" + body[1:], lambda body: body[:-1], lambda body: body + b"?"])
def test_what_is_damaged_in_the_storage_is_not_published_and_the_folder_is_no_backup(
    service: DownloadService,
    storage: WatchedStorage,
    folder: WatchedStorage,
    backup: Backup,
    watcher: Watcher,
    name: str,
    damage: Callable[[bytes], bytes],
) -> None:
    key = backup.file_path if name == "archive" else f"{backup.folder}/{name}"
    storage.objects[key] = damage(storage.objects[key])
    with pytest.raises((ChecksumMismatch, ManifestInvalid)):
        service.download(backup.id, Path("there"), watcher)
    assert f"{stem(backup)}/manifest.json" not in folder.objects
    assert f"{stem(backup)}/{key.rpartition('/')[2]}" not in folder.objects


@pytest.mark.parametrize("position", [0, 1, 3])
def test_checksums_that_are_not_those_of_the_objects_are_not_published(
    service: DownloadService,
    storage: WatchedStorage,
    folder: WatchedStorage,
    backup: Backup,
    watcher: Watcher,
    position: int,
) -> None:
    key = f"{backup.folder}/SHA256SUMS"
    lines = storage.objects[key].splitlines(keepends=True)
    lines[position] = b"0" * 64 + lines[position][64:]
    storage.objects[key] = b"".join(lines)
    with pytest.raises(ChecksumMismatch):
        service.download(backup.id, Path("there"), watcher)
    assert not {f"{stem(backup)}/SHA256SUMS", f"{stem(backup)}/manifest.json"} & set(folder.objects)


@pytest.mark.parametrize("name", ["archive", "globals.sql.zst", "SHA256SUMS", "manifest.json"])
def test_what_is_missing_in_the_storage_is_told_and_the_folder_is_no_backup(
    service: DownloadService,
    storage: WatchedStorage,
    folder: WatchedStorage,
    backup: Backup,
    watcher: Watcher,
    name: str,
) -> None:
    storage.delete(backup.file_path if name == "archive" else f"{backup.folder}/{name}")
    with pytest.raises((ObjectMissing, ManifestInvalid)):
        service.download(backup.id, Path("there"), watcher)
    assert f"{stem(backup)}/manifest.json" not in folder.objects


def test_bytes_that_change_while_they_are_copied_are_not_published(
    service: DownloadService, storage: WatchedStorage, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    class Flaky(WatchedStorage):
        def read(self, key: str, start: int = 0) -> Iterator[bytes]:
            for chunk in super().read(key, start):
                yield chunk.replace(b"\xff", b"\xfe") if key == backup.file_path else chunk

    flaky = Flaky()
    flaky.objects = storage.objects
    service._storage = flaky
    with pytest.raises(ChecksumMismatch, match="another SHA-256"):
        service.download(backup.id, Path("there"), watcher)
    assert folder.objects == {}


def test_another_backup_in_the_folder_is_a_conflict_and_stays_as_it_is(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    folder.put(f"{stem(backup)}/manifest.json", [b"{}"])
    before = dict(folder.objects)
    with pytest.raises(Conflict, match="another manifest") as raised:
        service.download(backup.id, Path("there"), watcher)
    assert "Move that folder away" in raised.value.hint
    assert folder.objects == before


@pytest.mark.parametrize("whole", [True, False])
def test_the_folder_of_another_user_is_not_touched_even_if_it_holds_the_very_backup(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher, whole: bool
) -> None:
    if whole:
        service.download(backup.id, Path("there"), watcher)
    folder.unfinished.add(f"{stem(backup)}/left")
    before = dict(folder.objects)
    foreign = OneFolder(folder)
    foreign.is_foreign = lambda: True
    service._folders = foreign
    with pytest.raises(Conflict, match="another user"):
        service.download(backup.id, Path("there"), watcher)
    assert (folder.objects, len(folder.unfinished)) == (before, 1)


def test_a_folder_that_another_user_makes_meanwhile_gets_no_manifest(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    foreign = OneFolder(folder)
    foreign.is_foreign = lambda: bool(folder.objects)  # with the first object it turns out to be somebody's
    service._folders = foreign
    with pytest.raises(Conflict, match="another user"):
        service.download(backup.id, Path("there"), watcher)
    assert list(folder.objects) == [f"{stem(backup)}/{backup.filename}"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", ".x.part", "RESTORE.md", "manifest.json", "x\ny"])
def test_a_manifest_with_impossible_names_is_damage_of_the_backup_and_not_of_the_folder(
    service: DownloadService,
    storage: WatchedStorage,
    folder: WatchedStorage,
    backup: Backup,
    watcher: Watcher,
    name: str,
) -> None:
    key = f"{backup.folder}/manifest.json"
    body = json.loads(storage.objects[key])
    body["objects"][1]["name"] = name
    storage.objects[key] = json.dumps(body).encode()
    with pytest.raises(ManifestInvalid, match="cannot be the name of an object") as raised:
        service.download(backup.id, Path("there"), watcher)
    assert "Use another backup" in raised.value.hint
    assert folder.objects == {}


def test_a_foreign_file_in_the_way_is_a_conflict_and_stays_as_it_is(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    folder.put(f"{stem(backup)}/globals.sql.zst", [b"x" * len(GLOBALS)])
    before = dict(folder.objects)
    with pytest.raises(Conflict, match="another globals"):
        service.download(backup.id, Path("there"), watcher)
    assert folder.objects == before


def test_a_copy_that_was_damaged_since_is_made_whole_again(
    service: DownloadService, storage: WatchedStorage, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    service.download(backup.id, Path("there"), watcher)
    folder.objects[f"{stem(backup)}/{backup.filename}"] = b"?" * len(ARCHIVE)
    folder.delete(f"{stem(backup)}/RESTORE.md")
    done = service.download(backup.id, Path("there"), watcher)
    assert [item.name for item in done.copied] == [backup.filename, "RESTORE.md"]
    assert folder.objects == whole(backup, storage)


def test_a_folder_without_room_is_refused_before_anything_is_written(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    folder.capacity = len(ARCHIVE)
    with pytest.raises(StorageFull, match="there is room for") as raised:
        service.download(backup.id, Path("there"), watcher)
    assert "BACKUP_DIR" not in raised.value.hint
    assert folder.objects == {}


def test_a_folder_that_runs_full_meanwhile_says_what_to_do_there(
    service: DownloadService, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    class Lying(WatchedStorage):
        def put(self, key: str, chunks: object) -> int:
            raise StorageFull("no space is left", hint="Or keep backups elsewhere (BACKUP_DIR).")

    service._folders = OneFolder(Lying())
    with pytest.raises(StorageFull, match="no space is left") as raised:
        service.download(backup.id, Path("there"), watcher)
    assert "try again" in raised.value.hint
    assert "BACKUP_DIR" not in raised.value.hint


def test_a_folder_that_refuses_and_a_storage_that_refuses_are_told_apart(
    service: DownloadService, storage: WatchedStorage, folder: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    folder.denied = True
    with pytest.raises(StorageDenied) as refused:
        service.download(backup.id, Path("there"), watcher)
    assert refused.value.hint.endswith("Or name another folder.")
    folder.denied = False

    def lost(key: str, _position: int) -> None:
        if key == backup.file_path:
            raise StorageUnreachable("the storage's disk is gone", hint="Look at the disk.")

    storage.before_chunk = lost
    with pytest.raises(StorageUnreachable) as gone:
        service.download(backup.id, Path("there"), watcher)
    assert gone.value.hint == "Look at the disk."


def test_the_storage_itself_is_no_place_to_download_to(
    catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    service = DownloadService(catalog=catalog, storage=storage, folders=OneFolder(storage))
    with pytest.raises(InvalidInput, match="the storage itself"):
        service.download(backup.id, Path("there"), watcher)


@pytest.mark.parametrize("how", ["download", "stream"])
class TestRefused:
    @pytest.fixture
    def get(self, service: DownloadService, watcher: Watcher, how: str) -> Callable[[int], object]:
        if how == "download":
            return lambda number: service.download(number, Path("there"), watcher)
        return lambda number: b"".join(service.stream(number, watcher))

    def test_what_is_not_known(self, get: Callable[[int], object], folder: WatchedStorage) -> None:
        with pytest.raises(NotFound):
            get(4711)
        assert folder.objects == {}

    def test_what_is_not_whole(self, get: Callable[[int], object], catalog: MemoryCatalog) -> None:
        pending = catalog.create_backup(
            "shop", storage_url="memory://", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
        )
        with pytest.raises(Conflict, match="pending"):
            get(pending.id)

    def test_what_is_being_deleted(self, get: Callable[[int], object], catalog: MemoryCatalog, backup: Backup) -> None:
        catalog.change_backup(backup.id, lambda one: tombstone(one, BackupStatus.DELETED, NOW))
        with pytest.raises(Conflict, match="is being deleted"):
            get(backup.id)

    def test_what_lies_in_another_storage(
        self, get: Callable[[int], object], catalog: MemoryCatalog, storage: WatchedStorage, backup: Backup
    ) -> None:
        storage.url = "memory://moved"
        storage.objects.clear()
        with pytest.raises(ConfigurationError, match="lies in memory://"):
            get(backup.id)

    def test_an_archive_that_was_replaced_together_with_its_manifest(
        self, get: Callable[[int], object], catalog: MemoryCatalog, backup: Backup, folder: WatchedStorage
    ) -> None:
        catalog.change_backup(backup.id, lambda one: replace(one, checksum_sha256="cd" * 32))
        with pytest.raises(ManifestInvalid, match="another SHA-256"):
            get(backup.id)
        assert folder.objects == {}

    @pytest.mark.parametrize("answering", [True, False])
    def test_what_is_deleted_meanwhile_is_a_conflict_and_no_damage(
        self,
        catalog: MemoryCatalog,
        storage: WatchedStorage,
        folder: WatchedStorage,
        backup: Backup,
        answering: bool,
        how: str,
    ) -> None:
        def delete(key: str, _position: int) -> None:
            if key.endswith("manifest.json"):
                del storage.before_chunk
                catalog.change_backup(backup.id, lambda one: tombstone(one, BackupStatus.DELETED, NOW))
                for name in list(storage.objects):
                    storage.delete(name)
                if not answering:
                    service_catalog.away = True

        service_catalog = _Away(catalog)
        service = DownloadService(catalog=service_catalog, storage=storage, folders=OneFolder(folder))  # type: ignore[arg-type]
        storage.before_chunk = delete
        get: Callable[[], object] = (
            (lambda: service.download(backup.id, Path("there"), Watcher()))
            if how == "download"
            else (lambda: b"".join(service.stream(backup.id, Watcher())))
        )
        with pytest.raises(Conflict if answering else (ObjectMissing, ManifestInvalid)):
            get()
        assert folder.objects == {}


class _Away:
    """A catalog that can be away."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self.catalog = catalog
        self.away = False

    def get_backup(self, backup_id: int) -> Backup:
        if self.away:
            raise CatalogUnreachable("the catalog does not answer", hint="Start its server.")
        return self.catalog.get_backup(backup_id)


def test_a_stream_of_another_length_is_refused_before_the_first_byte(
    service: DownloadService, storage: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    storage.objects[backup.file_path] = ARCHIVE[:-1]
    stream = service.stream(backup.id, watcher)
    with pytest.raises(ChecksumMismatch, match="recorded are") as raised:
        next(stream)
    assert "Throw away" not in raised.value.hint


def test_a_stream_of_other_bytes_ends_with_an_error_that_says_to_throw_them_away(
    service: DownloadService, storage: WatchedStorage, backup: Backup, watcher: Watcher
) -> None:
    storage.objects[backup.file_path] = ARCHIVE[:-1] + b"?"
    got: list[bytes] = []
    with pytest.raises(ChecksumMismatch, match="another SHA-256") as raised:
        got.extend(service.stream(backup.id, watcher))
    assert len(b"".join(got)) == len(ARCHIVE)
    assert raised.value.hint.startswith("Throw away what has arrived.")
