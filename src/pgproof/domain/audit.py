"""What the audit trail holds: who did what, from where, and how it ended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pgproof.domain.secret import Secret, without_url_passwords

DONE = "done"

_MASK = "***"
_LONGEST_TEXT = 1_000
_LONGEST_NAME = 2_000  # bytes: the trail is searched by names, and an entry of an index takes no more than 2,704
_SECRET_NAME = re.compile(r"passw|passphrase|secret|authorization|credential|(access|refresh|api)_token", re.IGNORECASE)


@dataclass(frozen=True)
class AuditEntry:
    """One line of the audit trail. `outcome` is ``done`` or the code of the error.

    `actor` and `object` are names as they were then: they outlive what they name.
    """

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    address: str | None = None
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def as_name(text: str) -> str:
    """The name of somebody or something as the trail may hold it, whatever characters it is made of."""
    shown: str = without_secret_values(text)
    stored = shown.encode(errors="replace")
    return shown if len(stored) <= _LONGEST_NAME else f"{stored[:_LONGEST_NAME].decode(errors='ignore')}..."


def without_secret_values(value: Any) -> Any:
    """`value` as the trail may hold it: what sounds secret is masked, long texts are cut."""
    match value:
        case Mapping():
            return {
                str(key): _MASK if _SECRET_NAME.search(str(key)) and inner else without_secret_values(inner)
                for key, inner in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [without_secret_values(inner) for inner in value]
        case Secret():
            return _MASK
        case bool() | int() | float() | None:
            return value
    text = without_url_passwords(str(value))
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
