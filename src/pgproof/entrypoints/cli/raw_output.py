"""Bytes on standard output, past its text and its buffer.

What a buffer could not write waits for the end of the process, and fails there once more.
"""

import errno
import os
import select

from pgproof.domain.errors import StorageFull, StorageUnreachable

_AGAIN = "Throw away what has arrived, and write it elsewhere."


def write_all(file: int, chunk: bytes) -> None:
    """Write every byte to a file descriptor. Raises `StorageFull`, `StorageUnreachable` and `BrokenPipeError`."""
    left = memoryview(chunk)
    while left:
        try:
            left = left[os.write(file, left) :]
        except BlockingIOError:  # whoever shares it with us has made it so
            select.select([], [file], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            kind = StorageFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StorageUnreachable
            raise kind(f"unable to write to standard output: {error.strerror or error}", hint=_AGAIN) from error
