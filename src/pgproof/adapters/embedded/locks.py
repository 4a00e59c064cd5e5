"""File locks that end with the processes that hold them, however these end.

They are flock(2) locks: they belong to an open file, so two users in one process exclude each other too,
and a child that inherits the file keeps the lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class FileLock:
    """A lock on a file that is made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock alone, after waiting for it."""
        descriptor = self._acquire(fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.release(descriptor)

    @contextmanager
    def lent(self) -> Iterator[int]:
        """Hold a lock that nobody else holds, for a child that inherits the descriptor and keeps the lock."""
        descriptor = self._acquire(fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def acquire_shared(self) -> int:
        """Hold the lock together with others, after waiting for it, until `release`."""
        return self._acquire(fcntl.LOCK_SH)

    def release(self, descriptor: int) -> None:
        """End a hold, also for a child that was forked a moment ago and has not yet closed its copy."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def is_free(self) -> bool:
        """Whether nobody holds the lock now."""
        try:
            self.release(self._acquire(fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def _acquire(self, operation: int) -> int:
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, operation)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
