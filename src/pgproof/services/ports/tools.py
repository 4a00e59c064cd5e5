"""The PostgreSQL project's own tools."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.domain.fingerprint import Fingerprint
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.services.ports.server import Relation


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
    what depends on a named one is not dropped with it. `script`: staged is no archive but a plain dump, for psql.
    `role_map` names the roles that take the place of others. Without `autovacuum` it is kept away from the tables
    while they are loaded, and has them at the end as the archive says. `properties` are what `replace_contents` gives
    the database itself, ``None`` leaves it as it is.
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
    autovacuum: bool = True
    properties: DatabaseProperties | None = None
    script: bool = False


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

    def read_through(self, tools: ClientTools, staged: Path, form: ArchiveFormat, watch: Watch) -> None:
        """Read every byte of a staged archive as a restore would. Raises `ArchiveUnreadable`."""

    def stage(self, archive: Iterable[bytes], form: ArchiveFormat, stored: Path | None) -> AbstractContextManager[Path]:
        """The archive as pg_restore can read it in parallel, for the length of a `with` block.

        `stored` is used in place where it can be. Raises `StorageFull`.
        """

    def restore(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> None:
        """Run pg_restore into an empty database; the first error ends it. Raises `RestoreFailed`."""

    def replace_contents(
        self, tools: ClientTools, request: RestoreRequest, expected: Fingerprint | None, watch: Watch
    ) -> None:
        """Drop the user objects of a database and restore, in one transaction: all or nothing.

        Before the commit the counts are held against `expected`, unless that is ``None``. Raises
        `FingerprintMismatch` and `RestoreFailed`; then the database is as it was. `watch` hears a line with
        `TRANSACTION_MARK` and the transaction's number before anything is changed, and a warning for each property
        that the server does not let us change.
        """

    def archive_schema(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> Generator[bytes, None, None]:
        """The definitions in a staged archive as a script, as the request would restore them."""

    def database_schema(
        self, tools: ClientTools, request: RestoreRequest, watch: Watch
    ) -> Generator[bytes, None, None]:
        """The definitions in the database that the request restored to, as a script of the same form."""
