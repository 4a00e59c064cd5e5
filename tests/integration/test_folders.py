"""Folders that somebody names: any but the storage itself, by whatever name; and what a full one does."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof.adapters.storage.folders import LocalFolders
from pgproof.adapters.storage.local import LocalStorage
from pgproof.domain.errors import Conflict, InvalidInput, StorageFull
from pgproof.services.downloading import DownloadService
from tests.e2e.conftest import Recorder
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage
from tests.integration.test_local_storage import tiny_file_system
from tests.stored_backup import stored_whole


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "backups"
    root.mkdir()
    return root


@pytest.mark.parametrize(
    "name", ["backups", "backups/shop", "backups/not/yet", "backups/../backups", "link", "link/in"]
)
def test_the_storage_and_what_lies_in_it_are_refused_by_every_name(tmp_path: Path, root: Path, name: str) -> None:
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(InvalidInput, match="lies in the storage itself") as raised:
        LocalFolders().open(tmp_path / name, LocalStorage(root))
    assert raised.value.hint
    assert list(root.iterdir()) == []


def test_a_storage_behind_a_link_is_known_by_its_real_name(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(InvalidInput, match="lies in the storage itself"):
        LocalFolders().open(root / "shop", LocalStorage(tmp_path / "link"))


def test_a_storage_that_is_not_there_yet_is_refused_as_well(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="lies in the storage itself"):
        LocalFolders().open(tmp_path / "later" / "in", LocalStorage(tmp_path / "later"))


@pytest.mark.parametrize("name", [".", "backups-2", "new/one"])
def test_folders_beside_and_above_the_storage_can_be_used_and_are_not_touched_yet(
    tmp_path: Path, root: Path, name: str
) -> None:
    opened = LocalFolders().open(tmp_path / name, LocalStorage(root))
    assert opened.local_path("a") == (tmp_path / name).resolve() / "a"
    assert [path.name for path in tmp_path.iterdir()] == ["backups"]


def test_a_relative_folder_is_meant_from_here(root: Path) -> None:
    assert LocalFolders().open(Path("there"), LocalStorage(root)).url == (Path.cwd() / "there").as_uri()


def test_a_storage_without_paths_holds_no_folder(tmp_path: Path) -> None:
    assert LocalFolders().open(tmp_path, MemoryStorage()).url == tmp_path.as_uri()


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "a\0b"])
def test_what_names_no_folder_is_told(root: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="names no folder"):
        LocalFolders().open(Path(name), LocalStorage(root))


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def test_our_folder_one_of_root_and_one_that_is_not_there_yet_may_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    folders = LocalFolders()
    folders.check_owner(LocalStorage(tmp_path), "ours")
    folders.check_owner(LocalStorage(tmp_path), "not yet")
    folders.check_owner(LocalStorage(Path("/")), "usr")
    folders.check_owner(MemoryStorage(), "without any path")


@only_root
@pytest.mark.parametrize(("user", "name"), [(65534, "nobody|65534"), (4_000_000, "4000000")])
@pytest.mark.parametrize("empty", [True, False])
def test_a_download_leaves_the_folder_of_another_user_as_it_is(
    tmp_path: Path, user: int, name: str, empty: bool
) -> None:
    catalog, storage = MemoryCatalog(), MemoryStorage()
    backup = stored_whole(catalog, storage)
    service = DownloadService(catalog=catalog, storage=storage, folders=LocalFolders())
    folder = tmp_path / backup.folder.rpartition("/")[2]
    folder.mkdir()
    if not empty:
        service.download(backup.id, tmp_path, Recorder())
    folder.chmod(0o777)
    os.chown(folder, user, user)
    held = {path.name for path in folder.iterdir()}
    with pytest.raises(Conflict, match=f"{folder} belongs to another user, ({name})$") as raised:
        service.download(backup.id, tmp_path, Recorder())
    assert "name another place" in raised.value.hint
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (user, 0o777)
    assert {path.name for path in folder.iterdir()} == held


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    catalog, storage = MemoryCatalog(), MemoryStorage()
    backup = stored_whole(catalog, storage)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / backup.folder.rpartition("/")[2]).symlink_to(tmp_path / "elsewhere")
    service = DownloadService(catalog=catalog, storage=storage, folders=LocalFolders())
    with pytest.raises(InvalidInput, match="symbolic link") as raised:
        service.download(backup.id, tmp_path, Recorder())
    assert raised.value.hint == "Name another folder."
    assert list((tmp_path / "elsewhere").iterdir()) == []


class Crowding(MemoryStorage):
    """While its archive is read, somebody else fills the disk at `folder`."""

    folder: Path | None = None

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        for chunk in super().read(key, start):
            if self.folder is not None and key.endswith(".dump.zst"):
                free = shutil.disk_usage(self.folder).free
                with (self.folder / "somebody elses").open("ab") as file:
                    file.write(b"x" * free)
            yield chunk


def test_a_disk_that_others_fill_meanwhile_is_told_and_nothing_half_is_left(tmp_path: Path) -> None:
    catalog, storage = MemoryCatalog(), Crowding()
    backup = stored_whole(catalog, storage)
    with tiny_file_system(tmp_path) as folder:
        storage.folder = folder
        service = DownloadService(catalog=catalog, storage=storage, folders=LocalFolders())
        with pytest.raises(StorageFull, match="no space is left for") as raised:
            service.download(backup.id, folder / "away", Recorder())
        assert "what has arrived whole is kept" in raised.value.hint
        assert [path.name for path in folder.iterdir()] == ["somebody elses"]
        (folder / "somebody elses").unlink()
        storage.folder = None
        assert len(service.download(backup.id, folder / "away", Recorder()).copied) == 5
