"""Finding that a backup is whole whose record does not say so, and failing one that is not."""

from dataclasses import replace

from pgproof.domain.backup import UNFINISHED, USABLE, Backup, BackupStatus, with_remains
from pgproof.domain.errors import Cancelled, Conflict, IntegrityError, ObjectMissing, PgproofError
from pgproof.domain.manifest import Manifest
from pgproof.services import contents
from pgproof.services.claiming import Claim, holds_manifest
from pgproof.services.deleting import forget_remains
from pgproof.services.describing import described
from pgproof.services.job_log import JobLog
from pgproof.services.owning import backup_is_ours
from pgproof.services.ports import Catalog, Clock, Storage


def find_whole(storage: Storage, backup: Backup, installation: str) -> Manifest | None:
    """The manifest of an unfinished backup that lacks nothing but its record, taken by this installation.

    Manifests of early versions name none; then its number and database have to be the backup's.
    """
    if not holds_manifest(storage, backup.folder):
        return None
    try:
        manifest = contents.read_manifest(storage, backup)
        if manifest.installation is None:
            is_ours = (manifest.backup_id, manifest.database) == (backup.id, backup.database)
        else:
            is_ours = manifest.installation == installation
        if not is_ours:
            return None
        contents.check_checksums(storage, backup.folder, manifest)
        for item in manifest.objects:
            contents.check_object(storage, backup.folder, item)
    except (IntegrityError, ObjectMissing):
        return None
    return manifest


def completed(backup: Backup, manifest: Manifest) -> Backup:
    """The record of such a backup."""
    started_at = manifest.started_at
    # A record that begins after the manifest is of a later attempt; the dump that was imported is older than both.
    if manifest.imported_from is None and backup.started_at is not None and backup.started_at <= started_at:
        started_at = backup.started_at
    return replace(
        backup,
        status=BackupStatus.COMPLETED,
        started_at=started_at,
        completed_at=manifest.completed_at,
        duration_seconds=max(0, round((manifest.completed_at - started_at).total_seconds())),
        file_size=manifest.archive.size,
        checksum_sha256=manifest.archive.sha256,
        database_size_bytes=manifest.database_size_bytes,
        tables_count=len(manifest.fingerprint.tables),
        rows_count=manifest.fingerprint.counted_rows,
        verified_at=manifest.completed_at,
    )


def ended(backup: Backup, status: BackupStatus, clock: Clock) -> Backup:
    """A backup whose work ends now."""
    now = clock.now()
    duration = (now - (backup.started_at or now)).total_seconds()
    return replace(backup, status=status, completed_at=now, duration_seconds=round(duration))


def record(catalog: Catalog, finished: Backup) -> Backup:
    """Store how an attempt ended; the backup as it is then. Raises `Conflict` if somebody else has settled it.

    It may be stored already: a connection can be lost with the answer to a commit, and recovery may have found it
    whole.
    """

    def change(stored: Backup) -> Backup:
        if stored.status is BackupStatus.RUNNING and stored.file_path == finished.file_path:
            return finished
        if stored.status in USABLE and stored.checksum_sha256 == finished.checksum_sha256 is not None:
            return stored
        if stored == finished:
            return stored
        raise Conflict(
            f"backup {stored.id} is {stored.status} by now",
            hint="Another process took this one for dead and has settled it: look at it again.",
        )

    return catalog.change_backup(finished.id, change)


def give_way(catalog: Catalog, backup: Backup, log: JobLog, claim: Claim) -> None:
    """Leave a backup to the process that has taken it over.

    If nobody will ever finish this attempt, because its backup has failed or was handed back to another folder, what we
    were late to store goes; else our mark alone.
    """
    stored = catalog.get_backup(backup.id)
    if stored.file_path != backup.file_path or stored.status not in USABLE | UNFINISHED:
        claim.remove()
    else:
        claim.release(log.log)


def record_failure(
    catalog: Catalog, clock: Clock, backup: Backup, error: BaseException, log: JobLog, claim: Claim
) -> None:
    """Record first, remove after: only a row that is known to have failed has nothing to lose.

    Where another process has taken the backup over, the record is that process's. A catalog that is away leaves all to
    recovery, which may find the backup whole.
    """
    log.log(f"failed: {error}")
    cancelled = isinstance(error, Cancelled | KeyboardInterrupt)
    status = BackupStatus.CANCELLED if cancelled else BackupStatus.FAILED
    failed = ended(replace(backup, **described(error)), status, clock)
    try:
        if backup_is_ours(catalog, backup.id):
            record(catalog, with_remains(failed, clock.now()) if claim.begun else failed)
            claim.remove()
            forget_remains(catalog, backup.id)
        else:
            give_way(catalog, backup, log, claim)
    except PgproofError as left:
        log.log(f"left for recovery in {backup.folder}: {left}")
