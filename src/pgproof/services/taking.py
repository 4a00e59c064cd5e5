"""Taking one backup: from the snapshot to the manifest."""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace

from pgproof.domain.archive import MANIFEST, globals_filename
from pgproof.domain.backup import Backup
from pgproof.domain.database import Database, Server
from pgproof.domain.errors import Cancelled
from pgproof.domain.fingerprint import Contents, Fingerprint, FingerprintLevel, SequencePosition
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.services import contents
from pgproof.services.claiming import Claim
from pgproof.services.dump_progress import DumpProgress
from pgproof.services.job_log import JobLog
from pgproof.services.measured import Measured, counted
from pgproof.services.ports import (
    ClientTools,
    Clock,
    DumpRequest,
    PostgresServer,
    PostgresTools,
    Relation,
    Snapshot,
    Storage,
    Streams,
    Watch,
)
from pgproof.services.selecting import Selection, rewritten_error, steady_snapshot, unwanted_patterns
from pgproof.services.texts import texts_beside

_CATALOG_SCHEMA = "pgproof"
_LOOK_SECONDS = 0.2
# What pg_dump --verbose says first once it has locked every table: see getSchemaData() in its sources.
_AFTER_LOCKING = (
    "pg_dump: reading user-defined functions",
    "pg_dump: finding",
    "pg_dump: saving",
    "pg_dump: dumping contents",
)


@dataclass(frozen=True)
class TakingRules:
    """What the settings say about every backup; tables are pg_dump's patterns."""

    product_version: str
    log_tables: tuple[str, ...] = ()
    cache_tables: tuple[str, ...] = ()
    lock_wait_seconds: int = 60


@dataclass(frozen=True)
class Taking:
    """One backup in the making. Nothing of it is listed as good before the manifest lies there."""

    backup: Backup
    database: Database
    storage: Storage
    streams: Streams
    server: PostgresServer
    tools: PostgresTools
    clock: Clock
    rules: TakingRules
    log: JobLog
    cancelled: threading.Event
    check_ours: Callable[[], None]
    claim: Claim

    def run(self) -> tuple[Backup, Manifest]:
        """Do all the work; the backup comes back with its figures, its status unchanged."""
        self.log.step("preflight")
        started_at = self.clock.now()
        server = self.server.identify(self.database.connection)
        client = self.tools.for_server(server.version, tls=self.database.connection.needs_tls)
        self.log.log(f"pg_dump {client.version} ({client.folder}) for PostgreSQL {server.version}")
        self.storage.check()
        self.claim.make()
        unwanted = unwanted_patterns(self.backup.options, self.rules.log_tables, self.rules.cache_tables)
        with steady_snapshot(self.server, self.database, unwanted, self.log.log) as (snapshot, selection):
            archive, fingerprint = self._dump(client, snapshot, selection)
            snapshot_id = snapshot.id
        self._log_warnings(selection)
        self.log.step("globals")
        globals_object = self._store_globals(client, server)
        self.log.step("read back")
        manifest = Manifest(
            product_version=self.rules.product_version,
            backup_id=self.backup.id,
            database=self.database.name,
            dbname=self.database.connection.dbname,
            system_identifier=server.system_identifier,
            server_version=str(server.version),
            client_version=str(client.version),
            snapshot=snapshot_id,
            started_at=started_at,
            completed_at=self.clock.now(),
            database_size_bytes=selection.facts.size,
            options=self.backup.options,
            objects=(archive, globals_object),
            fingerprint=fingerprint,
            properties=selection.facts.properties,
            roles=selection.facts.roles,
            table_oids={table.name: table.oid for table in selection.facts.tables},
            excluded_data=tuple(sorted(table.name for table in selection.excluded)),
            unrestorable=selection.facts.unrestorable,
            trigger=self.backup.trigger_source,
            installation=self.claim.installation,
        )
        self._read_back(client, manifest, selection)
        self.log.step("manifest")
        self.check_ours()
        self._store_texts(manifest)
        self.claim.release(self.log.log)
        return self._with_figures(manifest, archive, selection), manifest

    def _dump(self, client: ClientTools, snapshot: Snapshot, selection: Selection) -> tuple[StoredObject, Fingerprint]:
        self.log.step("dump")
        progress = DumpProgress(
            self.log, self.backup.options.format, len(selection.with_rows), selection.bytes_expected
        )
        request = DumpRequest(
            connection=self.database.connection,
            snapshot=snapshot.id,
            format=self.backup.options.format,
            jobs=self.backup.options.parallel_jobs,
            excluded_data=selection.excluded,
            excluded_schemas=(_CATALOG_SCHEMA,) if selection.facts.holds_catalog else (),
            encoding=selection.facts.properties.encoding,
            lock_wait_seconds=self.rules.lock_wait_seconds,
        )
        before = snapshot.sequence_positions()
        locked = threading.Event()

        def hear(line: str) -> None:
            progress.hear(line)
            if line.startswith(_AFTER_LOCKING):
                locked.set()

        level = self.backup.options.fingerprint
        with _reading(snapshot, selection.with_rows, level, locked) as reading:
            dump = self.tools.dump(client, request, Watch(self.log.reader(hear), self.cancelled))
            archive = self._store(self.backup.filename, dump, progress.passed)
            read = self._wait_for(reading)
        fingerprint = Fingerprint(
            tables=read.rows,
            schema_only=selection.schema_only,
            sequences=_settled(before, snapshot.sequence_positions()),
            extensions=selection.facts.extensions,
            large_objects=selection.facts.large_objects,
            level=level,
            digests=read.digests,
            large_objects_digest=read.large_objects,
        )
        return archive, fingerprint

    def _wait_for(self, reading: Future[Contents]) -> Contents:
        while True:
            self._check_cancelled()
            with suppress(TimeoutError):
                return reading.result(_LOOK_SECONDS)

    def _check_cancelled(self, _passed: int = 0) -> None:
        if self.cancelled.is_set():
            raise Cancelled("the job was cancelled")

    def _store(
        self, name: str, dump: Generator[bytes, None, None], passed: Callable[[int], None] | None = None
    ) -> StoredObject:
        compression, level = self.backup.compression, self.backup.options.compression_level
        # A traceback keeps a half-read generator alive, and with it the tool: so it is closed by name.
        with closing(dump):
            stored = Measured(self._while_ours(self.streams.compress(counted(dump, passed), compression, level)))
            self.storage.put(f"{self.backup.folder}/{name}", stored)
        return StoredObject(name, stored.size, stored.sha256, compression)

    def _while_ours(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What a process stores that was taken for dead would replace what its successor has stored meanwhile."""
        yield from chunks
        self.check_ours()

    def _store_globals(self, client: ClientTools, server: Server) -> StoredObject:
        watch = Watch(self.log.log, self.cancelled)
        if not server.is_superuser:
            self.log.log("the role is no superuser: globals.sql holds roles without their passwords")
        dump = self.tools.dump_globals(client, self.database.connection, watch, passwords=server.is_superuser)
        return self._store(globals_filename(self.backup.compression), dump)

    def _read_back(self, client: ClientTools, manifest: Manifest, selection: Selection) -> None:
        for item in manifest.objects:
            contents.check_object(self.storage, self.backup.folder, item, self._check_cancelled)
        found = contents.read_contents(self.storage, self.streams, self.tools, client, self.backup.folder, manifest)
        contents.check_complete(found, {table.oid: table.name for table in selection.with_rows})
        contents.check_left_out(found, {table.oid: table.name for table in selection.excluded})

    def _store_texts(self, manifest: Manifest) -> None:
        for name, text in texts_beside(manifest):
            self._check_cancelled()
            if name == MANIFEST:
                self.check_ours()
                self.claim.seal()
            self.storage.put(f"{self.backup.folder}/{name}", [text.encode()])

    def _with_figures(self, manifest: Manifest, archive: StoredObject, selection: Selection) -> Backup:
        return replace(
            self.backup,
            file_size=archive.size,
            checksum_sha256=archive.sha256,
            database_size_bytes=selection.facts.size,
            tables_count=len(selection.with_rows) + len(selection.excluded),
            rows_count=manifest.fingerprint.counted_rows,
            verified_at=manifest.completed_at,
        )

    def _log_warnings(self, selection: Selection) -> None:
        if not selection.with_rows:
            self.log.log(f"warning: {self.database.connection} holds no tables: is it the right database?")
        for what in selection.facts.unrestorable:
            self.log.log(f"warning: PostgreSQL restores no archive that holds the {what}: see docs/restoring.md")


@contextmanager
def _reading(
    snapshot: Snapshot, tables: Sequence[Relation], level: FingerprintLevel, locked: threading.Event
) -> Iterator[Future[Contents]]:
    """Count and digest beside the dump, in a thread that never outlives it."""
    abandoned = threading.Event()

    def read() -> Contents:
        locked.wait()
        if abandoned.is_set():
            return Contents()
        changed = snapshot.rewritten(tables)
        if changed:
            raise rewritten_error(changed)
        return snapshot.contents_of(tables, level, abandoned)

    with ThreadPoolExecutor(1, thread_name_prefix="fingerprint") as pool:
        reading = pool.submit(read)
        try:
            yield reading
        except BaseException:
            abandoned.set()
            raise
        finally:
            locked.set()


def _settled(
    before: Mapping[str, SequencePosition], after: Mapping[str, SequencePosition]
) -> Mapping[str, SequencePosition]:
    return {name: position.moved_to(after.get(name)) for name, position in before.items()}
