"""An exported snapshot, and what is read in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event

from psycopg import sql

from pgproof.adapters.postgres import digest, inspect, unrestorable
from pgproof.adapters.postgres.connect import Session, cancelled_by, connect, translated
from pgproof.adapters.postgres.patterns import parse_all
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.fingerprint import Contents, FingerprintLevel, SequencePosition
from pgproof.services.ports import DatabaseFacts, Relation

_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_TABLES_A_TRANSACTION = 200
# Of the server's room for locks. pg_dump takes as many again, and counting takes those of the indexes.
_LOCK_SHARE = 0.15

_Transaction = Callable[[], AbstractContextManager[Session]]


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
            unrestorable=unrestorable.find(session),
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

    def contents_of(
        self, tables: Sequence[Relation], level: FingerprintLevel, abandoned: Event | None = None
    ) -> Contents:
        """See the port.

        Held tables are read by the session that holds them: a new one would queue behind whoever waits
        for the tables, and that one waits for us. Others are read in short transactions, so that the
        locks of 10,000 tables do not fill the server's lock table.
        """
        if level is FingerprintLevel.NONE:
            return Contents(rows=dict.fromkeys(table.name for table in tables))
        with self._short_transactions(abandoned or Event()) as transaction:
            if level is FingerprintLevel.CONTENT:
                return _digested(transaction, tables)
            rows: dict[str, int | None] = {}
            for batch in _batches(tables):
                with transaction() as session:
                    rows |= {table.name: inspect.count(session, table) for table in batch}
            return Contents(rows)

    @contextmanager
    def _short_transactions(self, abandoned: Event) -> Iterator[_Transaction]:
        if self._held:
            with translated(self.connection), cancelled_by(self.session, abandoned):
                yield self._savepoint
            return
        with (
            connect(self.connection, lock_wait_seconds=self.lock_wait_seconds) as session,
            cancelled_by(session, abandoned),
        ):
            yield lambda: self._importing(session)

    @contextmanager
    def _savepoint(self) -> Iterator[Session]:
        # Going back to a savepoint gives up the locks of the indexes, and takes back settings.
        self.session.execute("SAVEPOINT reading")
        yield self.session
        self.session.execute("ROLLBACK TO SAVEPOINT reading")

    @contextmanager
    def _importing(self, session: Session) -> Iterator[Session]:
        session.execute(_BEGIN)
        session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.id)))
        yield session
        session.execute("COMMIT")

    def sequence_positions(self) -> Mapping[str, SequencePosition]:
        """See the port."""
        with translated(self.connection):
            return inspect.sequence_positions(self.session)


def _digested(transaction: _Transaction, tables: Sequence[Relation]) -> Contents:
    read: dict[str, tuple[int, str]] = {}
    for batch in _batches(tables):
        with transaction() as session:
            digest.write_plainly(session)
            read |= digest.tables(session, batch)
    with transaction() as session:
        digest.write_plainly(session)
        large_objects = digest.large_objects(session)
    return Contents(
        rows={name: rows for name, (rows, _) in read.items()},
        digests={name: digested for name, (_, digested) in read.items()},
        large_objects=large_objects,
    )


def _batches(tables: Sequence[Relation]) -> Iterator[Sequence[Relation]]:
    for start in range(0, len(tables), _TABLES_A_TRANSACTION):
        yield tables[start : start + _TABLES_A_TRANSACTION]
