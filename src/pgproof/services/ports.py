"""What the world must offer to the use cases. Each method states its contract; one suite per port holds
every adapter and its fake to it.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from threading import Event
from typing import Protocol

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database, Server, ServerVersion
from pgproof.domain.fingerprint import Contents, Fingerprint, FingerprintLevel, SequencePosition
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.domain.restore_test import RestoreTest
from pgproof.domain.role_statements import RoleStatement
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.domain.tuning import ServerMemory


class Clock(Protocol):
    """Time, so that no decision reads it behind a test's back."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""


@dataclass(frozen=True)
class Progress:
    """How far a step is; ``None`` is unknown.

    `tables_begun` counts the tables that a tool has taken up, those that it works on included. `estimated` says
    that `bytes_total` is a guess. `part` names a part of the step that has figures of its own, such as "unpack".
    """

    bytes_done: int = 0
    bytes_total: int | None = None
    tables_begun: int = 0
    tables_total: int | None = None
    estimated: bool = False
    part: str = ""


class Observer(Protocol):
    """Who watches a job: a terminal, the catalog, a test. It must not raise; any thread may call it."""

    def step(self, name: str) -> None:
        """A new step begins."""

    def progress(self, progress: Progress) -> None:
        """The present step went on."""

    def log(self, line: str) -> None:
        """One line for the job's log, without secrets."""


class Lock(Enum):
    """What a process can own while it works on it."""

    BACKUP = 1
    RESTORE = 2
    DATABASE = 3
    RESTORE_TEST = 4


@dataclass(frozen=True)
class BackupFilter:
    """Which backups to list, newest first; ``None`` does not filter."""

    limit: int = 50
    status: BackupStatus | None = None
    database: str | None = None
    trigger_source: BackupTrigger | None = None


@dataclass(frozen=True)
class BackupStats:
    """Totals for the overview; `total_size` in bytes.

    `total_backups` counts all that are not expired or deleted. The rest is of the usable ones (`completed`
    and `restored`, and not being deleted); `latest_backup_at` is when the last of them was completed.
    """

    total_backups: int
    completed_backups: int
    total_size: int
    latest_backup_at: datetime | None


class Catalog(Protocol):
    """The record of databases, backups and restores.

    Every method is one short transaction. All raise `CatalogUnreachable` when the catalog does not
    answer; lookups by id or name raise `NotFound`.
    """

    def installation(self) -> str:
        """What tells this catalog from every other: made with it, and never changed."""

    def add_database(self, name: str, connection: ConnectionInfo, *, from_settings: bool = False) -> Database:
        """Register a database; `Conflict` if the name is taken. The password is stored sealed."""

    def update_database(self, database: Database) -> None:
        """Store a registered database's connection anew, and whether it is the settings'."""

    def get_database(self, name: str) -> Database:
        """The registered database of that name."""

    def list_databases(self) -> Sequence[Database]:
        """All registered databases by name."""

    def remove_database(self, name: str) -> None:
        """Forget a database. Its backups stay, in the catalog and in the storage, under its name."""

    def create_backup(
        self,
        database: str,
        *,
        storage_url: str,
        options: BackupOptions,
        trigger: BackupTrigger,
        now: datetime,
    ) -> Backup:
        """A new pending backup; its id, and with it its names, come from the catalog."""

    def begin_backup(
        self,
        database: str,
        *,
        storage_url: str,
        options: BackupOptions,
        trigger: BackupTrigger,
        now: datetime,
    ) -> AbstractContextManager[Backup]:
        """A new running backup, for the length of a `with` block owned; nobody sees it before it is."""

    def get_backup(self, backup_id: int) -> Backup:
        """The backup of that id."""

    def save_backup(self, backup: Backup, *, expected: BackupStatus) -> None:
        """Store every field of a backup whose stored status is `expected`; else `Conflict`."""

    def change_backup(self, backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
        """Store what `change` makes of the stored backup, and return it; nobody changes it in between.

        What `change` raises comes out, and nothing is stored. `Conflict` for a transition that is not legal.
        """

    def list_backups(self, wanted: BackupFilter) -> Sequence[Backup]:
        """The newest first."""

    def present_backups(self) -> Sequence[Backup]:
        """All that are neither expired nor deleted, the oldest first."""

    def unfinished_deletions(self) -> Sequence[Backup]:
        """All that are being deleted, the oldest deletion first."""

    def backup_stats(self) -> BackupStats:
        """Totals for the overview."""

    def create_restore(self, backup: Backup, dbname: str, options: RestoreOptions, now: datetime) -> Restore:
        """A new running restore at its first step, with the names of its databases.

        `dbname` is where it ends up. Only a swap keeps a previous database.

        `database` of the restore is the backup's: the registered name.
        """

    def get_restore(self, restore_id: int) -> Restore:
        """The restore of that id."""

    def save_restore(self, restore: Restore, *, expected: RestoreStatus | None = None) -> None:
        """Store every field; where a status is `expected`, of a restore whose stored status it is, else `Conflict`."""

    def list_restores(self, limit: int = 50, *, database: str | None = None) -> Sequence[Restore]:
        """The newest first; only those of the backups of one database where that is given."""

    def unfinished_restores(self) -> Sequence[Restore]:
        """All that are `running` or `undoing`, the oldest first."""

    def keeping_restores(self) -> Sequence[Restore]:
        """All that keep a database beside the live one and have an undo window, the oldest first."""

    def create_restore_test(self, backup: Backup, now: datetime) -> RestoreTest:
        """A new running restore test of a backup, at its first step."""

    def get_restore_test(self, test_id: int) -> RestoreTest:
        """The restore test of that id."""

    def save_restore_test(self, test: RestoreTest) -> None:
        """Store every field."""

    def list_restore_tests(self, limit: int = 50, *, backup_id: int | None = None) -> Sequence[RestoreTest]:
        """The newest first; of one backup where it is given."""

    def unfinished_restore_tests(self) -> Sequence[RestoreTest]:
        """All that are `running`, the oldest first."""

    def append_log(self, kind: Lock, job_id: int, lines: Sequence[str], now: datetime) -> None:
        """Add lines to the log of a backup or a restore."""

    def read_log(self, kind: Lock, job_id: int) -> Sequence[str]:
        """The log's lines in their order."""

    def own(self, kind: Lock, job_id: int) -> AbstractContextManager[None]:
        """Own a job for the length of a `with` block; `Conflict` if somebody else does.

        Ownership ends with the process that holds it, however it ends.
        """

    def check_owned(self, kind: Lock, job_id: int) -> None:
        """Raise `WorkerLost` unless a job that we began to `own` is still ours.

        Ownership can be lost behind the back of its owner, with its session. Then it is taken again, unless
        another process was quicker; what that one did while nobody owned the job, the job's row tells.
        """

    def is_owned(self, kind: Lock, job_id: int) -> bool:
        """Whether some living process owns the job."""


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object; `size` in bytes."""

    key: str
    size: int


class Storage(Protocol):
    """A place where archives live. Keys are relative paths with ``/``; `InvalidInput` for any that leave it.

    Beside what each method names, all raise `StorageUnreachable` and `StorageDenied`.
    """

    @property
    def url(self) -> str:
        """Where this is, without secrets."""

    def check(self) -> None:
        """Raise unless an object can be written, read and deleted here now."""

    def free_bytes(self) -> int | None:
        """Space left, where it can be known."""

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store a stream and return its length.

        The object appears, whole and durable, only after the last chunk: an exception from the iterator
        or from the storage leaves nothing under `key` (and what was there before as it was).
        Raises `StorageFull`.
        """

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        """The object's bytes from `start` on, in chunks. Raises `ObjectMissing` before the first chunk."""

    def stat(self, key: str) -> ObjectInfo:
        """The object's length, or `ObjectMissing`."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key begins with `prefix`, by key. Unfinished writes are not objects."""

    def delete(self, key: str) -> None:
        """Remove an object for good. Deleting what is not there is no error."""

    def discard_unfinished(self, prefix: str) -> None:
        """Remove what interrupted writes under `prefix` left behind. Nobody may be writing there."""

    def local_path(self, key: str) -> Path | None:
        """A path by which tools can read the object, where there is one."""


class Streams(Protocol):
    """Compression of byte streams: iterators in, iterators out, in bounded memory."""

    def compress(self, chunks: Iterable[bytes], compression: Compression, level: int) -> Iterator[bytes]:
        """The compressed stream; `level` 1 to 9 is a scale of effort."""

    def decompress(self, chunks: Iterable[bytes], compression: Compression) -> Generator[bytes, None, None]:
        """The original stream, to be closed if it is not read to its end.

        Raises `ArchiveUnreadable` where the stored bytes are not whole.
        """


class Seal(Protocol):
    """Keeps secrets that must be stored."""

    def seal(self, text: str) -> bytes:
        """An encrypted, authenticated form."""

    def open(self, sealed: bytes) -> str:
        """What was sealed. Raises `ConfigurationError` if the key is another one."""


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
    own catalog lives in this database.
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

    def apply_settings(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> None:
        """Database-level settings alone, before anything is loaded: what is loaded may depend on them."""

    def apply_properties(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> None:
        """Database-level settings, grants, comment and connection limit, in one transaction."""

    def memory(self, connection: ConnectionInfo) -> ServerMemory:
        """What is known of the server's memory."""

    def sessions(self, connection: ConnectionInfo) -> int:
        """How many sessions of clients are in a database now."""

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
class ClientTools:
    """One installation of pg_dump and its siblings; `origin` says where it was found."""

    version: ServerVersion
    folder: Path
    origin: str


@dataclass(frozen=True)
class DumpRequest:
    """One run of pg_dump. `excluded_data` come without their rows; `jobs` is for the directory format."""

    connection: ConnectionInfo
    snapshot: str
    format: ArchiveFormat
    jobs: int
    excluded_data: tuple[Relation, ...] = ()
    excluded_schemas: tuple[str, ...] = ()
    encoding: str = "UTF8"
    lock_wait_seconds: int = 60


@dataclass(frozen=True)
class Watch:
    """Ties a tool's run to the job that it belongs to.

    `on_line` hears every line of the tool's stderr, in another thread. Setting `cancelled` kills the tool
    with all that it started, and the call raises `Cancelled`; so does `timeout` (seconds) with `TimedOut`.
    """

    on_line: Callable[[str], None]
    cancelled: Event = field(default_factory=Event)
    timeout: float | None = None


@dataclass(frozen=True)
class RestoreRequest:
    """One run of pg_restore from a `staged` archive; `entries` are numbers of its table of contents, or all.

    `settings` are of the session, such as maintenance_work_mem. `server_version` tells what the server knows.
    `replaced` names the tables that `replace_contents` drops first, ``None`` is everything but `kept_schema`;
    what depends on a named one is not dropped with it. `role_map` names the roles that take the place of others.
    """

    staged: Path
    connection: ConnectionInfo
    jobs: int
    entries: tuple[int, ...] | None = None
    no_owner: bool = False
    no_acl: bool = False
    no_tablespaces: bool = False
    role_map: Mapping[str, str] = field(default_factory=dict)
    server_version: ServerVersion | None = None
    kept_schema: str | None = None
    replaced: tuple[str, ...] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


TRANSACTION_MARK = "pgproof transaction "


class PostgresTools(Protocol):
    """The PostgreSQL project's own tools, as child processes that never outlive the call."""

    def clients(self) -> Sequence[ClientTools]:
        """All installations found, newest first."""

    def for_server(
        self, version: ServerVersion, at_least: ServerVersion | None = None, *, tls: bool = False
    ) -> ClientTools:
        """Tools of the server's major version, else the nearest newer. Raises `ClientMissing`.

        With `tls`, only tools that were built with it: the embedded ones were not.
        `at_least` is for reading: an archive needs tools as new as those that wrote it.
        """

    def dump(self, tools: ClientTools, request: DumpRequest, watch: Watch) -> Generator[bytes, None, None]:
        """The archive as one stream: pg_dump's own for custom, a tar of its files for directory.

        Closing it ends the tool; whoever reads it must, also when something else fails.
        Raises `DumpFailed` at the end of the stream if the tool failed, however much came before.
        """

    def dump_globals(
        self, tools: ClientTools, connection: ConnectionInfo, watch: Watch, *, passwords: bool
    ) -> Generator[bytes, None, None]:
        """Roles and tablespaces as SQL; `passwords` (their hashes) need a superuser."""

    def read_contents(self, tools: ClientTools, archive: Iterable[bytes], form: ArchiveFormat) -> TableOfContents:
        """The table of contents; reads no more than it must. Raises `ArchiveUnreadable`."""

    def stage(self, archive: Iterable[bytes], form: ArchiveFormat, stored: Path | None) -> AbstractContextManager[Path]:
        """The archive as pg_restore can read it in parallel, for the length of a `with` block.

        `stored` is used in place where it can be. Raises `StorageFull`.
        """

    def restore(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> None:
        """Run pg_restore into an empty database; the first error ends it. Raises `RestoreFailed`."""

    def replace_contents(
        self, tools: ClientTools, request: RestoreRequest, expected: Fingerprint, watch: Watch
    ) -> None:
        """Drop the user objects of a database and restore, in one transaction: all or nothing.
        Before the commit the counts are held against `expected`. Raises
               `FingerprintMismatch` and `RestoreFailed`; then the database is as it was. `watch` hears a line with
               `TRANSACTION_MARK` and the transaction's number before anything is changed.
        """

    def archive_schema(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> Generator[bytes, None, None]:
        """The definitions in a staged archive as a script, as the request would restore them."""

    def database_schema(
        self, tools: ClientTools, request: RestoreRequest, watch: Watch
    ) -> Generator[bytes, None, None]:
        """The definitions in the database that the request restored to, as a script of the same form."""


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
