"""The catalog as one document: for people, and for another catalog to take over how the installation is arranged."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from pgproof.domain.access import User
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.schedule import Schedule
from pgproof.domain.secret import Secret
from pgproof.services.ports import BackupFilter, Catalog, Clock

FORMAT_VERSION = 1
_ALL = 10_000_000


def export(
    catalog: Catalog,
    clock: Clock,
    product_version: str,
    *,
    schedules: Sequence[Schedule],
    rules: Sequence[AlertRule],
    users: Sequence[User],
) -> Mapping[str, Any]:
    """How the installation is arranged and what it has done, without any secret. Times are ISO 8601 in UTC.

    So databases are without passwords, notification rules without URLs, users without hashes, and tokens are left out.
    """
    return {
        "format_version": FORMAT_VERSION,
        "product": "pgproof",
        "product_version": product_version,
        "exported_at": clock.now().isoformat(),
        "installation": catalog.installation(),
        "databases": [_plain(one) for one in catalog.list_databases()],
        "schedules": [_plain(one) for one in schedules],
        "rules": [_of_rule(one) for one in rules],
        "users": [_of_user(one) for one in users],
        "backups": [_plain(one) for one in catalog.list_backups(BackupFilter(limit=_ALL))],
        "restores": [_plain(one) for one in catalog.list_restores(_ALL)],
        "restore_tests": [_plain(one) for one in catalog.list_restore_tests(_ALL)],
    }


def _of_rule(rule: AlertRule) -> Mapping[str, Any]:
    """Of its URLs only how many there are: they are secrets."""
    return {**_plain(rule), "kinds": sorted(rule.kinds), "urls": len(rule.urls)}


def _of_user(user: User) -> Mapping[str, Any]:
    return {"name": user.name, "role": user.role, "active": user.active, "created_at": _plain(user.created_at)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    match value:
        case Secret():
            return None
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | frozenset():
            return [_plain(item) for item in value]
    return value
