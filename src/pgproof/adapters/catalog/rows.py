"""Between the catalog's rows and the domain's values."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row

from pgproof.adapters.catalog.models import BackupRow, DatabaseRow, RestoreRow
from pgproof.domain.archive import ArchiveFormat, Compression, ObjectNames
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import ConfigurationError
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.domain.secret import LostSecret, Secret
from pgproof.services.ports import Seal


def clean(value: Any) -> Any:
    """Text as PostgreSQL can hold it: tools may write NUL and bytes that are no characters."""
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
        case Mapping():
            return {clean(key): clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [clean(inner) for inner in value]
    return value


def connection_values(connection: ConnectionInfo, seal: Seal) -> dict[str, Any]:
    """The columns of `databases` that say how to reach it."""
    password = connection.password
    return {
        "dbname": connection.dbname,
        "host": connection.host,
        "port": connection.port,
        "username": connection.user,
        "password_sealed": None if password is None else seal.seal(password.reveal()),
        "options": dict(connection.options),
    }


def to_database(row: DatabaseRow, seal: Seal) -> Database:
    """A registered database. A password that cannot be opened is a `LostSecret`, and in nobody else's way."""
    connection = ConnectionInfo(
        dbname=row.dbname,
        host=row.host,
        port=row.port,
        user=row.username,
        password=None if row.password_sealed is None else _opened(row.password_sealed, seal),
        options=row.options,
    )
    return Database(row.id, row.name, connection, row.from_settings, row.worker_group)


def _opened(sealed: bytes, seal: Seal) -> Secret:
    try:
        return Secret(seal.open(sealed))
    except ConfigurationError:
        return LostSecret(partial(seal.open, sealed))


def new_backup(
    new_id: int, database: str, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
) -> Backup:
    """A pending backup with the names that its number gives it."""
    compression = options.effective_compression
    names = ObjectNames.make(database, now, new_id, options.format, compression)
    return Backup(
        id=new_id,
        database=database,
        filename=names.filename,
        file_path=names.archive,
        storage_url=storage_url,
        options=options,
        compression=compression,
        status=BackupStatus.PENDING,
        trigger_source=trigger,
        created_at=now,
    )


def backup_values(backup: Backup) -> dict[str, Any]:
    """Every column of a backup but its id."""
    options = backup.options
    values: dict[str, Any] = clean(
        {
            "filename": backup.filename,
            "file_path": backup.file_path,
            "file_size": backup.file_size,
            "checksum_sha256": backup.checksum_sha256,
            "format": options.format.value,
            "compression_level": options.compression_level,
            "include_logs": options.include_logs,
            "include_cache": options.include_cache,
            "parallel_jobs": options.parallel_jobs,
            "started_at": backup.started_at,
            "completed_at": backup.completed_at,
            "duration_seconds": backup.duration_seconds,
            "error_message": backup.error_message,
            "error_details": backup.error_details or None,
            "database_size_bytes": backup.database_size_bytes,
            "tables_count": backup.tables_count,
            "rows_count": backup.rows_count,
            "created_at": backup.created_at,
            "expires_at": backup.expires_at,
            "description": options.description,
            "database": backup.database,
            "storage_url": backup.storage_url,
            "compression": backup.compression.value,
            "compression_wanted": options.compression.value if options.compression else None,
            "held": backup.held,
            "verified_at": backup.verified_at,
            "held_until": backup.held_until,
            "deletion_started_at": backup.deletion_started_at,
            "fingerprint": options.fingerprint.value,
            "proven_at": backup.proven_at,
        }
    )
    # As they are, not as text: SQLAlchemy knows these enums.
    return {
        **values,
        "status": backup.status,
        "trigger_source": backup.trigger_source,
        "deletion_target": backup.deletion_target,
    }


def to_backup(row: BackupRow | Row[Any]) -> Backup:
    """A backup, from an object or from a plain row of the same columns."""
    return Backup(
        id=row.id,
        database=row.database,
        filename=row.filename,
        file_path=row.file_path,
        storage_url=row.storage_url,
        options=BackupOptions(
            format=ArchiveFormat(row.format),
            compression=Compression(row.compression_wanted) if row.compression_wanted else None,
            compression_level=row.compression_level,
            parallel_jobs=row.parallel_jobs,
            include_logs=row.include_logs,
            include_cache=row.include_cache,
            description=row.description,
            fingerprint=FingerprintLevel(row.fingerprint),
        ),
        compression=Compression(row.compression),
        status=row.status,
        trigger_source=row.trigger_source,
        created_at=row.created_at,
        file_size=row.file_size,
        checksum_sha256=row.checksum_sha256,
        started_at=row.started_at,
        completed_at=row.completed_at,
        duration_seconds=row.duration_seconds,
        error_message=row.error_message,
        error_details=row.error_details or {},
        database_size_bytes=row.database_size_bytes,
        tables_count=row.tables_count,
        rows_count=row.rows_count,
        expires_at=row.expires_at,
        held=row.held,
        verified_at=row.verified_at,
        held_until=row.held_until,
        deletion_started_at=row.deletion_started_at,
        deletion_target=row.deletion_target,
        proven_at=row.proven_at,
    )


def restore_values(restore: Restore) -> dict[str, Any]:
    """Every column of a restore but its id."""
    options = restore.options
    values: dict[str, Any] = clean(
        {
            "backup_id": restore.backup_id,
            "safety_backup_id": restore.safety_backup_id,
            "database": restore.database,
            "dbname": restore.dbname,
            "shadow_database": restore.shadow_database,
            "previous_database": restore.previous_database,
            "mode": options.mode.value,
            "create_safety_backup": options.create_safety_backup,
            "run_analyze": options.run_analyze,
            "parallel_jobs": options.parallel_jobs,
            "status": restore.status.value,
            "step": restore.step.value,
            "created_at": restore.created_at,
            "started_at": restore.started_at,
            "completed_at": restore.completed_at,
            "duration_seconds": restore.duration_seconds,
            "undo_until": restore.undo_until,
            "timings": restore.timings,
            "further_options": {
                "drop_existing": options.drop_existing,
                "target_database": options.target_database,
                "tables": list(options.tables),
                "schemas": list(options.schemas),
                "no_owner": options.no_owner,
                "no_acl": options.no_acl,
                "role_map": dict(options.role_map),
                "tablespace": options.tablespace,
                "force": options.force,
                "autovacuum": options.autovacuum,
            },
            "transaction_id": restore.transaction,
            "live_oid": restore.live_oid,
            "shadow_oid": restore.shadow_oid,
            "system_identifier": restore.system_identifier,
            "error_message": restore.error_message,
            "error_details": restore.error_details,
            "databases_dropped_at": restore.databases_dropped_at,
        }
    )
    return values


def to_restore(row: RestoreRow) -> Restore:
    """A restore."""
    return Restore(
        id=row.id,
        backup_id=row.backup_id,
        database=row.database,
        options=RestoreOptions(
            mode=RestoreMode(row.mode),
            create_safety_backup=row.create_safety_backup,
            run_analyze=row.run_analyze,
            parallel_jobs=row.parallel_jobs,
            **_further_options(row.further_options),
        ),
        status=RestoreStatus(row.status),
        step=RestoreStep(row.step),
        created_at=row.created_at,
        dbname=row.dbname,
        shadow_database=row.shadow_database,
        previous_database=row.previous_database,
        safety_backup_id=row.safety_backup_id,
        started_at=row.started_at,
        completed_at=row.completed_at,
        duration_seconds=row.duration_seconds,
        undo_until=row.undo_until,
        timings=row.timings,
        transaction=row.transaction_id,
        live_oid=row.live_oid,
        shadow_oid=row.shadow_oid,
        system_identifier=row.system_identifier,
        error_message=row.error_message,
        error_details=row.error_details,
        databases_dropped_at=row.databases_dropped_at,
    )


def _further_options(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What a restore was asked for; rows of earlier revisions leave all of it out."""
    lists = {name: tuple(stored[name]) for name in ("tables", "schemas") if name in stored}
    return {**stored, **lists}
