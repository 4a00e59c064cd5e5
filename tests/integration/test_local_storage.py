"""What the local storage promises beyond the contract: modes, symbolic links, real failures of real disks."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgproof.adapters.storage.factory import open_storage
from pgproof.adapters.storage.local import LocalStorage
from pgproof.domain.errors import (
    ConfigurationError,
    InvalidInput,
    ObjectMissing,
    StorageDenied,
    StorageFull,
    StorageUnreachable,
)

ROOT = os.geteuid() == 0
NOBODY = 65534
MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "backups"


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Modes


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_folders_and_files_are_private_under_every_umask(storage: LocalStorage, root: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        storage.put("app/backup_1/manifest.json", [b"{}"])
    finally:
        os.umask(before)
    assert mode(root / "app/backup_1/manifest.json") == 0o600
    assert [mode(root / name) for name in (".", "app", "app/backup_1", "..")] == [0o700] * 4


def test_an_unfinished_file_is_private_too(storage: LocalStorage, root: Path) -> None:
    modes: list[int] = []

    def chunks() -> Iterator[bytes]:
        modes.extend(mode(path) for path in root.rglob(".*.part"))
        yield b"secret rows"

    storage.put("app/a", chunks())
    assert modes == [0o600]


def test_a_folder_that_is_there_keeps_its_mode(storage: LocalStorage, root: Path) -> None:
    root.mkdir(parents=True)
    root.chmod(0o750)
    storage.put("app/a", [b"x"])
    assert mode(root) == 0o750


# What failures leave


def test_a_broken_stream_leaves_no_folder_that_it_made(tmp_path: Path, storage: LocalStorage) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it is ours
        storage.put("app/backup_1/a.dump", chunks())
    assert everything_in(tmp_path) == []


def test_a_broken_stream_leaves_folders_that_were_there(storage: LocalStorage, root: Path) -> None:
    (root / "app").mkdir(parents=True)

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        storage.put("app/backup_1/a.dump", chunks())
    assert everything_in(root) == ["app"]


def test_a_stream_whose_storage_fails_is_closed(storage: LocalStorage, root: Path) -> None:
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"x"
        finally:
            closed.append(True)

    stream = chunks()
    next(stream)
    root.mkdir(parents=True)
    (root / "app").write_bytes(b"a file where a folder is needed")
    with pytest.raises(StorageUnreachable) as caught:
        storage.put("app/a", stream)
    assert closed == [True]
    assert "A file stands where a folder is needed" in caught.value.hint


def test_a_folder_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "backups").touch()
    with pytest.raises(StorageUnreachable, match=f"the backup folder {tmp_path / 'backups'} cannot be used") as caught:
        LocalStorage(tmp_path / "backups").check()
    assert "BACKUP_DIR" in caught.value.hint


KILLED_MIDWAY = """
import os, signal, sys
from pathlib import Path
from pgproof.adapters.storage.local import LocalStorage

def chunks():
    yield b"x" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)

LocalStorage(Path(sys.argv[1])).put("app/backup_1/a.dump", chunks())
"""


def test_a_killed_write_is_no_object_and_can_be_discarded(storage: LocalStorage, root: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED_MIDWAY, str(root)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert [path.stat().st_size for path in root.rglob("*.part")] == [100_000]
    assert list(storage.list()) == []
    storage.discard_unfinished("app/backup_1/")
    assert everything_in(root) == []


def test_discarding_leaves_objects_and_foreign_files(storage: LocalStorage, root: Path) -> None:
    storage.put("app/backup_1/a.dump", [b"x"])
    (root / "app/backup_2").mkdir()
    (root / "app/backup_2/.a.dump.0123456789abcdef.part").write_bytes(b"half")
    (root / "app/backup_2/notes.txt").write_bytes(b"an operator's")
    (root / "app/backup_3").mkdir()
    storage.discard_unfinished("app/")
    assert everything_in(root) == [
        "app", "app/backup_1", "app/backup_1/a.dump", "app/backup_2", "app/backup_2/notes.txt",
    ]  # fmt: skip


def test_delete_removes_folders_that_became_empty_but_never_the_root(storage: LocalStorage, root: Path) -> None:
    storage.put("app/backup_1/a", [b"x"])
    storage.put("app/backup_2/a", [b"x"])
    storage.delete("app/backup_1/a")
    assert everything_in(root) == ["app", "app/backup_2", "app/backup_2/a"]
    storage.delete("app/backup_2/a")
    assert root.is_dir()
    assert everything_in(root) == []


def test_writing_and_deleting_beside_each_other_never_fails(storage: LocalStorage) -> None:
    """Deletes remove the folder that the other writer is about to use."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(100):
                storage.put(f"app/backup_{number}/a", [b"x"])
                storage.delete(f"app/backup_{number}/a")
        except BaseException as error:  # noqa: BLE001 - the test's own thread must report it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# Symbolic links


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_bytes(b"not ours")
    return folder


@pytest.mark.parametrize("key", ["app/victim", "app/new", "app/sub/new"])
def test_a_linked_folder_is_not_followed(storage: LocalStorage, root: Path, outside: Path, key: str) -> None:
    root.mkdir(parents=True)
    (root / "app").symlink_to(outside)
    for call in (storage.stat, storage.read, storage.delete, storage.local_path):
        with pytest.raises(InvalidInput, match="symbolic link"):
            call(key)
    with pytest.raises(InvalidInput, match="symbolic link"):
        storage.put(key, [b"overwritten"])
    assert list(storage.list()) == []
    assert [path.read_bytes() for path in outside.iterdir()] == [b"not ours"]


def test_a_linked_file_is_not_followed(storage: LocalStorage, root: Path, outside: Path) -> None:
    (root / "app").mkdir(parents=True)
    (root / "app/a").symlink_to(outside / "victim")
    for call in (storage.stat, storage.read, storage.delete, storage.local_path):
        with pytest.raises(InvalidInput, match="symbolic link"):
            call("app/a")
    with pytest.raises(InvalidInput):
        storage.put("app/a", [b"overwritten"])
    assert list(storage.list()) == []
    assert (outside / "victim").read_bytes() == b"not ours"


def test_discarding_does_not_follow_links(storage: LocalStorage, root: Path, outside: Path) -> None:
    part = outside / ".a.0123456789abcdef.part"
    part.write_bytes(b"somebody else's")
    root.mkdir(parents=True)
    (root / "app").symlink_to(outside)
    storage.discard_unfinished("")
    assert part.exists()
    with pytest.raises(InvalidInput, match="symbolic link"):
        storage.discard_unfinished("app/")


def test_the_root_itself_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "backups").symlink_to(outside)
    LocalStorage(tmp_path / "backups").put("app/a", [b"x"])
    assert (outside / "app/a").read_bytes() == b"x"


def test_special_files_are_no_objects(storage: LocalStorage, root: Path) -> None:
    root.mkdir(parents=True)
    os.mkfifo(root / "pipe")
    assert list(storage.list()) == []
    with pytest.raises(ObjectMissing):
        storage.read("pipe")


# Full, denied, broken


@contextmanager
def tiny_file_system(folder: Path) -> Iterator[Path]:
    """One MiB of tmpfs. Only root can mount; in CI root must be able to."""
    if not ROOT:
        pytest.skip("mounting a tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "pgproof-test", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(f"unable to mount a tmpfs: {mounted.stderr}")
        pytest.skip(f"unable to mount a tmpfs: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_with_what_was_written_and_leaves_nothing(tmp_path: Path) -> None:
    with tiny_file_system(tmp_path) as folder:
        storage = LocalStorage(folder)
        storage.put("app/backup_1/a", [b"x" * 400_000])
        before = storage.free_bytes()
        with pytest.raises(StorageFull) as caught:
            storage.put("app/backup_2/a", (b"y" * 100_000 for _ in range(50)))
        assert 500_000 < caught.value.facts["written"] < MIB
        assert f"after {caught.value.facts['written']} bytes" in caught.value.detail
        assert caught.value.hint
        assert everything_in(folder) == ["app", "app/backup_1", "app/backup_1/a"]
        assert storage.free_bytes() == before


def test_a_full_disk_keeps_the_object_that_was_there(tmp_path: Path) -> None:
    with tiny_file_system(tmp_path) as folder:
        storage = LocalStorage(folder)
        storage.put("app/a", [b"x" * 600_000])
        with pytest.raises(StorageFull):
            storage.put("app/a", [b"y" * 600_000])
        assert b"".join(storage.read("app/a")) == b"x" * 600_000


def test_check_notices_a_full_disk(tmp_path: Path) -> None:
    with tiny_file_system(tmp_path) as folder:
        storage = LocalStorage(folder)
        storage.check()
        (folder / "filler").write_bytes(b"x" * (storage.free_bytes() or 0))
        assert storage.free_bytes() == 0
        with pytest.raises(StorageFull):
            storage.check()


def test_a_file_larger_than_allowed_is_refused_and_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(StorageDenied, match="File too large") as caught:
            storage.put("app/a", [b"x" * MIB, b"y"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "ulimit" in caught.value.hint
    assert everything_in(tmp_path) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="pgproof-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may do anything, so these tests step down for a moment."""
    if not ROOT:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_we_may_not_write_is_denied(open_folder: Path) -> None:
    storage = LocalStorage(open_folder)
    storage.put("app/a", [b"x"])
    (open_folder / "app").chmod(0o555)
    open_folder.chmod(0o555)
    with without_privileges():
        for deed in (storage.check, lambda: storage.put("app/b", [b"y"]), lambda: storage.put("new/b", [b"y"])):
            with pytest.raises(StorageDenied, match="Permission denied") as caught:
                deed()
            assert caught.value.hint
            assert not caught.value.retryable
        with pytest.raises(StorageDenied):
            storage.delete("app/a")
    open_folder.chmod(0o755)
    (open_folder / "app").chmod(0o755)
    assert everything_in(open_folder) == ["app", "app/a"]


def test_a_folder_that_we_may_not_read_is_denied_rather_than_empty(open_folder: Path) -> None:
    storage = LocalStorage(open_folder)
    storage.put("app/a", [b"x"])
    (open_folder / "app").chmod(0)
    with without_privileges():
        with pytest.raises(StorageDenied):
            list(storage.list())
        with pytest.raises(StorageDenied):
            storage.stat("app/a")
        with pytest.raises(StorageDenied):
            storage.read("app/a")


def test_a_storage_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = LocalStorage(tmp_path / "file" / "backups")
    with pytest.raises(StorageUnreachable) as caught:
        storage.check()
    assert "A file stands where a folder is needed" in caught.value.hint
    assert list(storage.list()) == []


def test_a_path_that_is_too_long_is_bad_input(tmp_path: Path) -> None:
    root = tmp_path.joinpath(*["x" * 200] * 20)
    with pytest.raises(InvalidInput, match="too long"):
        LocalStorage(root).put("/".join(["y" * 200] * 4), [b"x"])


def test_names_as_long_as_the_file_system_allows_can_be_stored(storage: LocalStorage) -> None:
    key = f"{'ä' * 127}/{'b' * 255}"
    storage.put(key, [b"x"])
    assert [found.key for found in storage.list()] == [key]


def test_files_whose_names_are_no_keys_are_no_objects(storage: LocalStorage, root: Path) -> None:
    storage.put("app/a", [b"x"])
    (root / "app" / "back\\slash").write_bytes(b"")
    (root / "app" / os.fsdecode(b"latin-\xe4")).write_bytes(b"")
    assert [found.key for found in storage.list()] == ["app/a"]


# Addresses


def test_plain_paths_and_file_urls_open_the_same_storage(tmp_path: Path) -> None:
    folder = tmp_path / "my backups #1"
    LocalStorage(folder).put("app/a", [b"x"])
    for url in (str(folder), folder.as_uri(), f"file://localhost{folder.as_uri().removeprefix('file://')}"):
        storage = open_storage(url)
        assert [found.key for found in storage.list()] == ["app/a"]
        assert storage.url == folder.as_uri()


def test_a_relative_path_becomes_absolute() -> None:
    assert open_storage("backups").url == (Path.cwd() / "backups").as_uri()


def test_a_tilde_is_the_home_directory() -> None:
    assert open_storage("~/backups").url == (Path.home() / "backups").as_uri()


@pytest.mark.parametrize(
    "url", ["s3://bucket/backups", "https://example.org/", "file://server/share", "file://backups", "", " ", "a\0b",
            "~no-such-user-here/backups"],
)  # fmt: skip
def test_other_addresses_are_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_storage(url)
    assert caught.value.hint
