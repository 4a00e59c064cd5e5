"""A backup: one database at one snapshot, with globals and manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pgproof.domain.archive import ArchiveFormat, Compression, check_jobs, check_level, compression_for
from pgproof.domain.errors import Conflict
from pgproof.domain.fingerprint import FingerprintLevel


class BackupStatus(StrEnum):
    """Where a backup stands. `restored` was restored at least once and stays restorable."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    RESTORED = "restored"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DELETED = "deleted"


class BackupTrigger(StrEnum):
    """Who asked for the backup."""

    MANUAL_API = "manual_api"
    SCHEDULED_CRON = "scheduled_cron"
    PRE_RESTORE_SAFETY = "pre_restore_safety"
    MANUAL_CLI = "manual_cli"
    IMPORTED = "imported"


USABLE = frozenset({BackupStatus.COMPLETED, BackupStatus.RESTORED})
UNFINISHED = frozenset({BackupStatus.PENDING, BackupStatus.RUNNING})
GONE = frozenset({BackupStatus.EXPIRED, BackupStatus.DELETED})

_TRANSITIONS: Mapping[BackupStatus, frozenset[BackupStatus]] = {
    BackupStatus.PENDING: frozenset({BackupStatus.RUNNING, BackupStatus.CANCELLED, BackupStatus.FAILED}),
    # To pending goes what is handed back, after all that it had stored was removed.
    BackupStatus.RUNNING: frozenset(
        {BackupStatus.COMPLETED, BackupStatus.FAILED, BackupStatus.CANCELLED, BackupStatus.PENDING}
    ),
    BackupStatus.COMPLETED: frozenset({BackupStatus.RESTORED, BackupStatus.EXPIRED, BackupStatus.DELETED}),
    BackupStatus.RESTORED: frozenset({BackupStatus.RESTORED, BackupStatus.EXPIRED, BackupStatus.DELETED}),
    BackupStatus.FAILED: frozenset({BackupStatus.DELETED}),
    BackupStatus.CANCELLED: frozenset({BackupStatus.DELETED}),
    BackupStatus.EXPIRED: frozenset({BackupStatus.DELETED}),
    BackupStatus.DELETED: frozenset(),
}


def check_transition(current: BackupStatus, wanted: BackupStatus) -> None:
    """Raise `Conflict` unless a backup may go from `current` to `wanted`."""
    if wanted not in _TRANSITIONS[current]:
        raise Conflict(f"a backup that is {current} cannot become {wanted}")


@dataclass(frozen=True)
class BackupOptions:
    """What to take and how. Making one checks every value; raises `InvalidInput`."""

    format: ArchiveFormat = ArchiveFormat.CUSTOM
    compression: Compression | None = None
    compression_level: int = 6
    parallel_jobs: int = 1
    include_logs: bool = False
    include_cache: bool = False
    description: str | None = None
    fingerprint: FingerprintLevel = FingerprintLevel.COUNTS

    def __post_init__(self) -> None:
        check_level(self.compression_level)
        check_jobs(self.parallel_jobs)

    @property
    def effective_compression(self) -> Compression:
        """What level and wish amount to."""
        return compression_for(self.compression_level, self.compression)


@dataclass(frozen=True, slots=True)
class Backup:
    """A row of the catalog's `backup_jobs`. Sizes are bytes, durations whole seconds, times aware.

    A hold with `held_until` ends then by itself. From `deletion_started_at` on the backup is being deleted,
    and becomes `deletion_target` when the last of its objects is gone: one that failed stays failed.
    """

    id: int
    database: str
    filename: str
    file_path: str
    storage_url: str
    options: BackupOptions
    compression: Compression
    status: BackupStatus
    trigger_source: BackupTrigger
    created_at: datetime
    file_size: int | None = None
    checksum_sha256: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: int | None = None
    error_message: str | None = None
    error_details: Mapping[str, Any] = field(default_factory=dict)
    database_size_bytes: int | None = None
    tables_count: int | None = None
    expires_at: datetime | None = None
    held: bool = False
    verified_at: datetime | None = None
    held_until: datetime | None = None
    deletion_started_at: datetime | None = None
    deletion_target: BackupStatus | None = None
    proven_at: datetime | None = None
    rows_count: int | None = None

    @property
    def taken_at(self) -> datetime:
        """The moment by which retention and people order backups."""
        return self.started_at or self.created_at

    @property
    def usable(self) -> bool:
        """Whether it can be verified and restored."""
        return self.status in USABLE and self.deletion_started_at is None

    @property
    def being_deleted(self) -> bool:
        """Whether its deletion has begun and not ended: some of its objects may be gone."""
        return self.deletion_started_at is not None and self.status not in GONE

    def is_held(self, now: datetime) -> bool:
        """Whether a hold exempts it from deletion at this moment."""
        return self.held and (self.held_until is None or now < self.held_until)

    @property
    def folder(self) -> str:
        """The storage folder that holds all objects of the backup."""
        return self.file_path.rpartition("/")[0]

    @property
    def description(self) -> str | None:
        """What the person who asked for it wrote."""
        return self.options.description


def tombstone(backup: Backup, target: BackupStatus, now: datetime) -> Backup:
    """The backup as one whose deletion begins now, towards `target`: `expired` or `deleted`.

    One that is being deleted already comes back as it is. Raises `Conflict` for one that may not be deleted.
    """
    if backup.being_deleted and backup.deletion_target in GONE:
        return backup
    if backup.status in GONE and backup.status is target:
        raise Conflict(
            f"backup {backup.id} is {backup.status} already",
            hint="Nothing of it is stored any more; `pgproof list` shows what there is.",
        )
    if backup.status is BackupStatus.RUNNING:
        raise Conflict(f"backup {backup.id} is {backup.status}", hint="Wait until it has ended.")
    if backup.status is BackupStatus.PENDING:
        # Who deletes owns it, so no worker has begun and none will: it is called off.
        backup = replace(backup, status=BackupStatus.CANCELLED)
    if backup.is_held(now):
        raise Conflict(f"backup {backup.id} is held", hint=f"Release it first: pgproof release {backup.id}")
    check_transition(backup.status, target)
    return replace(backup, deletion_started_at=now, deletion_target=target)


def with_remains(backup: Backup, now: datetime) -> Backup:
    """A backup that failed or was cancelled, as one of which what it has stored is still to be removed."""
    return replace(backup, deletion_started_at=now, deletion_target=backup.status)
