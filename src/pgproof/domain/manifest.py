"""The JSON beside an archive: a backup that lost its catalog still tells what it is.

Version 1. A reader refuses a newer version rather than guess; unknown keys within a known version are
left alone, so that a later release may add some.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from pgproof.domain.archive import ArchiveFormat, Compression, check_object_names
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.errors import ManifestInvalid
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel, SequencePosition
from pgproof.domain.properties import DatabaseProperties, Grant, Setting

FORMAT_VERSION = 1


@dataclass(frozen=True)
class StoredObject:
    """One object of the backup as it lies in the storage; `size` in bytes, `sha256` in hex."""

    name: str
    size: int
    sha256: str
    compression: Compression
    encryption: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Everything that a restore needs to know, without any catalog.

    `excluded_data` names the tables whose rows were left out on purpose: they come back empty.
    `unrestorable` is what the archive holds and PostgreSQL does not bring back from any: a whole restore fails at it.
    `trigger` is who asked for the backup, where that is known. `imported_from` is the name of the dump that became
    this backup without having been taken by pgproof: then nobody knows what the database held, and its owner is not
    known. `installation` tells whose catalog gave the backup its name.
    """

    product_version: str
    backup_id: int
    database: str
    dbname: str
    system_identifier: str
    server_version: str
    client_version: str
    snapshot: str
    started_at: datetime
    completed_at: datetime
    database_size_bytes: int
    options: BackupOptions
    objects: tuple[StoredObject, ...]
    fingerprint: Fingerprint
    properties: DatabaseProperties
    roles: tuple[str, ...]
    table_oids: Mapping[str, int] = field(default_factory=dict)
    excluded_data: tuple[str, ...] = ()
    unrestorable: tuple[str, ...] = ()
    trigger: BackupTrigger | None = None
    imported_from: str | None = None
    installation: str | None = None

    @property
    def comparable(self) -> bool:
        """Whether it was recorded what the database held, so that a restore can be compared with that."""
        return self.imported_from is None

    @property
    def archive(self) -> StoredObject:
        """The archive is the first object. A manifest without one does not parse."""
        return self.objects[0]

    def render(self) -> str:
        """The JSON text, stable for equal manifests."""
        body = {"format_version": FORMAT_VERSION, "product": "pgproof", **_plain(asdict(self))}
        body["fingerprint"]["schema_only"] = sorted(self.fingerprint.schema_only)
        return json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str | bytes) -> "Manifest":
        """Read what `render` wrote. Raises `ManifestInvalid`."""
        try:
            body = json.loads(text)
        except ValueError as error:
            raise ManifestInvalid(
                "the manifest is not JSON",
                hint="The backup was damaged after it was taken. Use another backup, or another copy.",
            ) from error
        _check_version(body)
        try:
            return cls._from_json(body)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ManifestInvalid(
                f"the manifest lacks a part or has it in a wrong shape: {error}",
                hint="The backup was damaged after it was taken. Use another backup, or another copy.",
            ) from error

    @classmethod
    def _from_json(cls, body: Mapping[str, Any]) -> "Manifest":
        objects = tuple(
            StoredObject(
                name=_text(item["name"]),
                size=_integer(item["size"]),
                sha256=_text(item["sha256"]),
                compression=Compression(item["compression"]),
                encryption=item["encryption"],
            )
            for item in body["objects"]
        )
        if not objects:
            raise ValueError("objects")
        check_object_names([item.name for item in objects])
        return cls(
            product_version=_text(body["product_version"]),
            backup_id=_integer(body["backup_id"]),
            database=_text(body["database"]),
            dbname=_text(body["dbname"]),
            system_identifier=_text(body["system_identifier"]),
            server_version=_text(body["server_version"]),
            client_version=_text(body["client_version"]),
            snapshot=_text(body["snapshot"]),
            started_at=datetime.fromisoformat(body["started_at"]),
            completed_at=datetime.fromisoformat(body["completed_at"]),
            database_size_bytes=_integer(body["database_size_bytes"]),
            options=_options(body["options"]),
            objects=objects,
            fingerprint=_fingerprint(body["fingerprint"]),
            properties=_properties(body["properties"]),
            roles=tuple(_text(role) for role in body["roles"]),
            table_oids={_text(name): _integer(oid) for name, oid in body.get("table_oids", {}).items()},
            excluded_data=tuple(_text(name) for name in body.get("excluded_data", ())),
            unrestorable=tuple(_text(name) for name in body.get("unrestorable", ())),
            trigger=None if body.get("trigger") is None else BackupTrigger(body["trigger"]),
            imported_from=None if body.get("imported_from") is None else _text(body["imported_from"]),
            installation=None if body.get("installation") is None else _text(body["installation"]),
        )


def _check_version(body: object) -> None:
    version = body.get("format_version") if isinstance(body, dict) else None
    if not isinstance(version, int):
        raise ManifestInvalid("the manifest has no format version", hint="Is this a backup of pgproof?")
    if version > FORMAT_VERSION:
        raise ManifestInvalid(
            f"the manifest has format version {version}, this pgproof reads up to {FORMAT_VERSION}",
            hint="Upgrade pgproof, or restore by hand as the RESTORE.md beside the manifest describes.",
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, frozenset) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not an integer")
    return value


def _options(body: Mapping[str, Any]) -> BackupOptions:
    compression = body["compression"]
    return BackupOptions(
        format=ArchiveFormat(body["format"]),
        compression=None if compression is None else Compression(compression),
        compression_level=_integer(body["compression_level"]),
        parallel_jobs=_integer(body["parallel_jobs"]),
        include_logs=bool(body["include_logs"]),
        include_cache=bool(body["include_cache"]),
        description=body["description"],
        fingerprint=FingerprintLevel(body.get("fingerprint", FingerprintLevel.COUNTS)),
    )


def _fingerprint(body: Mapping[str, Any]) -> Fingerprint:
    return Fingerprint(
        tables={_text(name): None if rows is None else _integer(rows) for name, rows in body["tables"].items()},
        schema_only=frozenset(body["schema_only"]),
        sequences={
            _text(name): SequencePosition(**_known(SequencePosition, position))
            for name, position in body["sequences"].items()
        },
        extensions={_text(name): _text(version) for name, version in body["extensions"].items()},
        large_objects=_integer(body["large_objects"]),
        level=FingerprintLevel(body.get("level", FingerprintLevel.COUNTS)),
        digests={_text(name): _text(digest) for name, digest in body.get("digests", {}).items()},
        large_objects_digest=None if body.get("large_objects_digest") is None else _text(body["large_objects_digest"]),
    )


def _properties(body: Mapping[str, Any]) -> DatabaseProperties:
    grants = body["grants"]
    known = _known(DatabaseProperties, body) | {
        "settings": tuple(Setting(**_known(Setting, item)) for item in body["settings"]),
        "grants": None if grants is None else tuple(Grant(**_known(Grant, item)) for item in grants),
    }
    return DatabaseProperties(**known)


def _known(cls: type, body: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(cls)}
    return {name: value for name, value in body.items() if name in names}
