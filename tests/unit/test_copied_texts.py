"""A help text that was lost or edited keeps no whole backup from being downloaded."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgproof.domain.backup import Backup
from pgproof.domain.errors import InvalidInput, StorageUnreachable
from pgproof.services import contents
from pgproof.services.downloading import Download, DownloadService
from tests.e2e.conftest import Recorder
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage
from tests.stored_backup import stored_whole
from tests.unit.test_downloading import OneFolder


class Failing(MemoryStorage):
    """Its RESTORE.md cannot be read while `failure` is set."""

    failure: Exception | None = None

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        if self.failure is not None and key.endswith("RESTORE.md"):
            raise self.failure
        return super().read(key, start)


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def storage() -> Failing:
    return Failing()


@pytest.fixture
def backup(catalog: MemoryCatalog, storage: Failing) -> Backup:
    return stored_whole(catalog, storage)


@pytest.fixture
def folder() -> MemoryStorage:
    return MemoryStorage("memory://elsewhere")


@pytest.fixture
def download(catalog: MemoryCatalog, storage: Failing, folder: MemoryStorage, backup: Backup) -> Callable[[], Download]:
    service = DownloadService(catalog=catalog, storage=storage, folders=OneFolder(folder))
    return lambda: service.download(backup.id, Path("there"), Recorder())


def copied(folder: MemoryStorage) -> dict[str, bytes]:
    return {key.rpartition("/")[2]: body for key, body in folder.objects.items()}


def check_sums(found: dict[str, bytes]) -> None:
    """What `sha256sum --check` does, for every file that is there."""
    listed = contents.parse_checksums(found["SHA256SUMS"].decode())
    assert listed == {name: hashlib.sha256(found[name]).hexdigest() for name in found if name != "SHA256SUMS"}


def relist(storage: Failing, backup: Backup, guide: bytes | None) -> None:
    """Let SHA256SUMS list another RESTORE.md, or none."""
    key = f"{backup.folder}/SHA256SUMS"
    lines = storage.objects[key].splitlines(keepends=True)
    (at,) = [number for number, line in enumerate(lines) if b"RESTORE.md" in line]
    lines[at : at + 1] = [] if guide is None else [hashlib.sha256(guide).hexdigest().encode() + lines[at][64:]]
    storage.objects[key] = b"".join(lines)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda key, objects: objects.pop(key), "RESTORE.md is missing in the storage: "),
        (lambda key, objects: objects.update({key: objects[key] + b" "}), "RESTORE.md in the storage is not the one "),
        (lambda key, objects: objects.update({key: b""}), "RESTORE.md in the storage is not the one "),
    ],
)
def test_instructions_that_were_lost_or_edited_come_back_byte_for_byte(
    download: Callable[[], Download],
    storage: Failing,
    folder: MemoryStorage,
    backup: Backup,
    damage: Callable[[str, dict[str, bytes]], object],
    said: str,
) -> None:
    before = {key.rpartition("/")[2]: body for key, body in storage.objects.items()}
    damage(f"{backup.folder}/RESTORE.md", storage.objects)
    damaged = dict(storage.objects)
    done = download()
    (warning,) = done.warnings
    assert warning.startswith(said)
    assert "SHA256SUMS to match" not in warning
    assert copied(folder) == before
    assert done.size == sum(map(len, before.values()))
    assert storage.objects == damaged
    again = download()
    assert (again.copied, again.warnings) == ([], done.warnings)


@pytest.mark.parametrize("written", [b"the words of an earlier pgproof", None])
@pytest.mark.parametrize("lost", [True, False])
def test_checksums_that_list_other_instructions_are_written_to_match_the_new_ones(
    download: Callable[[], Download],
    storage: Failing,
    folder: MemoryStorage,
    backup: Backup,
    written: bytes | None,
    lost: bool,
) -> None:
    relist(storage, backup, written)
    if lost:
        del storage.objects[f"{backup.folder}/RESTORE.md"]
    done = download()
    assert [warning.endswith("from the manifest, and SHA256SUMS to match it") for warning in done.warnings] == [True]
    found = copied(folder)
    assert found["RESTORE.md"].startswith(b"# Restore this backup by hand")
    assert len(found) == 5
    check_sums(found)
    assert download().copied == []


def test_instructions_of_an_earlier_pgproof_are_copied_as_they_are(
    download: Callable[[], Download], storage: Failing, folder: MemoryStorage, backup: Backup
) -> None:
    guide = b"the words of an earlier pgproof"
    storage.objects[f"{backup.folder}/RESTORE.md"] = guide
    relist(storage, backup, guide)
    assert download().warnings == ()
    assert copied(folder)["RESTORE.md"] == guide
    check_sums(copied(folder))


@pytest.mark.parametrize("failure", [StorageUnreachable("input/output error"), InvalidInput("a symbolic link")])
def test_instructions_that_cannot_be_read_are_written_anew_and_the_reason_is_told(
    download: Callable[[], Download], storage: Failing, folder: MemoryStorage, backup: Backup, failure: Exception
) -> None:
    storage.failure = failure
    (warning,) = download().warnings
    assert f"cannot be read in the storage ({failure})" in warning
    check_sums(copied(folder))
