"""Cursors: opaque to callers, checked when they come back."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pgproof.domain.errors import InvalidInput
from pgproof.entrypoints.http.fields import LARGEST_ID
from pgproof.services.ports import Position

_FORM = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,19})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_Item = TypeVar("_Item")


def to_cursor(position: Position) -> str:
    """The text for a place in a list."""
    text = f"{(position.at - _EPOCH) // _MICROSECOND}.{position.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def from_cursor(cursor: str | None) -> Position | None:
    """The place that a text means. Raises `InvalidInput` for what `to_cursor` never made."""
    if cursor is None:
        return None
    found = _FORM.fullmatch(_decoded(cursor))
    if found is None or not 0 < int(found[2]) <= LARGEST_ID:
        raise _wrong()
    try:
        return Position(_EPOCH + int(found[1]) * _MICROSECOND, int(found[2]))
    except OverflowError:
        raise _wrong() from None


def page(found: Sequence[_Item], limit: int, place: Callable[[_Item], Position]) -> tuple[Sequence[_Item], str | None]:
    """Of `limit` + 1 items that were asked for, those to show and the cursor for the rest."""
    shown = found[:limit]
    return shown, to_cursor(place(shown[-1])) if len(found) > limit else None


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _wrong() from None


def _wrong() -> InvalidInput:
    return InvalidInput(
        "the cursor is not one of ours", hint="Send `next_cursor` of the answer before as it is, or leave it out."
    )
