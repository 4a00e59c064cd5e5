"""The catalog as one document: for people, and to register the databases in another catalog."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from pgproof.domain.database import ConnectionInfo, check_name
from pgproof.domain.errors import InvalidInput
from pgproof.domain.secret import Secret
from pgproof.services.ports import BackupFilter, Catalog, Clock

FORMAT_VERSION = 1
_ALL = 10_000_000


def export(catalog: Catalog, clock: Clock, product_version: str) -> Mapping[str, Any]:
    """Databases without their passwords, backups, restores and restore tests. Times are ISO 8601 in UTC."""
    return {
        "format_version": FORMAT_VERSION,
        "product": "pgproof",
        "product_version": product_version,
        "exported_at": clock.now().isoformat(),
        "installation": catalog.installation(),
        "databases": [_plain(one) for one in catalog.list_databases()],
        "backups": [_plain(one) for one in catalog.list_backups(BackupFilter(limit=_ALL))],
        "restores": [_plain(one) for one in catalog.list_restores(_ALL)],
        "restore_tests": [_plain(one) for one in catalog.list_restore_tests(_ALL)],
    }


def databases_of(document: str) -> Mapping[str, ConnectionInfo]:
    """The databases that an export names, without passwords. Raises `InvalidInput`."""
    try:
        body = json.loads(document)
        _check_kind(body["product"], body["format_version"])
        return {check_name(item["name"]): _connection(item["connection"]) for item in body["databases"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"this is not a catalog that pgproof has exported: {error}", hint="Make one: pgproof catalog export"
        ) from error


def _check_kind(product: object, version: object) -> None:
    if (product, version) != ("pgproof", FORMAT_VERSION):
        raise ValueError(f"it is of {product}, version {version}")


def _connection(body: Mapping[str, Any]) -> ConnectionInfo:
    return ConnectionInfo(
        dbname=str(body["dbname"]),
        host=str(body["host"]),
        port=int(body["port"]),
        user=str(body["user"]),
        options={str(name): str(value) for name, value in body["options"].items()},
    )


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
