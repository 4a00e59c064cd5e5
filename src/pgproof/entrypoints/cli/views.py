"""Values of the domain as the JSON objects of the API."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pgproof.domain.backup import Backup
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import Restore, RestoreStatus
from pgproof.services.ports import BackupStats

MB = 1024**2
GB = 1024**3


def backup_row(backup: Backup) -> dict[str, Any]:
    """One element of a list of backups."""
    return {
        "id": backup.id,
        "database": backup.database,
        "filename": backup.filename,
        "file_size_mb": _rounded(backup.file_size, MB, "0.01"),
        "status": backup.status.value,
        "deletion_started_at": _time(backup.deletion_started_at),
        "created_at": _time(backup.created_at),
        "completed_at": _time(backup.completed_at),
        "duration_seconds": backup.duration_seconds,
        "description": backup.description,
        "trigger_source": backup.trigger_source.value,
        "proven_at": _time(backup.proven_at),
    }


def backup_created(backup: Backup, manifest: Manifest, message: str) -> dict[str, Any]:
    """The answer to a request for a backup that is done."""
    return {
        **backup_row(backup),
        **_archive(backup),
        "excluded_data": list(manifest.excluded_data),
        "unrestorable": list(manifest.unrestorable),
        "message": message,
    }


def backup_whole(backup: Backup, manifest: Manifest | None, restores: list[Restore]) -> dict[str, Any]:
    """Everything that is known about a backup."""
    options = backup.options
    return {
        **backup_row(backup),
        **_archive(backup),
        "compression_level": options.compression_level,
        "parallel_jobs": options.parallel_jobs,
        "include_logs": options.include_logs,
        "include_cache": options.include_cache,
        "started_at": _time(backup.started_at),
        "expires_at": _time(backup.expires_at),
        "verified_at": _time(backup.verified_at),
        "held": backup.held,
        "held_until": _time(backup.held_until),
        "error_message": backup.error_message,
        "error_details": dict(backup.error_details),
        "manifest": None if manifest is None else _manifest(manifest),
        "restores": [restore_row(restore) for restore in restores],
    }


def restore_row(restore: Restore) -> dict[str, Any]:
    """A restore, as its answer and as an element of lists."""
    options = restore.options
    return {
        "restore_id": restore.id,
        "backup_id": restore.backup_id,
        "database": restore.database,
        "dbname": restore.dbname,
        "mode": options.mode.value,
        "target_database": options.target_database,
        "tables": list(options.tables),
        "schemas": list(options.schemas),
        "no_owner": options.no_owner,
        "no_acl": options.no_acl,
        "role_map": dict(options.role_map),
        "success": restore.status is RestoreStatus.COMPLETED,
        "status": restore.status.value,
        "step": restore.step.value,
        "created_at": _time(restore.created_at),
        "completed_at": _time(restore.completed_at),
        "duration_seconds": restore.duration_seconds,
        "safety_backup_id": restore.safety_backup_id,
        "analyzed": options.run_analyze,
        "timings": dict(restore.timings),
        "previous_database": restore.previous_database,
        "kept_database": restore.kept_database,
        "undo_until": _time(restore.undo_until),
        "databases_dropped_at": _time(restore.databases_dropped_at),
        "error_message": restore.error_message,
    }


def stats(found: BackupStats, retention_days: int, directory: str) -> dict[str, Any]:
    """The totals."""
    return {
        "total_backups": found.total_backups,
        "completed_backups": found.completed_backups,
        "total_size_gb": _rounded(found.total_size, GB, "0.001"),
        "latest_backup_date": _time(found.latest_backup_at),
        "retention_days": retention_days,
        "backup_directory": directory,
    }


def place(connection: ConnectionInfo) -> dict[str, Any]:
    """Where a database is and who we are there, without a password."""
    return {
        "host": connection.host,
        "port": connection.port,
        "user": connection.user,
        "dbname": connection.dbname,
    }


def database_row(database: Database) -> dict[str, Any]:
    """A registered database, without its password."""
    return {
        "name": database.name,
        **place(database.connection),
        "options": dict(database.connection.options),
        "group": database.group,
    }


def _archive(backup: Backup) -> dict[str, Any]:
    return {
        "file_path": backup.file_path,
        "storage_url": backup.storage_url,
        "file_size": backup.file_size,
        "checksum_sha256": backup.checksum_sha256,
        "format": backup.options.format.value,
        "compression": backup.compression.value,
        "database_size_bytes": backup.database_size_bytes,
        "tables_count": backup.tables_count,
    }


def _manifest(manifest: Manifest) -> dict[str, Any]:
    held = manifest.fingerprint
    return {
        "product_version": manifest.product_version,
        "dbname": manifest.dbname,
        "system_identifier": manifest.system_identifier,
        "server_version": manifest.server_version,
        "client_version": manifest.client_version,
        "snapshot": manifest.snapshot,
        "started_at": _time(manifest.started_at),
        "completed_at": _time(manifest.completed_at),
        "rows": held.rows,
        "fingerprint": held.level.value,
        "tables": dict(sorted(held.tables.items())),
        "digests": dict(sorted(held.digests.items())),
        "schema_only": sorted(held.schema_only),
        "excluded_data": list(manifest.excluded_data),
        "unrestorable": list(manifest.unrestorable),
        "sequences": {name: asdict(position) for name, position in sorted(held.sequences.items())},
        "extensions": dict(sorted(held.extensions.items())),
        "large_objects": held.large_objects,
        "owner": manifest.properties.owner,
        "encoding": manifest.properties.encoding,
        "roles": list(manifest.roles),
        "objects": [asdict(item) for item in manifest.objects],
        "imported_from": manifest.imported_from,
    }


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat()


def _rounded(count: int | None, unit: int, digits: str) -> float | None:
    if count is None:
        return None
    return float((Decimal(count) / unit).quantize(Decimal(digits), ROUND_HALF_UP))


def restores(found: Sequence[Restore]) -> dict[str, Any]:
    """A list of restores."""
    return {"restores": [restore_row(restore) for restore in found]}


def listing(backups: list[Backup]) -> Mapping[str, Any]:
    """A list of backups."""
    return {"backups": [backup_row(backup) for backup in backups]}
