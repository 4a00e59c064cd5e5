"""Whether a restore can be undone, and if not, why and what to do instead."""

from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict, DatabaseMissing
from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus, RestoreStep
from pgproof.domain.wording import in_quotes
from pgproof.services.abandoning import how_to_look, was_given_up, what_is_known
from pgproof.services.ports import Catalog, PostgresServer
from pgproof.services.restoring.obstacles import check_undo

_UNDOABLE = "`pgproof list --restores` shows which restores can be undone."


def check_undoable(catalog: Catalog, server: PostgresServer, restore: Restore, database: Database) -> str:
    """The name of the previous database, which an undo swaps back in.

    Raises `Conflict` if the restore kept none, another one came after it or something is in the way,
    `DatabaseMissing` if it is gone.
    """
    _check_status(restore)
    if restore.previous_database is None:
        raise Conflict(f"restore {restore.id} cannot be undone: {_why_none_is_kept(restore)}", hint=_instead(restore))
    later = [
        other.id
        for other in catalog.list_restores(limit=1000, database=restore.database)
        if other.id > restore.id and other.status in (RestoreStatus.COMPLETED, RestoreStatus.UNDOING)
    ]
    if later:
        raise Conflict(
            f"restore {max(later)} of the same database came after restore {restore.id}",
            hint=f"Undo that one first: pgproof undo {max(later)}",
        )
    there = server.list_databases(server.maintenance(database.connection))
    if restore.live_oid is not None and there.get(restore.dbname) == restore.live_oid:
        raise Conflict(
            f"restore {restore.id} is undone already: {in_quotes(restore.dbname)} is what was there before it",
            hint=f"What it had brought may be left as {in_quotes(restore.shadow_database)}; drop it by hand if nobody "
            f"needs it. To have the backup's state again: pgproof restore {restore.backup_id}",
        )
    if there.get(restore.previous_database) != restore.live_oid:
        raise DatabaseMissing(
            f"the previous database {in_quotes(restore.previous_database)} is gone from {database.connection.address}",
            hint=_instead(restore),
        )
    check_undo(server, database.connection.to_database(restore.dbname), restore.previous_database)
    return restore.previous_database


def _check_status(restore: Restore) -> None:
    match restore.status:
        case RestoreStatus.RUNNING | RestoreStatus.UNDOING:
            word = "still running" if restore.status is RestoreStatus.RUNNING else "being undone at this moment"
            raise Conflict(
                f"restore {restore.id} is {word}",
                hint=f"Wait until that has ended. See how far it is: pgproof log {restore.id} --restore",
            )
        case RestoreStatus.FAILED if was_given_up(restore):
            raise Conflict(f"restore {restore.id} was given up: {what_is_known(restore)}", hint=_by_hand(restore))
        case RestoreStatus.FAILED:
            raise Conflict(f"restore {restore.id} failed and has replaced nothing", hint=_UNDOABLE)
        case RestoreStatus.UNDONE:
            raise Conflict(
                f"restore {restore.id} is undone already",
                hint=f"To have the backup's state again: pgproof restore {restore.backup_id}",
            )


def _by_hand(restore: Restore) -> str:
    if restore.options.mode is not RestoreMode.SWAP:
        return _instead(restore)
    return how_to_look(restore) if restore.step is RestoreStep.SWAP else _UNDOABLE


def _why_none_is_kept(restore: Restore) -> str:
    match restore.options.mode:
        case RestoreMode.IN_PLACE:
            return f"it replaced the contents of {in_quotes(restore.dbname)} in place and kept no database"
        case RestoreMode.NEW_DATABASE:
            return f"it made the new database {in_quotes(restore.dbname)} and replaced nothing"
    return "when it began there was no database to keep"


def _instead(restore: Restore) -> str:
    if restore.options.mode is RestoreMode.NEW_DATABASE:
        return f"Drop the database {in_quotes(restore.dbname)} by hand if nobody needs it."
    if restore.safety_backup_id is None:
        return "No safety backup was taken; `pgproof list` shows what else there is."
    in_place = " --mode in-place" if restore.options.mode is RestoreMode.IN_PLACE else ""
    return f"Restore the safety backup instead: pgproof restore {restore.safety_backup_id}{in_place}"
