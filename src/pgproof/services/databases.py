"""The protected databases: registering them, finding the one that a caller means, looking at one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pgproof.domain.database import ConnectionInfo, Database, Server, check_name
from pgproof.domain.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from pgproof.services.ports import Catalog, ClientTools, DatabaseFacts, PostgresServer, PostgresTools


@dataclass(frozen=True)
class DatabaseCheck:
    """What a look at a protected database found; `tools` would dump it."""

    database: Database
    server: Server
    facts: DatabaseFacts
    tools: ClientTools


class DatabaseService:
    """`default` is the first protected database, from the settings: it needs no registration."""

    def __init__(
        self, catalog: Catalog, server: PostgresServer, tools: PostgresTools, default: ConnectionInfo | None
    ) -> None:
        self._catalog = catalog
        self._server = server
        self._tools = tools
        self._default = default

    def add(self, name: str, url: str) -> Database:
        """Register a database under a name; its password is stored sealed. `Conflict` if the name is taken."""
        connection = self._server.parse_url(url)
        self._server.identify(connection)
        return self._catalog.add_database(check_name(name), connection)

    def list(self) -> Sequence[Database]:
        """All registered databases by name."""
        return self._catalog.list_databases()

    def remove(self, name: str) -> None:
        """Forget a database; its backups stay."""
        self._catalog.remove_database(name)

    def check(self, name: str | None) -> DatabaseCheck:
        """Connect, and see what a backup would need."""
        database = self.resolve(name)
        server = self._server.identify(database.connection)
        tools = self._tools.for_server(server.version)
        with self._server.open_snapshot(database.connection) as snapshot:
            return DatabaseCheck(database, server, snapshot.facts, tools)

    def resolve(self, given: str | None) -> Database:
        """The database that a caller means: a registered name, a URL, or nothing for the first one.

        A URL that is not registered yet is, under the database's name and with its password sealed, so that
        its backups can be restored by their number alone.
        """
        if given is None:
            if self._default is None:
                raise ConfigurationError(
                    "no database was named, and the settings know none",
                    hint="Name a registered database or a URL, or set BACKUP_POSTGRES_DB and its neighbours.",
                )
            return self._first(self._default)
        if given.startswith(("postgresql://", "postgres://")):
            return self._at(self._server.parse_url(given))
        try:
            return self._with_default(self._catalog.get_database(given))
        except NotFound:
            if self._default is not None and given == self._default.dbname:
                return self._first(self._default)
            raise

    def _first(self, default: ConnectionInfo) -> Database:
        """The database of the settings: its password stays there."""
        found = self._registered(default)
        if found is None:
            found = self._register(replace(default, password=None))
        return self._with_default(found)

    def _at(self, connection: ConnectionInfo) -> Database:
        found = self._registered(connection)
        if found is None:
            self._server.identify(connection)
            return self._register(connection)
        return self._with_default(replace(found, connection=_merged(connection, found.connection)))

    def _registered(self, connection: ConnectionInfo) -> Database | None:
        same = (one for one in self._catalog.list_databases() if one.connection.same_place(connection))
        return next(same, None)

    def _register(self, connection: ConnectionInfo) -> Database:
        try:
            return self._catalog.add_database(check_name(connection.dbname), connection)
        except (Conflict, InvalidInput) as error:
            raise Conflict(
                f"the database {connection} needs a name of its own: {error.detail}",
                hint="Register it: pgproof database add NAME URL",
            ) from error

    def _with_default(self, database: Database) -> Database:
        """What the settings say of a database's user and password fills what the catalog does not hold."""
        default = self._default
        if default is None or database.connection.password or not database.connection.same_place(default):
            return database
        return replace(database, connection=_merged(database.connection, default))


def _merged(given: ConnectionInfo, stored: ConnectionInfo) -> ConnectionInfo:
    """`given`, with what it leaves open taken from `stored`: a password belongs to its user only."""
    user = given.user or stored.user
    password = given.password
    if password is None and user == stored.user:
        password = stored.password
    return replace(given, user=user, password=password, options={**stored.options, **given.options})
