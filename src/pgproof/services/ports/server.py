"""What we ask of a PostgreSQL server over SQL."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.fingerprint import Contents, Fingerprint, FingerprintLevel, SequencePosition
from pgproof.domain.obstacles import Obstacles
from pgproof.domain.properties import DatabaseProperties, Setting
from pgproof.domain.role_statements import RoleStatement
from pgproof.domain.tuning import ServerMemory


@dataclass(frozen=True)
class Relation:
    """A table of the protected database, with its size in bytes.

    `name` is how the server writes it, qualified and quoted where needed. A partitioned table is only a
    `parent`: it has no rows of its own.
    """

    oid: int
    schema: str
    table: str
    name: str
    size: int = 0
    parent: bool = False


@dataclass(frozen=True)
class DatabaseFacts:
    """What one snapshot shows of a database before anything is dumped. `size` in bytes.

    `unreadable` names the tables and sequences that the role may not read. `extensions` maps names to
    versions, `roles` are all roles that own or are granted something. `holds_catalog` tells that pgproof's
    own catalog lives in this database. `unrestorable` is what a dump holds and no restore brings back.
    """

    size: int
    tables: tuple[Relation, ...]
    sequences: tuple[str, ...]
    extensions: Mapping[str, str]
    roles: tuple[str, ...]
    unreadable: tuple[str, ...]
    large_objects: int
    properties: DatabaseProperties
    holds_catalog: bool
    unrestorable: tuple[str, ...] = ()


class Snapshot(Protocol):
    """An open, exported snapshot: all that is read here is one moment of the database."""

    @property
    def id(self) -> str:
        """What pg_dump's --snapshot takes."""

    @property
    def facts(self) -> DatabaseFacts:
        """What the database holds."""

    def hold(self, tables: Sequence[Relation]) -> None:
        """Keep others from dropping, altering or truncating these tables for the length of the snapshot.

        Reading and writing go on. A very long list is left to pg_dump's own locks.
        """

    def rewritten(self, tables: Sequence[Relation]) -> tuple[str, ...]:
        """Tables that somebody truncated, rewrote or dropped after the snapshot: it sees them empty.

        Ask once the tables are kept by `hold` or by a dump.
        """

    def references(self) -> tuple[tuple[int, int], ...]:
        """All foreign keys, as OIDs of the referencing and of the referenced table."""

    def matching(self, patterns: Sequence[str]) -> tuple[Relation, ...]:
        """Tables that a list of pg_dump's patterns means, with their partitions and children."""

    def contents_of(
        self, tables: Sequence[Relation], level: FingerprintLevel, abandoned: Event | None = None
    ) -> Contents:
        """Row counts, and at the level "content" digests; at "none" nothing is read.

        Setting `abandoned` ends it in the middle, with an error.
        Call it while `hold` or a dump keeps the tables: TRUNCATE is not seen by snapshots.
        """

    def sequence_positions(self) -> Mapping[str, SequencePosition]:
        """Where every sequence stands now: sequences know no snapshot."""


class PostgresServer(Protocol):
    """What we ask of a server over SQL.

    All methods raise `ServerUnreachable`, `AuthenticationFailed`, `DatabaseMissing` and `PrivilegeMissing`.
    """

    def parse_url(self, url: str) -> ConnectionInfo:
        """A `postgresql://` URL or a libpq connection string. Raises `InvalidInput`."""

    def maintenance(self, connection: ConnectionInfo) -> ConnectionInfo:
        """A database of the same server from which `connection`'s own can be renamed or dropped."""

    def holds_catalog(self, connection: ConnectionInfo) -> bool:
        """Whether pgproof's own catalog lives in that database."""

    def identify(self, connection: ConnectionInfo) -> Server:
        """Who answers there. Raises `VersionUnsupported` below PostgreSQL 13."""

    def open_snapshot(self, connection: ConnectionInfo) -> AbstractContextManager[Snapshot]:
        """Export a snapshot; it lasts for the `with` block and never longer."""

    def fingerprint(self, connection: ConnectionInfo, level: FingerprintLevel = FingerprintLevel.COUNTS) -> Fingerprint:
        """Read a database that nobody writes to, as far as `level` says."""

    def list_databases(self, connection: ConnectionInfo) -> Mapping[str, int]:
        """All databases of the server, names to OIDs. A name can pass to another database, an OID cannot."""

    def list_roles(self, connection: ConnectionInfo) -> frozenset[str]:
        """Names of all roles of the server."""

    def list_available_extensions(self, connection: ConnectionInfo) -> frozenset[str]:
        """Names of the extensions that the server can create."""

    def create_roles(
        self, connection: ConnectionInfo, statements: Sequence[RoleStatement], names: Iterable[str]
    ) -> Sequence[str]:
        """Run statements about roles that are not there yet, then make those of `names` that still are not.

        Nobody can log in as one of them. Returns what the server refused, each with its reason.
        """

    def create_shadow(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> int:
        """An empty database with encoding, locale and tablespace of `properties`, owned as they say; its OID.

        Nobody but the owner and superusers gets in before `apply_properties`.
        """

    def check_properties(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> None:
        """Try what `apply_properties` does, and take it back: raises what that would raise."""

    def apply_settings(
        self, connection: ConnectionInfo, name: str, properties: DatabaseProperties
    ) -> Mapping[Setting, str]:
        """Database-level settings alone, before anything is loaded: what is loaded may depend on them.

        Those that this server does not know, or not with that value, are left out and returned with what it said.
        """

    def apply_properties(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> None:
        """Database-level settings, grants, comment and connection limit, in one transaction."""

    def memory(self, connection: ConnectionInfo) -> ServerMemory:
        """What is known of the server's memory."""

    def sessions(self, connection: ConnectionInfo) -> int:
        """How many sessions of clients are in a database now."""

    def obstacles(self, connection: ConnectionInfo) -> Obstacles:
        """What others hold in a database and a restore cannot take away."""

    def user_objects(self, connection: ConnectionInfo) -> tuple[str, ...]:
        """What a database holds beside what every new one has, for people; our own schema does not count."""

    def transaction_committed(self, connection: ConnectionInfo, transaction: str) -> bool:
        """What became of a transaction. One that is still going on is ended first."""

    def analyze(self, connection: ConnectionInfo) -> tuple[str, ...]:
        """Collect statistics of the whole database; says of which tables it could not, and why.

        A table with a foreign partition needs what that leads to, which need not be there.
        """

    def validate_indexes(self, connection: ConnectionInfo) -> tuple[str, ...]:
        """Mend what a parallel restore can leave: indexes of partitioned tables that are whole and count as invalid.

        Says which it mended. Two jobs that attach at once each miss the other's index.
        """

    def swap(self, connection: ConnectionInfo, *, live: str, incoming: str, outgoing: str | None) -> float:
        """Rename `live` to `outgoing` and `incoming` to `live` in one transaction.

        Ends the connections to both. `outgoing` is ``None`` where there is no live database to keep.
        Returns the seconds for which `live` refused or held connections.
        Raises `SwapFailed`; then both are as they were.
        """

    def drop_database(self, connection: ConnectionInfo, name: str, oid: int) -> bool:
        """Drop a database and whatever is connected to it; whether there was one of that name and OID.

        One of the same name and another OID is somebody else's and stays.
        """


@dataclass(frozen=True)
class Scratch:
    """A server to restore to for a test. `throwaway`: nobody else uses it, and nothing of it stays."""

    connection: ConnectionInfo
    throwaway: bool


class ScratchServer(Protocol):
    """Where restore tests restore to."""

    named: ConnectionInfo | None
    """The server that an operator named for tests; ``None`` where each test gets one of its own."""

    def free_bytes(self) -> int | None:
        """Space for a server of our own, where it can be known."""

    def running(self, at_least: ServerVersion) -> AbstractContextManager[Scratch]:
        """A server for the length of a `with` block; of our own the nearest major version that is not older.

        Raises `VersionUnsupported` where there is none, `ConfigurationError` and `ServerUnreachable` if it
        does not start.
        """

    def remove_abandoned(self) -> Sequence[str]:
        """Stop and remove servers of our own whose process is gone; a line for each, also for one that stays."""
