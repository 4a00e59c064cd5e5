"""Backups for tests that need rows and nothing behind them."""

from datetime import UTC, datetime
from typing import Any

from pgproof.domain.archive import Compression, ObjectNames
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger

STORAGE = "memory://"


def a_backup(
    number: int,
    taken_at: datetime,
    *,
    database: str = "shop",
    status: BackupStatus = BackupStatus.COMPLETED,
    trigger: BackupTrigger = BackupTrigger.SCHEDULED_CRON,
    **fields: Any,
) -> Backup:
    """A backup with an archive of 1000 bytes whose work began at `taken_at`."""
    options = BackupOptions()
    names = ObjectNames.make(database, taken_at, number, options.format, Compression.ZSTD)
    values: dict[str, Any] = {"started_at": taken_at, "file_size": 1000, "storage_url": STORAGE, **fields}
    return Backup(
        id=number,
        database=database,
        filename=names.filename,
        file_path=names.archive,
        options=options,
        compression=Compression.ZSTD,
        status=status,
        trigger_source=trigger,
        created_at=taken_at,
        **values,
    )


def at(text: str) -> datetime:
    """A moment in UTC: "2025-03-30" or "2025-03-30 02:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
