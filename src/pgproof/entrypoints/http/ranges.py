"""`Range` requests (RFC 9110, 14): which bytes of an archive an answer holds."""

import re
from dataclasses import dataclass

_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_MOST_DIGITS = 19


@dataclass(frozen=True)
class Span:
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start


class NotSatisfiable(Exception):
    """The range is well-formed, and lies outside."""


def wanted_span(header: str | None, size: int) -> Span | None:
    """The part that a `Range` header asks for; ``None`` for all of it.

    What is not understood is ignored, as the standard says, and so are several ranges at once: the answer is then the
    whole. Raises `NotSatisfiable`.
    """
    unit, equals, spec = (header or "").partition("=")
    found = _SPEC.fullmatch(spec.strip()) if equals and unit.strip().lower() == "bytes" else None
    if found is None or max(len(found[1]), len(found[2])) > _MOST_DIGITS:
        return None
    first, last = found[1], found[2]
    if first:
        return _from(int(first), int(last) if last else None, size)
    return _suffix(int(last), size) if last else None


def _from(first: int, last: int | None, size: int) -> Span | None:
    if last is not None and last < first:
        return None
    if first >= size:
        raise NotSatisfiable
    return Span(first, size if last is None else min(last + 1, size))


def _suffix(length: int, size: int) -> Span:
    if length == 0 or size == 0:
        raise NotSatisfiable
    return Span(max(0, size - length), size)
