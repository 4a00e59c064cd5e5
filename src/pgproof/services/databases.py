"""The protected databases: registering them, finding the one that a caller means, looking at one."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pgproof.domain.database import DEFAULT_GROUP, ConnectionInfo, Database, Server, check_name
from pgproof.domain.errors import (
    ConfigurationError,
    Conflict,
    DatabaseMissing,
    InvalidInput,
    NotFound,
    PostgresError,
)
from pgproof.domain.job import ONCE, JobKind, check_group
from pgproof.domain.obstacles import Obstacles
from pgproof.domain.restore import Restore
from pgproof.domain.wording import counted, in_quotes, listed
from pgproof.services.owning import owning_database
from pgproof.services.ports import Catalog, ClientTools, DatabaseFacts, JobRecords, PostgresServer, PostgresTools
from pgproof.services.twins import find_twin

_NEED_IT = frozenset({JobKind.BACKUP, *ONCE})


@dataclass(frozen=True)
class DatabaseCheck:
    """What a look at a protected database found; `tools` would dump it, `obstacles` would be in a restore's way."""

    database: Database
    server: Server
    facts: DatabaseFacts
    tools: ClientTools
    obstacles: Obstacles = field(default_factory=Obstacles)


class DatabaseService:
    """`configured` is the database that the settings name: it needs no registration.

    `embedded` is the embedded server's own, for somebody who has not said anything yet.
    """

    def __init__(
        self,
        catalog: Catalog,
        server: PostgresServer,
        tools: PostgresTools,
        configured: ConnectionInfo | None,
        embedded: ConnectionInfo | None = None,
        jobs: JobRecords | None = None,
    ) -> None:
        self._catalog = catalog
        self._server = server
        self._tools = tools
        self._configured = configured
        self._embedded = embedded
        self._jobs = jobs

    def add(self, name: str, url: str, group: str = DEFAULT_GROUP) -> Database:
        """Register a database under a name; its password is stored sealed. Workers of that group do its jobs.

        One that its server does not have is registered too: it is to be restored. Raises `Conflict` if the name is
        taken, and if the database is registered under another one.
        """
        connection = self._server.parse_url(url)
        check_group(group)
        self._refuse_twin(connection, self._identity(connection), self.list())
        return self._catalog.add_database(check_name(name), connection, group=group)

    def update(self, name: str, url: str | None = None, group: str | None = None) -> Database:
        """Store anew how a registered database is reached; it keeps its name, its backups and its restores.

        What is not given stays. Another worker group counts for jobs that are asked for from now on.
        Raises `Conflict` while somebody restores it, if the URL leads to a database of another name, and if it leads
        elsewhere while only the server that it leads to now can tell what became of a restore. The same server by
        another address, or its promoted standby, can tell that of a swap.
        """
        stored = self._catalog.get_database(name)
        changed = replace(stored, group=stored.group if group is None else check_group(group))
        if url is not None:
            connection = self._server.parse_url(url)
            identity = self._identity(connection)
            if not connection.same_place(stored.connection):
                self._refuse_to_lose(stored, identity)
            self._refuse_twin(connection, identity, [one for one in self.list() if one.id != stored.id])
            changed = replace(changed, connection=connection, from_settings=False)
        with owning_database(self._catalog, stored):
            self._catalog.update_database(changed)
        return changed

    def is_there(self, database: Database) -> bool:
        """Whether its server has a database of that name; one that is to be restored may be missing."""
        place = database.connection
        return place.dbname in self._server.list_databases(self._server.maintenance(place))

    def list(self) -> Sequence[Database]:
        """All registered databases by name, with the role that the settings give them."""
        return [self._with_settings(found) for found in self._catalog.list_databases()]

    def remove(self, name: str) -> None:
        """Forget a database; its backups stay. Raises `Conflict` while there are jobs or restores that need it."""
        stored = self._catalog.get_database(name)
        self._refuse_to_leave_jobs(name)
        self._refuse_to_lose(stored)
        self._catalog.remove_database(name)

    def check(self, name: str | None) -> DatabaseCheck:
        """Connect, and see what a backup and a restore would need."""
        database = self.resolve(name)
        server = self._server.identify(database.connection)
        tools = self._tools.for_server(server.version, tls=database.connection.needs_tls)
        with self._server.open_snapshot(database.connection) as snapshot:
            facts = snapshot.facts
        return DatabaseCheck(database, server, facts, tools, self._server.obstacles(database.connection))

    def resolve(self, given: str | None) -> Database:
        """The database that a caller means: a registered name, a URL, or nothing for the only one there is.

        A URL that is not registered yet is, under the database's name and with its password sealed, so that
        its backups can be restored by their number alone. Raises `InvalidInput` if nothing is meant by itself, and
        `Conflict` if the settings lead elsewhere while only the server of before can tell what became of a restore.
        """
        if given is None:
            return self._unnamed()
        if given.startswith(("postgresql://", "postgres://")):
            return self._at(self._server.parse_url(given))
        default = self._configured or self._embedded
        try:
            found = self._catalog.get_database(given)
        except NotFound:
            if default is None or given != default.dbname:
                raise
            return self._first(default)
        if default is not None and _moved_by(default, found):
            return self._first(default)
        return self._with_settings(found)

    def of_restore(self, restore: Restore) -> Database:
        """The database of a restore that has not ended, at the address of the server that can tell what became of it.

        The settings may lead elsewhere by now: that counts if the same server answers there.
        """
        default = self._configured or self._embedded
        try:
            stored = self._catalog.get_database(restore.database)
        except NotFound:
            return self.resolve(restore.database)
        if default is None or not _moved_by(default, stored):
            return self._with_settings(stored)
        try:
            moved = self._first(default)
        except (Conflict, PostgresError):
            return stored  # whatever is in the way there: its own server may be back where it was
        return moved if moved.id == stored.id else stored

    def behind(self, name: str) -> Database:
        """The database whose backups bear that name; if it is gone, `NotFound` tells the way back."""
        try:
            return self.resolve(name)
        except NotFound as unknown:
            raise NotFound(
                unknown.detail, hint=f"Register it again under that name: pgproof database add {shlex.quote(name)} URL"
            ) from unknown

    def to_examine(self, given: str | None) -> Sequence[str | None]:
        """Names to resolve for a look at everything: what is named or configured, else all that are registered."""
        several = [one.name for one in self._registered_by_people()]
        return [given] if given or self._configured or not several else several

    def groups(self) -> Mapping[str, str]:
        """The worker group of each protected database by name: the registered ones, and the settings' before its first
        backup. The embedded server's own is not meant unless somebody asks for it.
        """
        registered = self._registered_by_people()
        groups = {one.name: one.group for one in registered}
        default = self._configured
        if default is not None and not any(one.connection.same_place(default) for one in registered):
            groups.setdefault(default.dbname, DEFAULT_GROUP)
        return groups

    def group_of(self, name: str | None) -> str:
        """The worker group that does the jobs of a database, also of one that is not registered any more."""
        known = (one.group for one in self._catalog.list_databases() if one.name == name)
        return next(known, DEFAULT_GROUP)

    def is_embedded(self, database: Database) -> bool:
        """Whether this is the embedded server's own, which nobody has asked for by name."""
        return self._embedded is not None and database.connection.same_place(self._embedded)

    def _unnamed(self) -> Database:
        if self._configured is not None:
            return self._first(self._configured)
        others = self._registered_by_people()
        if len(others) > 1:
            raise InvalidInput(
                f"no database was named, and {len(others)} are registered: {listed([one.name for one in others])}",
                hint=f"Name the one that you mean, such as: pgproof backup {shlex.quote(others[0].name)}",
            )
        if others:
            return others[0]
        if self._embedded is not None:
            return self._first(self._embedded)
        raise ConfigurationError(
            "no database was named, none is registered, and the settings know none",
            hint="Register one: pgproof database add NAME URL. Or set BACKUP_POSTGRES_DB and its neighbours.",
        )

    def _registered_by_people(self) -> Sequence[Database]:
        return [one for one in self._catalog.list_databases() if not self.is_embedded(one)]

    def _first(self, default: ConnectionInfo) -> Database:
        """The database of the settings: its password stays there, and its address is theirs."""
        return self._with_settings(self._registered(default) or self._register_first(default))

    def _register_first(self, default: ConnectionInfo) -> Database:
        identity = self._server.identify(default)  # an address that never answered must not keep the name
        place = replace(default, password=None)
        for known in self._catalog.list_databases():
            if known.from_settings and known.name == default.dbname:
                self._refuse_to_lose(known, identity, then=f"; the settings lead to {place.address} by now")
                moved = replace(known, connection=place)
                self._catalog.update_database(moved)
                return moved
        return self._register(place, identity, from_settings=True)

    def _at(self, connection: ConnectionInfo) -> Database:
        found = self._registered(connection)
        if found is None:
            return self._register(connection, self._server.identify(connection))
        return replace(found, connection=_merged(connection, self._with_settings(found).connection))

    def _refuse_to_leave_jobs(self, name: str) -> None:
        """Verifying and restore tests read a stored backup, and need no database."""
        jobs = [] if self._jobs is None else self._jobs.unfinished_jobs_of(name, _NEED_IT)
        if jobs:
            shown = listed([f"job {job.id} ({job.kind}, {job.status})" for job in jobs])
            raise Conflict(
                f"{counted(len(jobs), 'job')} of {in_quotes(name)} {'has' if len(jobs) == 1 else 'have'} not ended: "
                f"{shown}",
                hint=f"Wait for the end, or cancel what is not wanted any more: pgproof job cancel {jobs[0].id}",
            )

    def _refuse_to_lose(self, stored: Database, elsewhere: Server | None = None, *, then: str = "") -> None:
        """Another server would be asked what became of a restore, and answer about databases of its own."""
        for restore in self._catalog.unfinished_restores():
            if restore.database != stored.name:
                continue
            if elsewhere is not None and restore.can_be_judged_by(elsewhere.system_identifier):
                continue
            raise Conflict(
                f"restore {restore.id} of {in_quotes(stored.name)} has not ended, and only its server, "
                f"{stored.connection.address}, can tell what became of it{then}",
                hint=f"It is settled as soon as that server answers{' and the settings lead to it' if then else ''}. "
                f"If that is gone for good: pgproof abandon {restore.id}",
            )

    def _registered(self, connection: ConnectionInfo) -> Database | None:
        same = (one for one in self._catalog.list_databases() if one.connection.same_place(connection))
        return next(same, None)

    def _identity(self, connection: ConnectionInfo) -> Server:
        try:
            return self._server.identify(connection)
        except DatabaseMissing:
            # It is to be restored: then its server must answer, and let us in.
            return self._server.identify(self._server.maintenance(connection))

    def _refuse_twin(self, connection: ConnectionInfo, identity: Server, registered: Sequence[Database]) -> None:
        twin = find_twin(self._server, connection, identity, registered)
        if twin is not None:
            known = shlex.quote(twin.name)
            raise Conflict(
                f"the database {connection} is registered already, as {in_quotes(twin.name)}",
                hint=f"Use that name. How it is reached can be changed: pgproof database update {known} URL. "
                f"Another name is possible after: pgproof database remove {known}",
            )

    def _register(self, connection: ConnectionInfo, identity: Server, *, from_settings: bool = False) -> Database:
        """Register a database under its own name, unless it turns out to be known by another address."""
        twin = find_twin(self._server, connection, identity, self.list())
        if twin is not None:
            return replace(twin, connection=_merged(connection, twin.connection))
        try:
            return self._catalog.add_database(check_name(connection.dbname), connection, from_settings=from_settings)
        except (Conflict, InvalidInput) as error:
            raise Conflict(
                f"the database {connection} needs a name of its own: {error.detail}",
                hint="Register it: pgproof database add NAME URL",
            ) from error

    def _with_settings(self, database: Database) -> Database:
        """The database with the role and password of the settings, if it is theirs: a change there counts at once.

        Of one that a person registered the settings replace the role only together with a password.
        """
        default, stored = self._configured or self._embedded, database.connection
        if default is None or not stored.same_place(default):
            return database
        settings_win = database.from_settings or default.password is not None
        merged = _merged(default, stored) if settings_win else _merged(stored, default)
        return replace(database, connection=merged)


def _moved_by(default: ConnectionInfo, stored: Database) -> bool:
    """Whether the settings lead elsewhere than when they registered this database."""
    ours = stored.from_settings and stored.name == default.dbname
    return ours and not stored.connection.same_place(default)


def _merged(given: ConnectionInfo, stored: ConnectionInfo) -> ConnectionInfo:
    """`given`, with what it leaves open taken from `stored`: a password belongs to its user only."""
    user = given.user or stored.user
    password = given.password
    if password is None and user == stored.user:
        password = stored.password
    return replace(given, user=user, password=password, options={**stored.options, **given.options})
