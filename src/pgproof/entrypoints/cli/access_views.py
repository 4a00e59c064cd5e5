"""Users, API tokens and the audit trail as the JSON objects of the API."""

from datetime import UTC, datetime
from typing import Any

from pgproof.domain.access import ApiToken, User
from pgproof.domain.audit import AuditEntry


def user_row(user: User) -> dict[str, Any]:
    """A user."""
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role.value,
        "active": user.active,
        "created_at": _time(user.created_at),
        "last_sign_in_at": _time(user.last_sign_in_at),
    }


def token_row(token: ApiToken) -> dict[str, Any]:
    """An API token, without its text: that is not kept."""
    return {
        "id": token.id,
        "user": token.user_name,
        "name": token.name,
        "role": token.role.value,
        "created_at": _time(token.created_at),
        "expires_at": _time(token.expires_at),
        "last_used_at": _time(token.last_used_at),
        "revoked_at": _time(token.revoked_at),
    }


def audit_row(entry: AuditEntry) -> dict[str, Any]:
    """A line of the audit trail."""
    return {
        "id": entry.id,
        "at": _time(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "outcome": entry.outcome,
        "address": entry.address,
        "request_id": entry.request_id,
        "details": dict(entry.details),
    }


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat()
