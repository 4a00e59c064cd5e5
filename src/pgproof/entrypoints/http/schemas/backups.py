"""Backups as the API shows them, and what a request for one may say."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import Backup, BackupStatus, BackupTrigger
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.entrypoints.http.fields import (
    Cursor,
    DatabaseName,
    Description,
    Limit,
    Number,
    OfDatabase,
    Request,
    Text,
    Truth,
    WrittenFormat,
)
from pgproof.services.ports import BackupFilter, BackupStats, ListedBackup

_MB = 1024**2
_GB = 1024**3


class CreateBackup(Request):
    """What to back up and how; every field may be left out, then the settings decide."""

    database: DatabaseName | None = Field(
        default=None, description="A registered name; else the first protected database."
    )
    description: Description | None = Field(
        default=None, description="A note to find it by.", examples=["before the upgrade"]
    )
    include_logs: Truth = Field(default=False, description="With the rows of the log tables.")
    include_cache: Truth = Field(default=False, description="With the rows of the cache tables.")
    compression_level: Annotated[Number, Field(ge=0, le=9)] | None = Field(
        default=None, description="Effort from 0 (none) to 9 (smallest).", examples=[6]
    )
    parallel_jobs: Annotated[Number, Field(ge=1, le=64)] | None = Field(
        default=None, description="Processes that dump at once, in the directory format."
    )
    format: WrittenFormat | None = Field(
        default=None, description="`custom` is one stream, `directory` can be dumped by several processes."
    )
    compression: Compression | None = Field(default=None, description="How the archive is compressed.")
    fingerprint: FingerprintLevel | None = Field(default=None, description="What a restore is compared with.")


class CreatedBackup(BaseModel):
    """A backup that was asked for: `pending` until a worker takes it, `completed` when it is done."""

    id: int
    filename: str
    status: BackupStatus
    created_at: datetime
    message: str
    database: str
    job_id: int


class BackupQuery(Request):
    """Which backups to list, newest first."""

    limit: Limit = 50
    status: BackupStatus | None = Field(default=None, description="Only those that stand so.")
    database: OfDatabase = None
    trigger_source: BackupTrigger | None = Field(default=None, description="Only those that this has started.")
    q: Annotated[Text, Field(max_length=200)] | None = Field(
        default=None,
        description="Words of which each must begin a word of the description, the database or the filename.",
    )
    cursor: Cursor = None


class BackupRow(BaseModel):
    """One backup of a list."""

    id: int
    database: str
    filename: str
    file_size_mb: float | None
    status: BackupStatus
    deletion_started_at: datetime | None
    created_at: datetime
    completed_at: datetime | None
    duration_seconds: int | None
    description: str | None
    trigger_source: BackupTrigger
    proven_at: datetime | None


class BackupList(BaseModel):
    """A page of backups; `total` counts all that the filters mean, on whatever page."""

    backups: list[BackupRow]
    total: int
    next_cursor: str | None


class BackupDetails(BackupRow):
    """Everything that the catalog knows about a backup. `file_size` and `database_size_bytes` are bytes."""

    file_path: str
    storage_url: str
    file_size: int | None
    checksum_sha256: str | None
    format: ArchiveFormat
    compression: Compression
    compression_level: int
    parallel_jobs: int
    include_logs: bool
    include_cache: bool
    fingerprint: FingerprintLevel
    database_size_bytes: int | None
    tables_count: int | None
    started_at: datetime | None
    expires_at: datetime | None
    verified_at: datetime | None
    held: bool
    held_until: datetime | None
    error_message: str | None
    error_details: dict[str, Any]


class Stats(BaseModel):
    """Totals. `total_backups` counts all that are not expired or deleted, the rest is of the usable ones."""

    total_backups: int
    completed_backups: int
    total_size_gb: float
    latest_backup_date: datetime | None
    retention_days: int
    backup_directory: str


class HoldAnswer(BaseModel):
    """Whether a backup is held now."""

    id: int
    held: bool
    message: str


class Message(BaseModel):
    """What was done."""

    message: str


class LogLines(BaseModel):
    """A job's log, line by line."""

    lines: list[str]


def backup_filter(query: BackupQuery) -> BackupFilter:
    """The filter that a query means, without its place in the list."""
    return BackupFilter(
        limit=query.limit,
        status=query.status,
        database=query.database,
        trigger_source=query.trigger_source,
        text=query.q,
    )


def backup_row(backup: Backup | ListedBackup) -> BackupRow:
    """One backup of a list."""
    return BackupRow.model_construct(**_row(backup))


def backup_details(backup: Backup) -> BackupDetails:
    """Everything that the catalog knows about a backup."""
    options = backup.options
    return BackupDetails(
        **_row(backup),
        file_path=backup.file_path,
        storage_url=backup.storage_url,
        file_size=backup.file_size,
        checksum_sha256=backup.checksum_sha256,
        format=options.format,
        compression=backup.compression,
        compression_level=options.compression_level,
        parallel_jobs=options.parallel_jobs,
        include_logs=options.include_logs,
        include_cache=options.include_cache,
        fingerprint=options.fingerprint,
        database_size_bytes=backup.database_size_bytes,
        tables_count=backup.tables_count,
        started_at=backup.started_at,
        expires_at=backup.expires_at,
        verified_at=backup.verified_at,
        held=backup.held,
        held_until=backup.held_until,
        error_message=backup.error_message,
        error_details=dict(backup.error_details),
    )


def stats(found: BackupStats, retention_days: int, directory: str) -> Stats:
    """The totals."""
    return Stats(
        total_backups=found.total_backups,
        completed_backups=found.completed_backups,
        total_size_gb=_rounded(found.total_size, _GB, "0.001"),
        latest_backup_date=found.latest_backup_at,
        retention_days=retention_days,
        backup_directory=directory,
    )


def _row(backup: Backup | ListedBackup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "database": backup.database,
        "filename": backup.filename,
        "file_size_mb": None if backup.file_size is None else _rounded(backup.file_size, _MB, "0.01"),
        "status": backup.status,
        "deletion_started_at": backup.deletion_started_at,
        "created_at": backup.created_at,
        "completed_at": backup.completed_at,
        "duration_seconds": backup.duration_seconds,
        "description": backup.description,
        "trigger_source": backup.trigger_source,
        "proven_at": backup.proven_at,
    }


def _rounded(count: int, unit: int, digits: str) -> float:
    return float((Decimal(count) / unit).quantize(Decimal(digits), ROUND_HALF_UP))
