"""Places where archives live, and what their bytes go through on the way."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pgproof.domain.archive import Compression


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object; `size` in bytes."""

    key: str
    size: int


class Storage(Protocol):
    """A place where archives live. Keys are relative paths with ``/``; `InvalidInput` for any that leave it.

    Beside what each method names, all raise `StorageUnreachable` and `StorageDenied`.
    """

    @property
    def url(self) -> str:
        """Where this is, without secrets."""

    def check(self) -> None:
        """Raise unless an object can be written, read and deleted here now."""

    def free_bytes(self) -> int | None:
        """Space left, where it can be known."""

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store a stream and return its length.

        The object appears, whole and durable, only after the last chunk: an exception from the iterator
        or from the storage leaves nothing under `key` (and what was there before as it was).
        Raises `StorageFull`.
        """

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        """The object's bytes from `start` on, in chunks. Raises `ObjectMissing` before the first chunk."""

    def stat(self, key: str) -> ObjectInfo:
        """The object's length, or `ObjectMissing`."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key begins with `prefix`, by key. Unfinished writes are not objects."""

    def delete(self, key: str) -> None:
        """Remove an object for good. Deleting what is not there is no error."""

    def discard_unfinished(self, prefix: str) -> None:
        """Remove what interrupted writes under `prefix` left behind. Nobody may be writing there."""

    def local_path(self, key: str) -> Path | None:
        """A path by which tools can read the object, where there is one."""


class Folders(Protocol):
    """Folders that somebody names, to copy backups to."""

    def open(self, path: Path, apart_from: Storage) -> Storage:
        """A storage in that folder; nothing is touched yet.

        Raises `InvalidInput` for what is no path, and for a folder that is `apart_from` or lies in it.
        """

    def check_owner(self, storage: Storage, name: str) -> None:
        """Raise `Conflict` if the folder `name` in an opened one is there and belongs to another user than us or root.

        Its owner could exchange what is stored there, whatever the modes are.
        """


class Streams(Protocol):
    """Compression of byte streams: iterators in, iterators out, in bounded memory."""

    def compress(self, chunks: Iterable[bytes], compression: Compression, level: int) -> Iterator[bytes]:
        """The compressed stream; `level` 1 to 9 is a scale of effort."""

    def decompress(self, chunks: Iterable[bytes], compression: Compression) -> Generator[bytes, None, None]:
        """The original stream, to be closed if it is not read to its end.

        Raises `ArchiveUnreadable` where the stored bytes are not whole.
        """
