"""An exported snapshot, and what is read in it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event

from psycopg import sql

from pgproof.adapters.postgres import inspect
from pgproof.adapters.postgres.connect import Session, cancelled_by, connect, translated
from pgproof.adapters.postgres.patterns import parse_all
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.fingerprint import SequencePosition
from pgproof.services.ports import DatabaseFacts, Relation

_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_TABLES_A_TRANSACTION = 200
# pg_dump locks every table itself; twice as many locks of a huge schema would not fit the server's lock table.
_HELD_TABLES = 1000


@contextmanager
def exported(connection: ConnectionInfo, lock_wait_seconds: int) -> Iterator["ExportedSnapshot"]:
    """Hold a snapshot open for the length of a `with` block."""
    with connect(connection, lock_wait_seconds=lock_wait_seconds) as session:
        session.execute(_BEGIN)
        yield ExportedSnapshot(
            id=inspect.scalar(session, "SELECT pg_catalog.pg_export_snapshot()"),
            connection=connection,
            lock_wait_seconds=lock_wait_seconds,
            session=session,
        )


@dataclass(frozen=True)
class ExportedSnapshot:
    """See the port `Snapshot`."""

    id: str
    connection: ConnectionInfo
    lock_wait_seconds: int
    session: Session = field(repr=False)

    @cached_property
    def facts(self) -> DatabaseFacts:
        """What the database holds."""
        session = self.session
        return DatabaseFacts(
            size=inspect.scalar(session, "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"),
            tables=inspect.tables(session),
            sequences=tuple(inspect.sequence_names(session)),
            extensions=inspect.extensions(session),
            roles=inspect.roles(session),
            unreadable=inspect.unreadable(session),
            large_objects=inspect.large_objects(session),
            properties=inspect.properties(session),
            holds_catalog=inspect.holds_catalog(session),
        )

    def hold(self, tables: Sequence[Relation]) -> None:
        """See the port."""
        if 0 < len(tables) <= _HELD_TABLES:
            with translated(self.connection):
                inspect.lock(self.session, tables)

    def matching(self, patterns: Sequence[str]) -> tuple[Relation, ...]:
        """See the port."""
        found = {
            table.oid: table for pattern in parse_all(patterns) for table in inspect.matching(self.session, pattern)
        }
        return tuple(found.values())

    def count_rows(self, tables: Sequence[Relation], abandoned: Event | None = None) -> Mapping[str, int]:
        """Count in transactions of their own that read this snapshot.

        One transaction for all would hold a lock on every table, beside those that pg_dump holds:
        a database of 10,000 tables would use up the server's lock table.
        """
        rows: dict[str, int] = {}
        with (
            connect(self.connection, lock_wait_seconds=self.lock_wait_seconds) as session,
            cancelled_by(session, abandoned or Event()),
        ):
            for start in range(0, len(tables), _TABLES_A_TRANSACTION):
                session.execute(_BEGIN)
                session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.id)))
                for table in tables[start : start + _TABLES_A_TRANSACTION]:
                    rows[table.name] = inspect.count(session, table)
                session.execute("COMMIT")
        return rows

    def sequence_positions(self) -> Mapping[str, SequencePosition]:
        """See the port."""
        with translated(self.connection):
            return inspect.sequence_positions(self.session)
