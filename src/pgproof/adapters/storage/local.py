"""Backups in a local directory, or in anything that is mounted like one."""

import os
import secrets
import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pgproof.adapters.storage.failures import missing, reading, writing
from pgproof.adapters.storage.keys import check_key, check_prefix, is_part_name, part_name
from pgproof.adapters.storage.part_file import PartFile, sync_folder
from pgproof.domain.errors import InvalidInput, ObjectMissing, StorageError, StorageUnreachable
from pgproof.services.ports import ObjectInfo

CHUNK = 1 << 20

_PROBE = b"pgproof was here\n"


class LocalStorage:
    """The `Storage` port on a directory, which the first write makes if it is missing.

    Folders get mode 0700 and files 0600 whatever the umask. Below `root` no symbolic link is followed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def url(self) -> str:
        """`file:///...`."""
        return self._root.as_uri()

    def check(self) -> None:
        """Write, read and delete a probe. Raises the storage's errors."""
        try:
            self._try_out()
        except StorageError as error:
            raise type(error)(
                f"the backup folder {self._root} cannot be used: {error.detail}",
                hint=f"{error.hint} BACKUP_DIR or BACKUP_STORAGE_URL names the folder.",
                facts=error.facts,
            ) from error

    def _try_out(self) -> None:
        # A probe that a crash leaves behind is an unfinished write, never an object.
        probe = self._root / part_name("check", secrets.token_hex(8))
        _store(probe, [_PROBE])
        with reading(probe):
            content = probe.read_bytes()
        with writing(probe):
            probe.unlink()
        if content != _PROBE:
            raise StorageUnreachable(
                f"what was written to {self._root} reads back otherwise",
                hint="The disk or network share is damaged. Keep backups elsewhere until it is replaced.",
            )

    def free_bytes(self) -> int | None:
        """Bytes that we may still write; ``None`` where the file system does not tell."""
        folder = self._root
        with reading(folder):
            while not folder.exists():
                folder = folder.parent
            facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize if facts.f_blocks else None

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store a stream under `key` and return its length. Raises `StorageFull`.

        A generator that did not come to its end is closed, so that whatever feeds it ends too.
        """
        try:
            return _store(self._path(key), chunks)
        except BaseException:
            if isinstance(chunks, Generator):
                chunks.close()
            raise

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        """The object's bytes from `start` on, in chunks of 1 MiB. Raises `ObjectMissing`."""
        path = self._path(key)
        if start < 0:
            raise InvalidInput(f"an object has no byte {start}", hint="Read from 0 or a later position.")
        self.stat(key)
        return _chunks(path, start)

    def stat(self, key: str) -> ObjectInfo:
        """The object's length in bytes, or `ObjectMissing`."""
        path = self._path(key)
        with reading(path):
            facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode):
            raise missing(path)
        return ObjectInfo(key, facts.st_size)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key begins with `prefix`, by key."""
        return iter(sorted(self._objects(prefix), key=lambda found: found.key))

    def delete(self, key: str) -> None:
        """Remove an object for good, and the folders that it leaves empty."""
        path = self._path(key)
        try:
            self.stat(key)
        except ObjectMissing:
            return
        with writing(path):
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
            self._remove_empty(path.parent)

    def discard_unfinished(self, prefix: str) -> None:
        """Remove temporary files under `prefix`, and folders that are empty without them."""
        start = self._folder(check_prefix(prefix))
        for folder, names in reversed(list(self._walk(start))):
            inside = self._key(folder)
            for name in names:
                if is_part_name(name) and f"{inside}{name}".startswith(prefix):
                    with writing(folder / name):
                        (folder / name).unlink(missing_ok=True)
                        sync_folder(folder)
            if inside.startswith(prefix):
                with writing(folder):
                    self._remove_empty(folder)

    def local_path(self, key: str) -> Path | None:
        """The object's own file."""
        return self._path(key)

    def _path(self, key: str) -> Path:
        segments = check_key(key)
        path = self._folder(segments[:-1]) / segments[-1]
        self._refuse_link(path)
        return path

    def _folder(self, segments: tuple[str, ...]) -> Path:
        folder = self._root
        for segment in segments:
            folder /= segment
            self._refuse_link(folder)
        return folder

    def _refuse_link(self, path: Path) -> None:
        with reading(path):
            if not path.is_symlink():
                return
        raise InvalidInput(
            f"{path} is a symbolic link, which could lead out of {self._root}",
            hint="Put the real file or folder there, or use the folder that it points to as the storage.",
        )

    def _key(self, folder: Path) -> str:
        return "".join(f"{segment}/" for segment in folder.relative_to(self._root).parts)

    def _walk(self, start: Path) -> Iterator[tuple[Path, Sequence[str]]]:
        """Every folder from `start` on, a parent before its children, with the names of its regular files."""
        folders = [start]
        while folders:
            folder = folders.pop()
            children, files = _entries(folder)
            folders += [folder / name for name in children]
            yield folder, files

    def _objects(self, prefix: str) -> Iterator[ObjectInfo]:
        for folder, names in self._walk(self._folder(check_prefix(prefix))):
            inside = self._key(folder)
            for name in names:
                key = f"{inside}{name}"
                if key.startswith(prefix) and not is_part_name(name):
                    # Neither a file that goes while we look nor one whose name is no key is an object.
                    with suppress(ObjectMissing, InvalidInput):
                        yield self.stat(key)

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # the first folder that is still in use ends it
            while folder != self._root:
                folder.rmdir()
                sync_folder(folder.parent)
                folder = folder.parent


def _store(target: Path, chunks: Iterable[bytes]) -> int:
    part = PartFile(target)
    try:
        for chunk in chunks:
            part.write(chunk)
        part.publish()
    except BaseException:
        part.discard()
        raise
    return part.length


def _chunks(path: Path, start: int) -> Iterator[bytes]:
    with reading(path):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with reading(path):
            os.lseek(file, start, os.SEEK_SET)
        while True:
            with reading(path):
                chunk = os.read(file, CHUNK)
            if not chunk:
                return
            yield chunk
    finally:
        os.close(file)


def _entries(folder: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Names of the real folders and regular files in a folder; none if it is not there (any more)."""
    try:
        with reading(folder), os.scandir(folder) as entries:
            found = list(entries)
    except ObjectMissing:
        return (), ()
    folders = [item.name for item in found if item.is_dir(follow_symlinks=False)]
    return folders, [item.name for item in found if item.is_file(follow_symlinks=False)]
