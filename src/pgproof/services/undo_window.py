"""The databases that restores and undos keep beside the live one, and dropping them when the undo window is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.restore import Restore, RestoreStatus, previous_name, shadow_name
from pgproof.domain.wording import in_quotes
from pgproof.services.databases import DatabaseService
from pgproof.services.owning import owning_database
from pgproof.services.ports import Catalog, Lock, PostgresServer


@dataclass(frozen=True)
class KeptDatabase:
    """A database that the record of `restore` names; `due` when its undo window is over."""

    restore: Restore
    name: str
    until: datetime
    due: bool

    @property
    def reason(self) -> str:
        """Why it is dropped or kept, for people."""
        what = "what an undo swapped out" if self.restore.status is RestoreStatus.UNDONE else "what a restore replaced"
        return f"{what}; its undo window {'is over' if self.due else 'is still open'}"


def find_kept(catalog: Catalog, now: datetime) -> Sequence[KeptDatabase]:
    """All of them, those of the oldest restore first."""
    return [
        KeptDatabase(restore, restore.kept_database, restore.undo_until, due=restore.undo_until <= now)
        for restore in catalog.keeping_restores()
        if restore.kept_database is not None and restore.undo_until is not None
    ]


def undoable_until(kept: Sequence[KeptDatabase]) -> Mapping[int, datetime]:
    """Safety backups of restores that can be undone, with the end of the window."""
    return {
        one.restore.safety_backup_id: one.until
        for one in kept
        if one.restore.safety_backup_id is not None and one.restore.status is RestoreStatus.COMPLETED
    }


def drop_kept(
    catalog: Catalog, server: PostgresServer, databases: DatabaseService, kept: KeptDatabase, now: datetime
) -> None:
    """Drop one, and record that it is gone. A crash in between leaves the record to the next time.

    Raises `Conflict` if the restore is not as it was, or if the name may mean something else by now.
    """
    database = _resolve(databases, kept)
    with owning_database(catalog, database), catalog.own(Lock.RESTORE, kept.restore.id):
        restore = catalog.get_restore(kept.restore.id)
        if restore.kept_database != kept.name or restore.undo_until is None or now < restore.undo_until:
            raise Conflict(
                f"restore {restore.id} has changed meanwhile; {in_quotes(kept.name)} is not dropped",
                hint="Look at the plan again: pgproof cleanup --dry-run",
            )
        _check_name(kept.name, restore, database, databases.list())
        # False is as good: that database is gone, and another one has its name.
        server.drop_database(database.connection, kept.name, _recorded_oid(restore))
        catalog.save_restore(replace(restore, databases_dropped_at=now))


def _recorded_oid(restore: Restore) -> int:
    oid = restore.live_oid if restore.status is RestoreStatus.COMPLETED else restore.shadow_oid
    if oid is None:
        raise Conflict(
            f"restore {restore.id} does not tell by its OID which database it kept; none is dropped",
            hint="An earlier version of pgproof made it. Look at that database, and drop it by hand.",
        )
    return oid


def _resolve(databases: DatabaseService, kept: KeptDatabase) -> Database:
    name = kept.restore.database
    try:
        return databases.resolve(name)
    except NotFound as unknown:
        raise Conflict(
            f"the database {in_quotes(name)} is not registered any more; {in_quotes(kept.name)} is not dropped",
            hint="Register it again under that name, or drop the kept database by hand.",
        ) from unknown


def _check_name(name: str, restore: Restore, database: Database, registered: Sequence[Database]) -> None:
    ours = (previous_name(restore.dbname, restore.id), shadow_name(restore.dbname, restore.id))
    if name not in ours or name == restore.dbname:
        raise Conflict(
            f"{in_quotes(name)} is not a name that restore {restore.id} gives to a database; it is not dropped",
            hint="Somebody has changed the catalog. Look at that database, and drop it by hand if nobody needs it.",
        )
    if database.connection.dbname != restore.dbname:
        raise Conflict(
            f"{in_quotes(database.name)} meant the database {in_quotes(restore.dbname)} and now means "
            f"{in_quotes(database.connection.dbname)}; {in_quotes(name)} is not dropped",
            hint="Drop it by hand on the server where that restore was made.",
        )
    place = database.connection.to_database(name)
    for other in registered:
        if other.connection.same_place(place):
            raise Conflict(
                f"{in_quotes(name)} is registered as the protected database {in_quotes(other.name)}; it is not dropped",
                hint=f"Forget it first: pgproof database remove {other.name}",
            )
