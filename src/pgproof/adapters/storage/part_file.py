"""One file on its way into a folder: whole and durable at the end, or never there."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pgproof.adapters.storage.failures import writing
from pgproof.adapters.storage.keys import part_name

FILE_MODE = 0o600
FOLDER_MODE = 0o700

# Somebody else may remove a folder that has just become empty between our finding it and our using it.
_ATTEMPTS = 5


class PartFile:
    """A file under a temporary name beside `target`, until `publish` or `discard`.

    Making one creates the folders that are missing and the file; every method raises the storage's errors.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(part_name(target.name, secrets.token_hex(8)))
        self._made: set[Path] = set()
        self.length = 0
        try:
            with writing(target):
                self._file = self._create()
        except BaseException:
            self._remove_made_folders()
            raise

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        view = memoryview(chunk)
        while view:
            with writing(self._target, self.length):
                count = os.write(self._file, view)
            view = view[count:]
            self.length += count

    def publish(self) -> None:
        """Make the file appear under its name, durably: content, then name, then the folders made for it."""
        with writing(self._target, self.length):
            os.fsync(self._file)
            self._close()
            is_new = not self._target.exists()
            self._path.replace(self._target)
            try:
                for folder in [self._target.parent, *(made.parent for made in self._made)]:
                    sync_folder(folder)
            except BaseException:
                if is_new:
                    self._target.unlink()
                raise

    def discard(self) -> None:
        """Leave nothing behind, neither the file nor a folder made for it.

        It never raises: it runs while the error that matters is on its way, and what it cannot remove is
        no object and goes with `discard_unfinished`.
        """
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._path.unlink()
        self._remove_made_folders()

    def _create(self) -> int:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._make_folders()
                file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
            except FileNotFoundError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                os.fchmod(file, FILE_MODE)  # whatever the umask took away
                return file
        raise AssertionError

    def _make_folders(self) -> None:
        absent = []
        folder = self._target.parent
        while not folder.exists():
            absent.append(folder)
            folder = folder.parent
        for folder in reversed(absent):
            try:
                folder.mkdir(FOLDER_MODE)
            except FileExistsError:
                continue
            folder.chmod(FOLDER_MODE)
            self._made.add(folder)

    def _remove_made_folders(self) -> None:
        with suppress(OSError):  # somebody else already uses one of them
            for folder in sorted(self._made, reverse=True):  # children first
                folder.rmdir()

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot, and need not: there a rename is durable when it returns.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)
