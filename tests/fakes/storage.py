"""A storage in memory, held to the same contract as the real ones."""

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from pgproof.adapters.storage.keys import check_key, check_prefix
from pgproof.domain.errors import InvalidInput, ObjectMissing, StorageDenied, StorageFull
from pgproof.services.ports import ObjectInfo


class MemoryStorage:
    """`objects` holds what is stored, `unfinished` the keys of interrupted writes.

    With a `capacity` in bytes it runs full; while `denied` is set every call is refused.
    """

    def __init__(self, url: str = "memory://", capacity: int | None = None) -> None:
        self.url = url
        self.capacity = capacity
        self.denied = False
        self.objects: dict[str, bytes] = {}
        self.unfinished: set[str] = set()

    def check(self) -> None:
        self._admit()
        if self.free_bytes() == 0:
            raise StorageFull("no space is left for a probe", hint="Raise the capacity of this fake.")

    def free_bytes(self) -> int | None:
        if self.capacity is None:
            return None
        return max(0, self.capacity - sum(map(len, self.objects.values())))

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        self._admit(key)
        content = bytearray()
        try:
            for chunk in chunks:
                content += chunk
                self._check_space(key, len(content))
        except BaseException:
            if isinstance(chunks, Generator):
                chunks.close()
            raise
        self.objects[key] = bytes(content)
        return len(content)

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        if start < 0:
            raise InvalidInput(f"an object has no byte {start}")
        self.stat(key)
        content = self.objects[key][start:]
        return (content[position : position + 1000] for position in range(0, len(content), 1000))

    def stat(self, key: str) -> ObjectInfo:
        self._admit(key)
        if key not in self.objects:
            raise ObjectMissing(f"there is no stored object {key}", hint="Use another backup.")
        return ObjectInfo(key, len(self.objects[key]))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._admit()
        check_prefix(prefix)
        return iter([self.stat(key) for key in sorted(self.objects) if key.startswith(prefix)])

    def delete(self, key: str) -> None:
        self._admit(key)
        self.objects.pop(key, None)

    def discard_unfinished(self, prefix: str) -> None:
        self._admit()
        check_prefix(prefix)
        self.unfinished = {key for key in self.unfinished if not key.startswith(prefix)}

    def local_path(self, key: str) -> Path | None:
        self._admit(key)
        return None

    def _admit(self, key: str = "any") -> None:
        check_key(key)
        if self.denied:
            raise StorageDenied("the storage refuses", hint="Clear `denied` of this fake.")

    def _check_space(self, key: str, length: int) -> None:
        free = self.free_bytes()
        if free is not None and length > free:
            raise StorageFull(
                f"no space is left for {key} after {free} bytes",
                hint="Raise the capacity of this fake.",
                facts={"written": free},
            )
