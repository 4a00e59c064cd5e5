"""Recording that a swap happened: by the process that did it, or by the one that found it done."""

from dataclasses import replace
from datetime import datetime, timedelta

from pgproof.domain.backup import BackupStatus
from pgproof.domain.restore import Restore, RestoreStatus, RestoreStep
from pgproof.services.ports import Catalog


def complete(catalog: Catalog, restore: Restore, now: datetime, undo_hours: int) -> Restore:
    """Mark the restore completed and its backup restored; the undo window begins now."""
    done = replace(
        restore,
        status=RestoreStatus.COMPLETED,
        step=RestoreStep.DONE,
        completed_at=now,
        duration_seconds=(now - (restore.started_at or now)).total_seconds(),
        undo_until=now + timedelta(hours=undo_hours) if restore.previous_database else None,
    )
    catalog.save_restore(done)
    backup = catalog.get_backup(restore.backup_id)
    catalog.save_backup(replace(backup, status=BackupStatus.RESTORED), expected=backup.status)
    return done
