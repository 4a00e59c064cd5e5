"""A scratch server and tools in memory: a restore test without any PostgreSQL."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.errors import ClientMissing, PgproofError, VersionUnsupported
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel
from pgproof.domain.properties import DatabaseProperties, Setting
from pgproof.domain.role_statements import RoleStatement
from pgproof.domain.tuning import ServerMemory
from pgproof.services.ports import ClientTools, RestoreRequest, Scratch, Watch


@dataclass
class FakeScratch:
    """Runs one server of its own, or stands for the `named` one."""

    named: ConnectionInfo | None = None
    version: ServerVersion = field(default_factory=lambda: ServerVersion.parse("18.4"))
    free: int | None = None
    started: int = 0
    stopped: int = 0

    def free_bytes(self) -> int | None:
        return self.free

    @contextmanager
    def running(self, at_least: ServerVersion) -> Iterator[Scratch]:
        if at_least.major > self.version.major:
            raise VersionUnsupported(f"PostgreSQL {at_least.major} or newer")
        self.started += 1
        try:
            yield Scratch(self.named or ConnectionInfo("postgres", "/run/scratch"), throwaway=self.named is None)
        finally:
            self.stopped += 1

    def remove_abandoned(self) -> Sequence[str]:
        return []


@dataclass
class FakePostgres:
    """A server that holds `databases` (names to OIDs) and brings back what `restored` says.

    `refusals` maps names of methods to what they raise.
    """

    restored: Fingerprint
    databases: dict[str, int] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset({"plpgsql"})
    roles: set[str] = field(default_factory=lambda: {"postgres"})
    version: ServerVersion = field(default_factory=lambda: ServerVersion.parse("18.4"))
    superuser: bool = True
    creates: bool = True
    system_identifier: str = "1"
    made: list[tuple[str, DatabaseProperties]] = field(default_factory=list)
    refusals: dict[str, BaseException] = field(default_factory=dict)

    def identify(self, connection: ConnectionInfo) -> Server:
        self._refuse("identify")
        return Server(self.version, self.system_identifier, "tester", self.superuser, self.creates)

    def maintenance(self, connection: ConnectionInfo) -> ConnectionInfo:
        return connection.to_database("postgres")

    def list_databases(self, connection: ConnectionInfo) -> dict[str, int]:
        return dict(self.databases)

    def list_roles(self, connection: ConnectionInfo) -> frozenset[str]:
        return frozenset(self.roles)

    def list_available_extensions(self, connection: ConnectionInfo) -> frozenset[str]:
        return self.extensions

    def create_roles(
        self, connection: ConnectionInfo, statements: Sequence[RoleStatement], names: Iterable[str]
    ) -> Sequence[str]:
        self.roles |= {statement.role for statement in statements} | set(names)
        return ["one of them"]

    def create_shadow(self, connection: ConnectionInfo, name: str, properties: DatabaseProperties) -> int:
        self._refuse("create_shadow")
        self.databases[name] = 100 + len(self.databases)
        self.made.append((name, properties))
        return self.databases[name]

    def apply_settings(
        self, connection: ConnectionInfo, name: str, properties: DatabaseProperties
    ) -> dict[Setting, str]:
        self._refuse("apply_settings")
        return {}

    def memory(self, connection: ConnectionInfo) -> ServerMemory:
        return ServerMemory(1 << 27, 1 << 26)

    def validate_indexes(self, connection: ConnectionInfo) -> tuple[str, ...]:
        return ()

    def fingerprint(self, connection: ConnectionInfo, level: FingerprintLevel) -> Fingerprint:
        self._refuse("fingerprint")
        return self.restored

    def user_objects(self, connection: ConnectionInfo) -> tuple[str, ...]:
        return ()

    def drop_database(self, connection: ConnectionInfo, name: str, oid: int) -> bool:
        self._refuse("drop_database")
        return self.databases.get(name) == oid and self.databases.pop(name) == oid

    def _refuse(self, method: str) -> None:
        if method in self.refusals:
            raise self.refusals[method]


@dataclass
class FakeTools:
    """Tools that restore at once, or fail with `failure`; `requests` are what they were asked for."""

    archived: str = ""
    restored: str = ""
    failure: PgproofError | None = None
    version: ServerVersion = field(default_factory=lambda: ServerVersion.parse("18.4"))
    requests: list[RestoreRequest] = field(default_factory=list)

    def for_server(self, version: ServerVersion, at_least: ServerVersion | None = None) -> ClientTools:
        if version.major > self.version.major:
            raise ClientMissing(f"no PostgreSQL client tools for a server of version {version}")
        return ClientTools(self.version, Path("/bin"), "fake")

    @contextmanager
    def stage(self, archive: Iterable[bytes], form: ArchiveFormat, stored: Path | None) -> Iterator[Path]:
        for _ in archive:
            pass
        yield Path("/staged")

    def restore(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> None:
        self.requests.append(request)
        watch.on_line("pg_restore: processing data for table")
        if self.failure is not None:
            raise self.failure

    def archive_schema(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> Generator[bytes, None, None]:
        yield self.archived.encode()

    def database_schema(
        self, tools: ClientTools, request: RestoreRequest, watch: Watch
    ) -> Generator[bytes, None, None]:
        yield self.restored.encode()
