"""Taking one backup: from the snapshot to the manifest."""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from pgproof.domain.archive import CHECKSUMS, INSTRUCTIONS, MANIFEST, globals_filename
from pgproof.domain.backup import Backup
from pgproof.domain.database import Database, Server
from pgproof.domain.errors import Cancelled, PrivilegeMissing
from pgproof.domain.fingerprint import Fingerprint, SequencePosition
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.services import contents, instructions
from pgproof.services.dump_progress import TableCounter
from pgproof.services.job_log import JobLog
from pgproof.services.measured import Measured, counted
from pgproof.services.ports import (
    ClientTools,
    Clock,
    DatabaseFacts,
    DumpRequest,
    PostgresServer,
    PostgresTools,
    Relation,
    Snapshot,
    Storage,
    Streams,
    Watch,
)

_CATALOG_SCHEMA = "pgproof"


@dataclass(frozen=True)
class TakingRules:
    """What the settings say about every backup; tables are pg_dump's patterns."""

    product_version: str
    log_tables: tuple[str, ...] = ()
    cache_tables: tuple[str, ...] = ()
    lock_wait_seconds: int = 60


@dataclass(frozen=True)
class _Selection:
    """The tables of one backup: those with rows, and those of which the definition alone is kept."""

    facts: DatabaseFacts
    with_rows: tuple[Relation, ...]
    excluded: tuple[Relation, ...]

    @property
    def schema_only(self) -> frozenset[str]:
        parents = (table.name for table in self.facts.tables if table.parent)
        return frozenset([*parents, *(table.name for table in self.excluded)])

    @property
    def bytes_expected(self) -> int:
        return sum(table.size for table in self.with_rows)


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

    def run(self) -> tuple[Backup, Manifest]:
        """Do all the work; the backup comes back with its figures, its status unchanged."""
        self.log.step("preflight")
        started_at = self.clock.now()
        server = self.server.identify(self.database.connection)
        client = self.tools.for_server(server.version)
        self.log.log(f"pg_dump {client.version} ({client.folder}) for PostgreSQL {server.version}")
        self.storage.check()
        with self.server.open_snapshot(self.database.connection) as snapshot:
            selection = self._select(snapshot)
            archive, fingerprint = self._dump(client, snapshot, selection)
            snapshot_id = snapshot.id
        self._log_emptiness(selection)
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
        )
        self._read_back(client, manifest, selection)
        self.log.step("manifest")
        self._store_manifest(manifest)
        return self._with_figures(manifest, archive, selection), manifest

    def _select(self, snapshot: Snapshot) -> _Selection:
        facts = snapshot.facts
        options = self.backup.options
        patterns = [
            *(() if options.include_logs else self.rules.log_tables),
            *(() if options.include_cache else self.rules.cache_tables),
        ]
        excluded = tuple(table for table in snapshot.matching(patterns) if not table.parent)
        without = {table.oid for table in excluded}
        with_rows = tuple(table for table in facts.tables if not table.parent and table.oid not in without)
        names = {table.name for table in excluded}
        _check_readable([name for name in facts.unreadable if name not in names], self.database)
        snapshot.hold(with_rows)
        return _Selection(facts, with_rows, excluded)

    def _dump(self, client: ClientTools, snapshot: Snapshot, selection: _Selection) -> tuple[StoredObject, Fingerprint]:
        self.log.step("dump")
        self.log.update(bytes_total=selection.bytes_expected, tables_total=len(selection.with_rows))
        request = DumpRequest(
            connection=self.database.connection,
            snapshot=snapshot.id,
            format=self.backup.options.format,
            jobs=self.backup.options.parallel_jobs,
            excluded_data=selection.excluded,
            excluded_schemas=(_CATALOG_SCHEMA,) if selection.facts.holds_catalog else (),
            lock_wait_seconds=self.rules.lock_wait_seconds,
        )
        before = snapshot.sequence_positions()
        locked = threading.Event()
        counter = TableCounter(lambda tables: self.log.update(tables_done=tables))

        def hear(line: str) -> None:
            counter.hear(line)
            locked.set()  # pg_dump speaks of its work only once it holds its locks

        with _counting(snapshot, selection.with_rows, locked) as rows:
            dump = self.tools.dump(client, request, Watch(self.log.reader(hear), self.cancelled))
            archive = self._store(self.backup.filename, dump, lambda size: self.log.update(bytes_done=size))
            row_counts = rows.result()
        fingerprint = Fingerprint(
            tables=row_counts,
            schema_only=selection.schema_only,
            sequences=_settled(before, snapshot.sequence_positions()),
            extensions=selection.facts.extensions,
            large_objects=selection.facts.large_objects,
        )
        return archive, fingerprint

    def _store(
        self, name: str, dump: Generator[bytes, None, None], passed: Callable[[int], None] | None = None
    ) -> StoredObject:
        compression, level = self.backup.compression, self.backup.options.compression_level
        # A traceback keeps a half-read generator alive, and with it the tool: so it is closed by name.
        with closing(dump):
            stored = Measured(self.streams.compress(counted(dump, passed), compression, level))
            self.storage.put(f"{self.backup.folder}/{name}", stored)
        return StoredObject(name, stored.size, stored.sha256, compression)

    def _store_globals(self, client: ClientTools, server: Server) -> StoredObject:
        watch = Watch(self.log.log, self.cancelled)
        if not server.is_superuser:
            self.log.log("the role is no superuser: globals.sql holds roles without their passwords")
        dump = self.tools.dump_globals(client, self.database.connection, watch, passwords=server.is_superuser)
        return self._store(globals_filename(self.backup.compression), dump)

    def _read_back(self, client: ClientTools, manifest: Manifest, selection: _Selection) -> None:
        for item in manifest.objects:
            contents.check_object(self.storage, self.backup.folder, item)
        found = contents.read_contents(self.storage, self.streams, self.tools, client, self.backup.folder, manifest)
        contents.check_complete(found, {table.oid: table.name for table in selection.with_rows})

    def _store_manifest(self, manifest: Manifest) -> None:
        texts = {INSTRUCTIONS: instructions.render(manifest), MANIFEST: manifest.render()}
        sums = {item.name: item.sha256 for item in manifest.objects}
        sums |= {name: Measured([text.encode()]).drain().sha256 for name, text in texts.items()}
        for name, text in (
            (INSTRUCTIONS, texts[INSTRUCTIONS]),
            (CHECKSUMS, contents.render_checksums(sums)),
            (MANIFEST, texts[MANIFEST]),
        ):
            if self.cancelled.is_set():
                raise Cancelled("the job was cancelled")
            self.storage.put(f"{self.backup.folder}/{name}", [text.encode()])

    def _with_figures(self, manifest: Manifest, archive: StoredObject, selection: _Selection) -> Backup:
        return replace(
            self.backup,
            file_size=archive.size,
            checksum_sha256=archive.sha256,
            database_size_bytes=selection.facts.size,
            tables_count=len(selection.with_rows) + len(selection.excluded),
            verified_at=manifest.completed_at,
        )

    def _log_emptiness(self, selection: _Selection) -> None:
        if not selection.with_rows:
            self.log.log(f"warning: {self.database.connection} holds no tables: is it the right database?")


def _check_readable(unreadable: Sequence[str], database: Database) -> None:
    if not unreadable:
        return
    listed = ", ".join(unreadable[:5]) + (" ..." if len(unreadable) > 5 else "")
    role = database.connection.user or "our role"
    raise PrivilegeMissing(
        f"{role} may not read {len(unreadable)} of the tables and sequences of {database.connection}: {listed}",
        hint=f'Run there: GRANT pg_read_all_data TO "{role}"; (tables with row security need BYPASSRLS as well)',
        facts={"unreadable": list(unreadable)},
    )


@contextmanager
def _counting(
    snapshot: Snapshot, tables: Sequence[Relation], locked: threading.Event
) -> Iterator[Future[Mapping[str, int]]]:
    """Count beside the dump, in a thread that never outlives it."""
    abandoned = threading.Event()

    def count() -> Mapping[str, int]:
        locked.wait()
        return {} if abandoned.is_set() else snapshot.count_rows(tables, abandoned)

    with ThreadPoolExecutor(1, thread_name_prefix="count rows") as pool:
        rows = pool.submit(count)
        try:
            yield rows
        except BaseException:
            abandoned.set()
            raise
        finally:
            locked.set()


def _settled(
    before: Mapping[str, SequencePosition], after: Mapping[str, SequencePosition]
) -> Mapping[str, SequencePosition]:
    return {name: replace(position, settled=after.get(name) == position) for name, position in before.items()}
