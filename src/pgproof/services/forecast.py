"""What a restore or an undo would do, for the person who decides: looked up before anything is asked or made."""

from dataclasses import dataclass

from pgproof.domain.backup import Backup
from pgproof.domain.database import ConnectionInfo, Database, Server
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import Restore, RestoreOptions
from pgproof.services.backups import check_usable
from pgproof.services.contents import read_manifest
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import Catalog, PostgresServer, Storage
from pgproof.services.restoring.target import check_target
from pgproof.services.undoing import check_undoable


@dataclass(frozen=True)
class Forecast:
    """A restore that has not begun. `place` is where it ends up, and `exists` whether that is there now.

    `sessions` is the number of clients in it.
    """

    backup: Backup
    manifest: Manifest
    database: Database
    place: ConnectionInfo
    server: Server
    exists: bool
    sessions: int = 0

    @property
    def from_elsewhere(self) -> bool:
        """Whether the backup was taken on another server than the one that it would be restored to."""
        return self.manifest.system_identifier not in ("", self.server.system_identifier)


@dataclass(frozen=True)
class UndoForecast:
    """An undo that has not begun; `previous` comes back. `sessions` is the number of clients in either."""

    restore: Restore
    place: ConnectionInfo
    previous: str
    sessions: int


def foresee_restore(
    catalog: Catalog,
    storage: Storage,
    server: PostgresServer,
    databases: DatabaseService,
    backup_id: int,
    options: RestoreOptions,
) -> Forecast:
    """Look at backup, database and server. Raises what would end such a restore before it has done anything."""
    backup = catalog.get_backup(backup_id)
    check_usable(backup)
    manifest = read_manifest(storage, backup)
    database = databases.behind(backup.database)
    place = database.connection.to_database(options.target_database or database.connection.dbname)
    maintenance = server.maintenance(place)
    exists = place.dbname in server.list_databases(maintenance)
    check_target(options, place.dbname, exists=exists)
    sessions = server.sessions(place) if exists else 0
    return Forecast(backup, manifest, database, place, server.identify(maintenance), exists, sessions)


def foresee_undo(catalog: Catalog, server: PostgresServer, databases: DatabaseService, restore_id: int) -> UndoForecast:
    """Look at restore, database and server. Raises what would end such an undo."""
    restore = catalog.get_restore(restore_id)
    database = databases.behind(restore.database)
    previous = check_undoable(catalog, server, restore, database)
    place = database.connection.to_database(restore.dbname)
    return UndoForecast(restore, place, previous, server.sessions(place) + server.sessions(place.to_database(previous)))


def come_back_empty(manifest: Manifest, options: RestoreOptions) -> tuple[str, ...]:
    """Tables that such a restore makes without their rows, because the backup was taken without these."""
    if not options.selective:
        return manifest.excluded_data
    schemas = tuple(f"{schema}." for schema in options.schemas)
    return tuple(name for name in manifest.excluded_data if name in options.tables or name.startswith(schemas))
