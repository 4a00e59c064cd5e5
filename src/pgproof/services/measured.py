"""Streams that are counted and hashed while they pass."""

import hashlib
from collections.abc import Callable, Iterable, Iterator


class Measured:
    """A stream that knows the length and SHA-256 of what has passed. It can be read once."""

    def __init__(self, chunks: Iterable[bytes], passed: Callable[[int], None] | None = None) -> None:
        self._chunks = chunks
        self._passed = passed
        self._hash = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            self.size += len(chunk)
            if self._passed is not None:
                self._passed(self.size)
            yield chunk

    @property
    def sha256(self) -> str:
        """In hex, of all that has passed so far."""
        return self._hash.hexdigest()

    def drain(self) -> "Measured":
        """Read to the end, for the figures alone."""
        for _ in self:
            pass
        return self


def counted(chunks: Iterable[bytes], passed: Callable[[int], None] | None) -> Iterator[bytes]:
    """The same stream, telling how much has passed."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if passed is not None:
            passed(size)
        yield chunk
