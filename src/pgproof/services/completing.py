"""Whether a restore happened, and recording that it did: by its own process, or by one that found it done."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from pgproof.domain.backup import Backup, BackupStatus
from pgproof.domain.database import Database
from pgproof.domain.errors import ServerUnreachable
from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus, RestoreStep
from pgproof.services.ports import Catalog, PostgresServer


def complete(catalog: Catalog, restore: Restore, now: datetime, undo_hours: int) -> Restore:
    """Mark the restore completed and its backup restored; the undo window begins now.

    For that long the safety backup stays held, unless somebody has changed its hold. The restore's own record comes
    last: until then it counts as unfinished, and recovery does all of this again.
    """
    done = replace(
        restore,
        status=RestoreStatus.COMPLETED,
        step=RestoreStep.DONE,
        completed_at=now,
        duration_seconds=(now - (restore.started_at or now)).total_seconds(),
        undo_until=now + timedelta(hours=undo_hours) if restore.previous_database else None,
        error_message=None,
        error_details={},
    )
    catalog.change_backup(restore.backup_id, _restored)
    if done.safety_backup_id is not None and done.undo_until is not None:
        catalog.change_backup(done.safety_backup_id, partial(_held_until, end=done.undo_until))
    catalog.save_restore(done)
    return done


def reopen(catalog: Catalog, restore: Restore, now: datetime, undo_hours: int) -> Restore:
    """The completed restore of an undo that was asked for and interrupted; the caller saves it.

    It was asked for in time, so the window is open for its whole length once more, however long nobody could tell: a
    cleanup would drop what it is to put back. The safety backup stays held for as long, as with `complete`.
    """
    again = replace(restore, status=RestoreStatus.COMPLETED, step=RestoreStep.DONE)
    if restore.undo_until is None:
        return again
    until = max(restore.undo_until, now + timedelta(hours=undo_hours))
    if restore.safety_backup_id is not None:
        catalog.change_backup(restore.safety_backup_id, partial(_held_longer, end=until))
    return replace(again, undo_until=until)


def _restored(backup: Backup) -> Backup:
    return replace(backup, status=BackupStatus.RESTORED) if backup.usable else backup


def _held_until(backup: Backup, end: datetime) -> Backup:
    return replace(backup, held_until=end) if backup.held and backup.held_until is not None else backup


def _held_longer(backup: Backup, end: datetime) -> Backup:
    if not backup.usable or backup.held_until is None:
        return backup
    return _held_until(backup, max(backup.held_until, end))


def happened(server: PostgresServer, database: Database, restore: Restore) -> bool:
    """Whether a restore that ended at this step has changed the live database.

    In place the server's record of the transaction tells, in a swap which database has the name now. Raises
    `PostgresError` where the server cannot be asked, and where another one answers.
    """
    match restore.step:
        case RestoreStep.REPLACE:
            if restore.transaction is None:
                return False
            _check_server(server, database, restore)
            connection = database.connection.to_database(restore.dbname)
            return server.transaction_committed(connection, restore.transaction)
        case RestoreStep.SWAP:
            _check_server(server, database, restore)
            names = server.list_databases(server.maintenance(database.connection))
            return restore.shadow_oid is not None and names.get(restore.dbname) == restore.shadow_oid
        case RestoreStep.ANALYZE:
            return restore.options.mode is RestoreMode.IN_PLACE
    return False


def undone(server: PostgresServer, database: Database, restore: Restore) -> bool:
    """Whether an undo has put the previous database back. Raises `PostgresError`."""
    _check_server(server, database, restore)
    names = server.list_databases(server.maintenance(database.connection))
    return restore.live_oid is not None and names.get(restore.dbname) == restore.live_oid


def drop_shadow(server: PostgresServer, database: Database, restore: Restore) -> None:
    """Remove what a restore has built, and nothing else that may have its name.

    One that was created while its OID could not be recorded any more is known by being empty.
    """
    connection = database.connection
    if restore.shadow_oid is not None or restore.step is RestoreStep.CREATE_SHADOW:
        _check_server(server, database, restore)
    if restore.shadow_oid is not None:
        server.drop_database(connection, restore.shadow_database, restore.shadow_oid)
    elif restore.step is RestoreStep.CREATE_SHADOW:
        oid = server.list_databases(server.maintenance(connection)).get(restore.shadow_database)
        if oid is not None and not server.user_objects(connection.to_database(restore.shadow_database)):
            server.drop_database(connection, restore.shadow_database, oid)


def _check_server(server: PostgresServer, database: Database, restore: Restore) -> None:
    """Another server has databases and transactions of its own, under the same names and numbers."""
    if restore.system_identifier is None:
        return
    place = server.maintenance(database.connection)
    if server.identify(place).system_identifier != restore.system_identifier:
        raise ServerUnreachable(
            f"another server answers at {place.address}, not the one on which restore {restore.id} was begun",
            hint="It is settled as soon as that one answers there. "
            f"If that is gone for good: pgproof abandon {restore.id}",
        )
