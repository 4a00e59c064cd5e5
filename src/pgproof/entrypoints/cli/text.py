"""Values as people read them: sizes, durations, times, tables."""

import shlex
import unicodedata
from collections.abc import Sequence
from datetime import datetime, tzinfo

from pgproof.domain import wording

NOTHING = "-"
_MINUTE = 60
_HOUR = 3600


def size(count: int | None) -> str:
    """Bytes as "148.3 MB"; a dash where nobody knows."""
    return NOTHING if count is None else wording.size(count)


def duration(seconds: int | float | None) -> str:
    """Seconds as "0.4 s", "12 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds is None:
        return NOTHING
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if isinstance(seconds, float) else f"{seconds} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def moment(when: datetime | None, zone: tzinfo) -> str:
    """A time in the zone of the settings."""
    return NOTHING if when is None else f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def plain(text: str | None) -> str:
    """Text of somebody else without characters that could steer a terminal; a dash where there is none."""
    return wording.plain(text) if text else NOTHING


def quoted(name: str) -> str:
    """A name as a shell takes it."""
    return shlex.quote(name)


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 table, 2,000 tables."""
    return wording.counted(number, noun)


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """A table without lines; the columns `right` are numbers."""
    cells = [list(headings), *map(list, rows)]
    widths = [max(_width(row[index]) for row in cells) for index in range(len(headings))]
    lines = []
    for row in cells:
        padded = [
            " " * (widths[index] - _width(cell)) + cell
            if index in right
            else cell + " " * (widths[index] - _width(cell))
            for index, cell in enumerate(row)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values, one pair per line."""
    width = max(_width(name) for name, _ in rows)
    return "\n".join(f"{name}{' ' * (width - _width(name))}  {value}".rstrip() for name, value in rows)


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
