"""One restore by swap, step by step. Each step is recorded before it starts."""

from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import Backup
from pgproof.domain.database import ConnectionInfo, Database, Server, ServerVersion
from pgproof.domain.errors import (
    Cancelled,
    Conflict,
    FingerprintMismatch,
    PgproofError,
    PrivilegeMissing,
    RestoreFailed,
    SwapFailed,
    VersionUnsupported,
)
from pgproof.domain.fingerprint import differences
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import Restore, RestoreStep
from pgproof.services import contents
from pgproof.services.dump_progress import TableCounter
from pgproof.services.job_log import JobLog
from pgproof.services.measured import Measured
from pgproof.services.ports import (
    Catalog,
    ClientTools,
    Clock,
    PostgresServer,
    PostgresTools,
    Storage,
    Streams,
    Watch,
)


@dataclass
class Swapping:
    """The work of one swap; `restore` is its record as it goes on."""

    restore: Restore
    backup: Backup
    database: Database
    catalog: Catalog
    storage: Storage
    streams: Streams
    server: PostgresServer
    tools: PostgresTools
    clock: Clock
    log: JobLog
    cancelled: Event
    live_exists: bool = True
    _manifest: Manifest | None = None
    _client: ClientTools | None = None
    _begun_at: float = field(default=0.0)

    @property
    def shadow(self) -> ConnectionInfo:
        """How to reach the shadow database."""
        return self.database.connection.to_database(self.restore.shadow_database)

    @property
    def manifest(self) -> Manifest:
        """The backup's manifest, read in `prepare`."""
        if self._manifest is None:
            raise ValueError("prepare() comes first")
        return self._manifest

    @property
    def client(self) -> ClientTools:
        """The tools for the target, found in `prepare`."""
        if self._client is None:
            raise ValueError("prepare() comes first")
        return self._client

    def begin(self, step: RestoreStep) -> None:
        """Record a step before it starts, and the last one's time."""
        if self.cancelled.is_set():
            raise Cancelled("the job was cancelled")
        timings = self._timings()
        self._begun_at = self.clock.monotonic()
        self.note(step=step, timings=timings)
        self.log.step(step)

    def note(self, **changes: Any) -> None:
        """Change the record."""
        self.restore = replace(self.restore, **changes)
        self.catalog.save_restore(self.restore)

    def _timings(self) -> dict[str, float]:
        if self._begun_at == 0.0:
            return dict(self.restore.timings)
        seconds = self.clock.monotonic() - self._begun_at
        return {**self.restore.timings, self.restore.step: round(seconds, 3)}

    def prepare(self) -> None:
        """Find out everything that would make the restore fail, before anything is made."""
        self.begin(RestoreStep.PREFLIGHT)
        self._manifest = contents.read_manifest(self.storage, self.backup)
        maintenance = self.server.maintenance(self.database.connection)
        server = self.server.identify(maintenance)
        self.live_exists = self.restore.dbname in self.server.list_databases(maintenance)
        if not self.live_exists:
            self.note(previous_database=None)
        elif self.server.holds_catalog(self.database.connection):
            raise Conflict(
                f"pgproof's own catalog lives in {self.database.connection}: swapping it out would lose the record",
                hint="Move the catalog into a database of its own (BACKUP_CATALOG_URL), then restore.",
            )
        _check_version(server, self.manifest)
        self._client = self.tools.for_server(server.version, ServerVersion.parse(self.manifest.client_version))
        self._check_rights(server)
        self._check_roles_and_extensions(maintenance)

    def build(self) -> None:
        """Create the shadow, load it, collect its statistics, compare it."""
        self.begin(RestoreStep.CREATE_SHADOW)
        self.server.create_shadow(self.database.connection, self.restore.shadow_database, self.manifest.properties)
        self.begin(RestoreStep.LOAD)
        self._load()
        if self.restore.options.run_analyze:
            self.begin(RestoreStep.ANALYZE)
            self.server.analyze(self.shadow)
        self.begin(RestoreStep.COMPARE)
        self._compare()
        self.begin(RestoreStep.PROPERTIES)
        self.server.apply_properties(self.database.connection, self.restore.shadow_database, self.manifest.properties)

    def swap_in(self) -> None:
        """The switch. Raises `SwapFailed` only if the renames are known not to have happened."""
        self.begin(RestoreStep.SWAP)
        try:
            seconds = self.server.swap(
                self.database.connection,
                live=self.restore.dbname,
                incoming=self.restore.shadow_database,
                outgoing=self.restore.previous_database,
            )
        except SwapFailed:
            # A connection that breaks at the commit leaves the answer to the server's catalog.
            if not self.committed():
                raise
            seconds = self.clock.monotonic() - self._begun_at
        timings = {**self._timings(), "refused": round(seconds, 3)}
        self.restore = replace(self.restore, timings=timings)

    def committed(self) -> bool:
        """Whether the switch has happened."""
        return swap_committed(self.server, self.database, self.restore)

    def drop_shadow(self) -> None:
        """Remove what was built, if anything was: the live database keeps its name and content."""
        if self.restore.step in (RestoreStep.PREFLIGHT, RestoreStep.SAFETY_BACKUP):
            return
        self.server.drop_database(self.database.connection, self.restore.shadow_database)

    def _load(self) -> None:
        manifest = self.manifest
        archive = manifest.archive
        key = f"{self.backup.folder}/{archive.name}"
        direct = archive.compression is Compression.NONE and manifest.options.format is ArchiveFormat.CUSTOM
        path = self.storage.local_path(key) if direct else None
        if path is not None:
            contents.check_object(self.storage, self.backup.folder, archive)
        self.log.update(tables_total=len(manifest.fingerprint.tables), bytes_total=archive.size)
        stored = Measured(self.storage.read(key), lambda size: self.log.update(bytes_done=size))
        counter = TableCounter(lambda tables: self.log.update(tables_done=tables))
        with (
            closing(self.streams.decompress(stored, archive.compression)) as stream,
            self.tools.stage(stream, manifest.options.format, path) as staged,
        ):
            if path is None:
                contents.compare(key, archive, stored)
            self.tools.restore(
                self.client,
                staged,
                self.shadow,
                jobs=self.restore.options.parallel_jobs,
                watch=Watch(self.log.reader(counter.hear), self.cancelled),
            )

    def _compare(self) -> None:
        found = differences(self.manifest.fingerprint, self.server.fingerprint(self.shadow))
        if found:
            raise FingerprintMismatch(
                f"what came back differs from what was there in {len(found)} places: {'; '.join(map(str, found[:3]))}",
                hint="The live database was not touched. Verify the backup, see the log, or restore another one.",
                facts={"differences": [str(difference) for difference in found]},
            )

    def _check_rights(self, server: Server) -> None:
        if not server.can_create_databases:
            raise PrivilegeMissing(
                f"the role {server.role!r} may not create databases, and a swap builds one beside the live one",
                hint=f'Run as a superuser: ALTER ROLE "{server.role}" CREATEDB;',
            )

    def _check_roles_and_extensions(self, maintenance: ConnectionInfo) -> None:
        wanted = set(self.manifest.roles) | self.manifest.properties.roles
        roles = sorted(wanted - self.server.list_roles(maintenance))
        offered = self.server.list_available_extensions(maintenance)
        extensions = sorted(set(self.manifest.fingerprint.extensions) - offered)
        if roles or extensions:
            missing = [*(f"role {role}" for role in roles), *(f"extension {name}" for name in extensions)]
            statements = " ".join('CREATE ROLE "{}";'.format(role.replace('"', '""')) for role in roles)
            packages = f"Install on the server: {', '.join(extensions)}." if extensions else ""
            raise RestoreFailed(
                f"the server lacks what the backup needs: {', '.join(missing)}",
                hint=" ".join(part for part in (statements and f"Run there: {statements}", packages) if part),
                facts={"roles": roles, "extensions": extensions},
            )


def _check_version(server: Server, manifest: Manifest) -> None:
    taken_on = ServerVersion.parse(manifest.server_version)
    if server.version.major < taken_on.major:
        raise VersionUnsupported(
            f"the backup comes from PostgreSQL {taken_on}, the server is PostgreSQL {server.version}",
            hint=f"Restore onto PostgreSQL {taken_on.major} or newer.",
        )


def swap_committed(server: PostgresServer, database: Database, restore: Restore) -> bool:
    """Whether the renames of a swap happened, from the names that the server has now."""
    try:
        names = server.list_databases(server.maintenance(database.connection))
    except PgproofError:
        return False
    return restore.shadow_database not in names and restore.dbname in names
