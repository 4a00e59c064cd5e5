"""Deleting a backup in two phases, so that a crash at any point leaves nothing that looks whole and is not.

First the row becomes a tombstone: from then on the backup is not restored, not verified, not counted. Then the
objects go, the manifest before all others, and the storage is asked whether anything is left. Only then does
the row become `expired` or `deleted`. What a crash interrupts, recovery finishes from the tombstone.
So goes what a backup has stored that failed: its row stays, and says until the end that something may be left.
"""

from dataclasses import replace
from datetime import datetime

from pgproof.domain.archive import MANIFEST
from pgproof.domain.backup import GONE, USABLE, Backup, BackupStatus, tombstone
from pgproof.domain.errors import ConfigurationError, Conflict, ObjectMissing
from pgproof.services.claiming import holds_manifest, remove_left
from pgproof.services.ports import Catalog, Lock, Storage
from pgproof.services.removing import remove_objects


def delete_backup(
    catalog: Catalog, storage: Storage, backup_id: int, *, target: BackupStatus, now: datetime, why: str
) -> Backup:
    """Delete a backup until nothing of it is left; `target` is `expired` or `deleted`, `why` goes to its log.

    Raises `Conflict` for one that is held, unfinished, gone already, or that somebody works on.
    """
    with catalog.own(Lock.BACKUP, backup_id):
        check_here(storage, catalog.get_backup(backup_id))
        _check_untested(catalog, backup_id)

        def begin(backup: Backup) -> Backup:
            # Where it lies is recorded as well: with its manifest goes the proof that it was moved here.
            return replace(tombstone(backup, target, now), storage_url=storage.url)

        doomed = catalog.change_backup(backup_id, begin)
        catalog.append_log(Lock.BACKUP, backup_id, [f"its deletion begins: {why}"], now)
        return remove_remains(catalog, storage, doomed)


def _check_untested(catalog: Catalog, backup_id: int) -> None:
    """Raise `Conflict` if a restore test reads the backup: it owns itself alone, so that restores can go on."""
    for test in catalog.unfinished_restore_tests():
        if test.backup_id == backup_id and catalog.is_owned(Lock.RESTORE_TEST, test.id):
            raise Conflict(
                f"restore test {test.id} reads backup {backup_id}",
                hint="Wait until it ends. A process that died holds nothing.",
            )


def finish_deletion(catalog: Catalog, storage: Storage, backup_id: int) -> Backup:
    """Go on with a deletion that was interrupted. One that somebody has finished meanwhile comes back as it is."""
    with catalog.own(Lock.BACKUP, backup_id):
        doomed = catalog.get_backup(backup_id)
        if not doomed.being_deleted:
            return doomed
        check_here(storage, doomed)
        return remove_remains(catalog, storage, doomed)


def lies_here(storage: Storage, backup: Backup) -> bool:
    """Whether a backup lies in this storage: because it was stored here, or because it was moved here whole."""
    if backup.storage_url == storage.url:
        return True
    try:
        storage.stat(f"{backup.folder}/{MANIFEST}")
    except ObjectMissing:
        return False
    return True


def check_here(storage: Storage, backup: Backup) -> None:
    """Raise `ConfigurationError` if a backup lies in another storage: here it would look as if it were gone."""
    if not lies_here(storage, backup):
        raise ConfigurationError(
            f"backup {backup.id} lies in {backup.storage_url}, and the storage in use is {storage.url}",
            hint="Set BACKUP_DIR or BACKUP_STORAGE_URL to the place where it lies, then try again.",
        )


def remove_remains(catalog: Catalog, storage: Storage, doomed: Backup) -> Backup:
    """Remove what is stored of a backup that we own and that is being deleted, then record that it is gone.

    In the folder of one that never was whole can lie what another installation has stored, or what a catalog that was
    restored from an older dump does not know any more.
    """
    if doomed.status in USABLE:
        remove_objects(storage, doomed.folder)
    elif doomed.deletion_target not in GONE or not holds_manifest(storage, doomed.folder):
        remove_left(storage, doomed.folder, catalog.installation())
    return forget_remains(catalog, doomed.id)


def forget_remains(catalog: Catalog, backup_id: int) -> Backup:
    """Record that nothing is stored any more of a backup that is being deleted, or of one that failed."""
    return catalog.change_backup(backup_id, _gone)


def _gone(backup: Backup) -> Backup:
    if backup.deletion_target is None:
        return backup  # it failed, and another process has removed the rest already
    if backup.deletion_target not in GONE:
        return replace(backup, deletion_started_at=None, deletion_target=None)
    return backup if backup.status is backup.deletion_target else replace(backup, status=backup.deletion_target)
