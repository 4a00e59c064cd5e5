"""Words that a program writes where a fixed set of them is known."""

from enum import StrEnum
from typing import TypeVar

from pgproof.domain.errors import InvalidInput
from pgproof.domain.wording import in_quotes

_Word = TypeVar("_Word", bound=StrEnum)


def one_of(kind: type[_Word], given: str) -> _Word:
    """The member that a word names. Raises `InvalidInput`."""
    try:
        return kind(given)
    except ValueError:
        raise InvalidInput(
            f"{in_quotes(str(given)[:100])} is none of: {', '.join(kind)}", hint="Use one of those."
        ) from None
