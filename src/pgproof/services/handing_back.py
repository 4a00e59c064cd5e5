"""Giving a backup back that was begun: it waits again, under its own number, and nothing of it is left."""

from dataclasses import replace

from pgproof.domain.backup import Backup, BackupStatus
from pgproof.services.ports import Catalog


def hand_back(catalog: Catalog, running: Backup) -> Backup:
    """Make a running backup pending again. Whoever calls owns it, and has removed its objects.

    They go first: if that is interrupted, the backup is still running, and recovery goes on. Raises `Conflict` if
    somebody else has settled it.
    """
    pending = replace(
        running,
        status=BackupStatus.PENDING,
        started_at=None,
        file_size=None,
        checksum_sha256=None,
        database_size_bytes=None,
        tables_count=None,
        rows_count=None,
        verified_at=None,
    )
    catalog.save_backup(pending, expected=BackupStatus.RUNNING)
    return pending
