"""What to call a user of another application, whatever type it has."""

from collections.abc import Callable, Mapping
from typing import Any

from pgproof.domain.errors import ConfigurationError

# A colon is in no name of our own users: nobody of the host's can pass for one of them.
PREFIX = "host:"

UserName = Callable[[Any], object]

_LONGEST = 100  # characters
# What tells people apart comes first: two may have one name.
_ATTRIBUTES = ("username", "email", "name", "sub", "id")


def default_name(user: Any) -> object:
    """The first of username, email, name, sub and id that a user has, as an attribute or as a key."""
    if isinstance(user, Mapping):
        return _first(user.get(name) for name in _ATTRIBUTES)
    found = _first(getattr(user, name, None) for name in _ATTRIBUTES)
    # Some applications know no more of a user than a name or a number.
    return user if found is None and isinstance(user, str | int) and not isinstance(user, bool) else found


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


def _first(values: Any) -> object:
    return next((value for value in values if value not in (None, "") and not callable(value)), None)
