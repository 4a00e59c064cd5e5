"""What to call a user of another application, whatever type it has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pgproof.domain.errors import ConfigurationError

# A colon is in no name of our own users: nobody of the host's can pass for one of them.
PREFIX = "host:"

UserName = Callable[[Any], object]

_LONGEST = 100  # characters
# Chosen once and by one person alone. A name is neither, and its owner may change it to somebody else's.
_NAMES = ("username", "email")
_NUMBERS = ("sub", "id")


def default_name(user: Any) -> object:
    """A user's username or email; else sub or id with the name behind it; else the name. Attributes or keys will do.

    What tells people apart stands first: a name is only there to be read.
    """
    own = _first(user, _NAMES)
    if own is not None:
        return own
    number, name = _first(user, _NUMBERS), _first(user, ("name",))
    if number is not None:
        return number if name is None else f"{number} ({name})"
    # Some applications know no more of a user than a name or a number.
    return user if name is None and isinstance(user, str | int) and not isinstance(user, bool) else name


def actor_name(user: Any, name_of: UserName) -> str:
    """The user's name for records. Raises `ConfigurationError` for a user who has none."""
    given = name_of(user)
    text = "" if given is None else "".join(char for char in str(given).strip() if char.isprintable())
    if not text:
        raise ConfigurationError(
            f"a user of the type {type(user).__name__} has no name for the audit trail",
            hint="Say where to find it: backup_router(..., user_name=lambda user: user.login).",
        )
    return PREFIX + text[:_LONGEST]


def _first(user: Any, names: Sequence[str]) -> object:
    for name in names:
        value = user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
        if value not in (None, "") and not callable(value):
            found: object = value
            return found
    return None
