"""A manifest as the API shows it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from pgproof.domain.archive import Compression
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.manifest import Manifest


class StoredObjectView(BaseModel):
    """One stored object; `size` in bytes, `sha256` in hex."""

    name: str
    size: int
    sha256: str
    compression: Compression
    encryption: str | None


class ManifestView(BaseModel):
    """What the database held in the snapshot, and what is stored of it. `tables` are row counts by name.

    `unrestorable` is what the archive holds and PostgreSQL brings back from none. `imported_from` is the name of a dump
    that somebody else has made: then nothing was counted.
    """

    product_version: str
    dbname: str
    system_identifier: str
    server_version: str
    client_version: str
    snapshot: str
    started_at: datetime
    completed_at: datetime
    rows: int
    fingerprint: FingerprintLevel
    tables: dict[str, int | None]
    digests: dict[str, str]
    schema_only: list[str]
    excluded_data: list[str]
    sequences: dict[str, dict[str, Any]]
    extensions: dict[str, str]
    large_objects: int
    owner: str
    encoding: str
    roles: list[str]
    objects: list[StoredObjectView]
    unrestorable: list[str]
    imported_from: str | None


def manifest_view(manifest: Manifest) -> ManifestView:
    """The manifest without what only a restore needs."""
    held = manifest.fingerprint
    return ManifestView(
        product_version=manifest.product_version,
        dbname=manifest.dbname,
        system_identifier=manifest.system_identifier,
        server_version=manifest.server_version,
        client_version=manifest.client_version,
        snapshot=manifest.snapshot,
        started_at=manifest.started_at,
        completed_at=manifest.completed_at,
        rows=held.rows,
        fingerprint=held.level,
        tables=dict(sorted(held.tables.items())),
        digests=dict(sorted(held.digests.items())),
        schema_only=sorted(held.schema_only),
        excluded_data=list(manifest.excluded_data),
        sequences={name: asdict(position) for name, position in sorted(held.sequences.items())},
        extensions=dict(sorted(held.extensions.items())),
        large_objects=held.large_objects,
        owner=manifest.properties.owner,
        encoding=manifest.properties.encoding,
        roles=list(manifest.roles),
        objects=[StoredObjectView(**asdict(item)) for item in manifest.objects],
        unrestorable=list(manifest.unrestorable),
        imported_from=manifest.imported_from,
    )
