"""Values as messages show them."""

from collections.abc import Sequence

_STEP = 1024


def plain(text: str) -> str:
    """Text of somebody else without characters that could steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def in_quotes(name: str) -> str:
    """A name in double quotes, as PostgreSQL's own messages show names."""
    return f'"{plain(name)}"'


def size(count: int) -> str:
    """Bytes as "148.3 MB"; units are powers of 1024, as PostgreSQL shows them."""
    if count < _STEP:
        return "1 byte" if count == 1 else f"{count} bytes"
    amount, unit = count / _STEP, "kB"
    for larger in ("MB", "GB", "TB"):
        if amount < _STEP:
            break
        amount, unit = amount / _STEP, larger
    return f"{amount:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 table, 2,000 tables."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names with commas; of very many only the first `most`, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
