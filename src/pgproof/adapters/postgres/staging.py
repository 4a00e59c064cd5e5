"""Folders for what cannot be streamed: a dump's parallel files, an archive for a parallel restore.

They hold a readable copy of a whole database. So each goes when its use ends, and one whose process was
killed goes with the next start: whoever uses a folder holds a lock in it, which ends with the process.
"""

import errno
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgproof.domain.errors import StorageDenied, StorageError, StorageFull

# The folder may be one that others use too, such as /tmp: only what has our name is ours to remove.
_PREFIX = "pgproof-staged-"
_LOCK = "lock"
_CONTENT = "content"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """The staging folder; it is made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The folder that the settings name."""
        return self._root

    @contextmanager
    def folder(self, purpose: str) -> Iterator[Path]:
        """An empty folder for the length of a `with` block. Raises `StorageError` and those below it."""
        with staging_errors(self._root):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder, lock = self._make(purpose)
        try:
            with staging_errors(self._root):
                content = folder / _CONTENT
                content.mkdir(mode=0o700)
            yield content
        finally:
            # What cannot be removed now is found by `remove_abandoned`, which says so.
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def remove_abandoned(self) -> Sequence[str]:
        """Remove the folders of processes that are gone; a line for each, also for one that stays."""
        return [line for folder in self._candidates() if (line := _remove_if_abandoned(folder))]

    def _make(self, purpose: str) -> tuple[Path, int]:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=self._root))
            try:
                lock = os.open(folder / _LOCK, _FLAGS, 0o600)
            except FileNotFoundError:
                continue  # taken for abandoned before we had the lock
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_the_same(folder / _LOCK, lock):
                return folder, lock
            os.close(lock)

    def _candidates(self) -> Sequence[Path]:
        try:
            with os.scandir(self._root) as entries:
                ours = [entry for entry in entries if entry.name.startswith(_PREFIX) and _is_our_folder(entry)]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []  # whoever needs the folder is told what is wrong with it
        return sorted(Path(entry.path) for entry in ours)


@contextmanager
def staging_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the file system into ours, with the setting that moves the folder."""
    hint = f"Make room or allow writing there, or name another folder in BACKUP_STAGING_DIR (now {folder})."
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no space left in the staging folder {folder}", hint=hint) from error
        if isinstance(error, PermissionError):
            raise StorageDenied(f"not allowed to write to the staging folder {folder}", hint=hint) from error
        raise StorageError(f"unable to write to the staging folder {folder}: {error.strerror}", hint=hint) from error


def _is_our_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except FileNotFoundError:
        return False  # its user has just left


def _remove_if_abandoned(folder: Path) -> str | None:
    doomed = folder
    try:
        lock = os.open(folder / _LOCK, _FLAGS, 0o600)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"staging folder {folder}: it cannot be removed: {error.strerror}"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A tool may have outlived its process by a moment: under another name it finds nothing to write into.
        doomed = folder.rename(doomed.with_name(f"{_PREFIX}{secrets.token_hex(8)}"))
        shutil.rmtree(doomed)
    except (BlockingIOError, FileNotFoundError):
        return None  # it is in use, or somebody else has just removed it
    except OSError as error:
        return f"staging folder {doomed}: its process died; it cannot be removed: {error.strerror}"
    finally:
        os.close(lock)
    return f"staging folder {folder}: its process died; the readable copy in it was removed"


def _is_the_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
