"""Giving a backup back that was begun: it waits again, under its own number.

It gets another folder. Whoever began it may have been taken for dead wrongly, and may store, or remove, for as long
as he lives: he does it where nobody else is.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from pgproof.domain.archive import ObjectNames, time_in_name
from pgproof.domain.backup import Backup, BackupStatus
from pgproof.services.ports import Catalog


def hand_back(catalog: Catalog, running: Backup, now: datetime) -> Backup:
    """Make a running backup pending again. Whoever calls owns it, and has removed its objects.

    They go first: if that is interrupted, the backup is still running, and recovery goes on. Raises `Conflict` if
    somebody else has settled it.
    """
    options = running.options
    names = ObjectNames.make(running.database, _later(running, now), running.id, options.format, running.compression)
    pending = replace(
        running,
        status=BackupStatus.PENDING,
        filename=names.filename,
        file_path=names.archive,
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


def _later(running: Backup, now: datetime) -> datetime:
    """A second that no attempt before it has had."""
    last = time_in_name(running.filename)
    return now if last is None else max(now, last + timedelta(seconds=1))
