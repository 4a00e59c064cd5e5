"""Servers behind the `PostgresServer` port."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from psycopg import sql

from pgproof.adapters.postgres import (
    alter,
    finishing,
    inspect,
    known_settings,
    obstacles,
    roles,
    subscriptions,
    transaction_number,
)
from pgproof.adapters.postgres.connect import Session, connect, parse_url, version_of
from pgproof.adapters.postgres.snapshot import ExportedSnapshot, exported
from pgproof.adapters.postgres.swap import swap
from pgproof.domain.database import OLDEST_SERVER, ConnectionInfo, Server
from pgproof.domain.errors import DatabaseMissing, PostgresError, VersionUnsupported
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel
from pgproof.domain.obstacles import Obstacles
from pgproof.domain.properties import DatabaseProperties, Setting
from pgproof.domain.role_statements import RoleStatement
from pgproof.domain.tuning import ServerMemory

# DROP DATABASE waits for every session of the server to answer, and one that writes to a stalled client does not.
_DROP_SECONDS = 120
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_MAINTENANCE = ("postgres", "template1")


class LivePostgresServer:
    """Talks SQL to protected servers.

    `lock_wait_seconds` is how long a query waits for somebody's lock, `installation` tells our own catalog
    from any other that a protected database may hold.
    """

    def __init__(self, lock_wait_seconds: int = 60, installation: str | None = None) -> None:
        self._lock_wait_seconds = lock_wait_seconds
        self._installation = installation

    def parse_url(self, url: str) -> ConnectionInfo:
        """See the port."""
        return parse_url(url)

    def maintenance(self, connection: ConnectionInfo) -> ConnectionInfo:
        """See the port."""
        return self._maintenance_database(connection, connection.dbname)

    def holds_catalog(self, connection: ConnectionInfo) -> bool:
        """See the port."""
        with connect(connection) as session:
            return inspect.find_own_schema(session, self._installation) is not None

    def identify(self, connection: ConnectionInfo) -> Server:
        """See the port."""
        with connect(connection) as session:
            version = version_of(session)
            if version.major < OLDEST_SERVER:
                raise VersionUnsupported(
                    f"the server {connection.address} is PostgreSQL {version}",
                    hint=f"pgproof supports PostgreSQL {OLDEST_SERVER} and newer.",
                )
            role, superuser, creates, started_at = session.execute(
                "SELECT rolname, rolsuper, rolcreatedb OR rolsuper, pg_catalog.pg_postmaster_start_time() "
                "FROM pg_catalog.pg_roles WHERE rolname = current_user"
            ).fetchone() or ("", False, False, None)
            return Server(
                version=version,
                system_identifier=_system_identifier(session),
                role=role,
                is_superuser=superuser,
                can_create_databases=creates,
                started_at=started_at,
            )

    def open_snapshot(self, connection: ConnectionInfo) -> AbstractContextManager[ExportedSnapshot]:
        """See the port."""
        return exported(connection, self._lock_wait_seconds, self._installation)

    def fingerprint(self, connection: ConnectionInfo, level: FingerprintLevel = FingerprintLevel.COUNTS) -> Fingerprint:
        """See the port."""
        with self.open_snapshot(connection) as snapshot:
            facts = snapshot.facts
            read = snapshot.contents_of(facts.tables, level)
            return Fingerprint(
                tables=read.rows,
                level=level,
                digests=read.digests,
                large_objects_digest=read.large_objects,
                sequences=snapshot.sequence_positions(),
                extensions=facts.extensions,
                large_objects=facts.large_objects,
            )

    def list_databases(self, connection: ConnectionInfo) -> Mapping[str, int]:
        """See the port."""
        with connect(connection) as session:
            return inspect.databases(session)

    def list_roles(self, connection: ConnectionInfo) -> frozenset[str]:
        """See the port."""
        return self._names(connection, "SELECT rolname FROM pg_catalog.pg_roles")

    def list_available_extensions(self, connection: ConnectionInfo) -> frozenset[str]:
        """See the port."""
        return self._names(connection, "SELECT name FROM pg_catalog.pg_available_extensions")

    def create_roles(
        self, connection: ConnectionInfo, statements: Sequence[RoleStatement], names: Iterable[str]
    ) -> Sequence[str]:
        """See the port."""
        with connect(connection) as session:
            return roles.create(session, statements, names)

    def create_shadow(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> int:
        """See the port."""
        with self._maintenance(connection) as session:
            session.execute(alter.create_database(name, properties, version_of(session)))
            session.execute(alter.close_to_others(name))
            oid = inspect.databases(session)[name]
        if not properties.has_public_schema:
            with connect(connection.to_database(name)) as session:
                session.execute("DROP SCHEMA public")
        return oid

    def check_properties(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> None:
        """See the port."""
        with self._maintenance(connection) as session, session.transaction(force_rollback=True):
            for statement in alter.apply_properties(name, properties, inspect.may_become(session)):
                session.execute(statement)

    def apply_properties(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> None:
        """See the port."""
        with self._maintenance(connection) as session, session.transaction():
            for statement in alter.apply_properties(name, properties, inspect.may_become(session)):
                session.execute(statement)

    def apply_settings(
        self, connection: ConnectionInfo, name: str, properties: DatabaseProperties
    ) -> Mapping[Setting, str]:
        """See the port."""
        with self._maintenance(connection) as session, session.transaction():
            return known_settings.apply(session, name, properties.settings)

    def memory(self, connection: ConnectionInfo) -> ServerMemory:
        """See the port."""
        with connect(connection) as session:
            here = not connection.host or connection.host.startswith("/") or connection.host in _HERE
            return inspect.memory(session, free=_free_memory() if here else None)

    def sessions(self, connection: ConnectionInfo) -> int:
        """See the port."""
        with self._maintenance(connection) as session:
            return inspect.sessions(session, connection.dbname)

    def obstacles(self, connection: ConnectionInfo) -> Obstacles:
        """See the port."""
        with connect(connection) as session:
            return obstacles.find(session)

    def user_objects(self, connection: ConnectionInfo) -> tuple[str, ...]:
        """See the port."""
        with connect(connection) as session:
            session.own_schema = inspect.find_own_schema(session, self._installation)
            return inspect.user_objects(session)

    def transaction_committed(self, connection: ConnectionInfo, transaction: str) -> bool:
        """See the port."""
        with connect(connection) as session:
            return transaction_number.committed(session, transaction)

    def analyze(self, connection: ConnectionInfo) -> tuple[str, ...]:
        """See the port."""
        with connect(connection) as session:
            return finishing.analyze(session)

    def validate_indexes(self, connection: ConnectionInfo) -> tuple[str, ...]:
        """See the port."""
        with connect(connection) as session:
            return finishing.validate_indexes(session)

    def swap(self, connection: ConnectionInfo, *, live: str, incoming: str, outgoing: str | None) -> float:
        """See the port."""
        return swap(self._maintenance_database(connection, live), live=live, incoming=incoming, outgoing=outgoing)

    def drop_database(self, connection: ConnectionInfo, name: str, oid: int) -> bool:
        """See the port."""
        with self._maintenance(connection, avoid=name) as session:
            if inspect.databases(session).get(name) != oid:
                return False
            if subscriptions.exist_in(session, oid):
                with connect(connection.to_database(name)) as inside:
                    subscriptions.drop_all(inside, oid)
            session.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(_DROP_SECONDS * 1000)))
            session.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            return True

    @contextmanager
    def _maintenance(self, connection: ConnectionInfo, avoid: str | None = None) -> Iterator[Session]:
        with connect(self._maintenance_database(connection, avoid or connection.dbname)) as session:
            yield session

    @staticmethod
    def _maintenance_database(connection: ConnectionInfo, avoid: str) -> ConnectionInfo:
        refusals: list[PostgresError] = []
        for name in _MAINTENANCE:
            if name == avoid:
                continue
            candidate = connection.to_database(name)
            try:
                with connect(candidate):
                    return candidate
            except DatabaseMissing as error:
                refusals.append(error)
        raise refusals[0]

    def _names(self, connection: ConnectionInfo, query: str) -> frozenset[str]:
        with connect(connection) as session:
            return frozenset(name for (name,) in session.execute(query))


def _free_memory() -> int | None:
    """What Linux could give without swapping, in bytes; elsewhere unknown."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    figures = (line.split() for line in lines if line.startswith("MemAvailable:"))
    return next((int(words[1]) * 1024 for words in figures), None)


def _system_identifier(session: Session) -> str:
    value: Any = inspect.scalar(session, "SELECT system_identifier FROM pg_catalog.pg_control_system()")
    return str(value)
