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
# Of the server's room for locks. pg_dump takes as many again, and counting takes those of the indexes.
_LOCK_SHARE = 0.15


@contextmanager
def exported(
    connection: ConnectionInfo, lock_wait_seconds: int, installation: str | None
) -> Iterator["ExportedSnapshot"]:
    """Hold a snapshot open for the length of a `with` block."""
    with connect(connection, lock_wait_seconds=lock_wait_seconds) as session:
        session.own_schema = inspect.find_own_schema(session, installation)
        session.execute(_BEGIN)
        yield ExportedSnapshot(
            id=inspect.scalar(session, "SELECT pg_catalog.pg_export_snapshot()"),
            connection=connection,
            lock_wait_seconds=lock_wait_seconds,
            session=session,
        )


@dataclass
class ExportedSnapshot:
    """See the port `Snapshot`."""

    id: str
    connection: ConnectionInfo
    lock_wait_seconds: int
    session: Session = field(repr=False)
    _held: bool = False

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
        with translated(self.connection):
            if 0 < len(tables) <= inspect.lock_capacity(self.session) * _LOCK_SHARE:
                inspect.lock(self.session, tables)
                self._held = True

    def rewritten(self, tables: Sequence[Relation]) -> tuple[str, ...]:
        """See the port."""
        with translated(self.connection):
            return inspect.rewritten(self.session, tables)

    def references(self) -> tuple[tuple[int, int], ...]:
        """See the port."""
        with translated(self.connection):
            return inspect.references(self.session)

    def matching(self, patterns: Sequence[str]) -> tuple[Relation, ...]:
        """See the port."""
        found = {
            table.oid: table for pattern in parse_all(patterns) for table in inspect.matching(self.session, pattern)
        }
        return tuple(found.values())

    def count_rows(self, tables: Sequence[Relation], abandoned: Event | None = None) -> Mapping[str, int]:
        """See the port.

        Held tables are counted by the session that holds them: a new one would queue behind whoever waits
        for the tables, and that one waits for us. Others are counted in short transactions, so that the
        locks of 10,000 tables do not fill the server's lock table.
        """
        if self._held:
            with translated(self.connection), cancelled_by(self.session, abandoned or Event()):
                return {name: rows for batch in _batches(tables) for name, rows in self._count_held(batch)}
        with (
            connect(self.connection, lock_wait_seconds=self.lock_wait_seconds) as session,
            cancelled_by(session, abandoned or Event()),
        ):
            return {name: rows for batch in _batches(tables) for name, rows in self._count_in(session, batch)}

    def _count_held(self, batch: Sequence[Relation]) -> list[tuple[str, int]]:
        # Going back to a savepoint gives up the locks of the indexes.
        self.session.execute("SAVEPOINT counting")
        counted = [(table.name, inspect.count(self.session, table)) for table in batch]
        self.session.execute("ROLLBACK TO SAVEPOINT counting")
        return counted

    def _count_in(self, session: Session, batch: Sequence[Relation]) -> list[tuple[str, int]]:
        session.execute(_BEGIN)
        session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.id)))
        counted = [(table.name, inspect.count(session, table)) for table in batch]
        session.execute("COMMIT")
        return counted

    def sequence_positions(self) -> Mapping[str, SequencePosition]:
        """See the port."""
        with translated(self.connection):
            return inspect.sequence_positions(self.session)


def _batches(tables: Sequence[Relation]) -> Iterator[Sequence[Relation]]:
    for start in range(0, len(tables), _TABLES_A_TRANSACTION):
        yield tables[start : start + _TABLES_A_TRANSACTION]
