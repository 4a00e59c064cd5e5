"""The command line as a test calls it: streams in memory, and an application made of fakes."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TextIO, cast

from pgproof.adapters.storage.folders import LocalFolders
from pgproof.domain.archive import MANIFEST as NAME_OF_THE_MANIFEST
from pgproof.domain.archive import Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.fingerprint import Fingerprint
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    Verdict,
    proven,
)
from pgproof.entrypoints.cli.app import run
from pgproof.entrypoints.cli.session import Session
from pgproof.services.api_tokens import ApiTokenService
from pgproof.services.audit import AuditTrail
from pgproof.services.databases import DatabaseService
from pgproof.services.downloading import DownloadService
from pgproof.services.expiry import ExpiryService
from pgproof.services.history import HistoryService
from pgproof.services.known_databases import KnownDatabases
from pgproof.services.ports import Observer, PostgresServer, PostgresTools, Progress
from pgproof.services.users import UserService
from pgproof.settings import Settings, load_settings
from tests.fakes.access import CountingRandomness, MemoryAccessRecords, PlainSigner, QuickHasher
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.jobs import MemoryJobRecords
from tests.fakes.server import MemoryServer
from tests.fakes.storage import MemoryStorage

if TYPE_CHECKING:
    from pgproof.bootstrap import App
    from pgproof.services.schedules import ScheduleService

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

MANIFEST = Manifest(
    product_version="1.0",
    backup_id=0,
    database="shop",
    dbname="shop",
    system_identifier="1",
    server_version="18.4",
    client_version="18.4",
    snapshot="00000003-00000002-1",
    started_at=NOW,
    completed_at=NOW,
    database_size_bytes=8_000_000,
    options=BackupOptions(),
    objects=(StoredObject("backup.dump.zst", 1_572_864, "ab" * 32, Compression.ZSTD),),
    fingerprint=Fingerprint(tables={"public.orders": 7, "public.items": 0, "public.lines": 1}),
    properties=DatabaseProperties(owner="app", encoding="UTF8", collate="C", ctype="C"),
    roles=("app",),
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class FakeClock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class FakeBackups:
    """Backups that succeed at once, or raise `failure`; `manifest` is what they store, but for their names."""

    catalog: MemoryCatalog
    storage: MemoryStorage
    failure: BaseException | None = None
    manifest: Manifest = MANIFEST

    def back_up(self, database: Database, options: BackupOptions, trigger: BackupTrigger, observer: Observer) -> Backup:
        begun = self.catalog.begin_backup(
            database.name, storage_url="memory://", options=options, trigger=trigger, now=NOW
        )
        with begun as running:
            observer.step("dump")
            observer.progress(Progress(bytes_done=1024, bytes_total=4096, tables_begun=1, tables_total=3))
            if self.failure is not None:
                raise self.failure
            return self._complete(running)

    def _complete(self, running: Backup) -> Backup:
        done = replace(
            running,
            status=BackupStatus.COMPLETED,
            file_size=1_572_864,
            tables_count=3,
            checksum_sha256="ab" * 32,
            completed_at=NOW + timedelta(seconds=75),
            duration_seconds=75,
        )
        self.catalog.save_backup(done, expected=BackupStatus.RUNNING)
        archive = replace(self.manifest.archive, name=done.filename)
        manifest = replace(self.manifest, backup_id=done.id, objects=(archive,), options=done.options)
        self.storage.put(f"{done.folder}/{NAME_OF_THE_MANIFEST}", [manifest.render().encode()])
        return done

    def delete(self, backup_id: int) -> Backup:
        found = self.catalog.get_backup(backup_id)
        deleted = replace(found, status=BackupStatus.DELETED)
        self.catalog.save_backup(deleted, expected=found.status)
        return deleted


@dataclass
class FakeRestores:
    """Restores that succeed at once, or raise `failure`; `refusal` is raised before anything is asked."""

    catalog: MemoryCatalog
    server: MemoryServer
    undo_hours: int
    failure: BaseException | None = None
    refusal: BaseException | None = None

    def check(self, backup_id: int, options: RestoreOptions) -> None:
        if self.refusal is not None:
            raise self.refusal

    def restore(self, backup_id: int, options: RestoreOptions, observer: Observer) -> Restore:
        backup = self.catalog.get_backup(backup_id)
        dbname = options.target_database or backup.database
        made = self.catalog.create_restore(backup, dbname, options, NOW)
        if self.failure is not None:
            raise self.failure
        live = self.server.databases.get(dbname)
        previous = made.previous_database if live is not None else None
        if previous is not None and live is not None:
            self.server.databases[previous] = live
        self.server.databases[dbname] = 100 + made.id
        done = replace(
            made,
            status=RestoreStatus.COMPLETED,
            previous_database=previous,
            live_oid=live,
            safety_backup_id=99 if options.create_safety_backup and live is not None else None,
            duration_seconds=2.5,
            completed_at=NOW,
            undo_until=NOW + timedelta(hours=self.undo_hours) if previous is not None else None,
            timings={"create_shadow": 0.25, "load": 2.0, "refused": 0.012},
        )
        self.catalog.save_restore(done)
        return done

    def undo(self, restore_id: int, observer: Observer) -> Restore:
        undone = replace(self.catalog.get_restore(restore_id), status=RestoreStatus.UNDONE)
        self.catalog.save_restore(undone)
        return undone


@dataclass
class FakeRestoreTests:
    """Restore tests that end at once with `verdict`."""

    catalog: MemoryCatalog
    verdict: Verdict = field(default_factory=lambda: Verdict(RestoreTestOutcome.PASSED))

    def test(self, backup_id: int, observer: Observer) -> RestoreTest:
        made = self.catalog.create_restore_test(self.catalog.get_backup(backup_id), NOW)
        observer.step("load")
        done = replace(
            made,
            status=RestoreTestStatus.COMPLETED,
            step=RestoreTestStep.DONE,
            completed_at=NOW + timedelta(seconds=2.5),
            duration_seconds=2.5,
            timings={"start_server": 1.25, "load": 1.0},
            server="PostgreSQL 18.4, one of its own",
            verdict=self.verdict,
        )
        self.catalog.save_restore_test(done)
        self.catalog.change_backup(
            backup_id, lambda one: replace(one, proven_at=proven(one, self.verdict, NOW + timedelta(days=1)))
        )
        return done


@dataclass(frozen=True)
class Outcome:
    """What one command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error, which is the last line on standard error."""
        return json.loads(self.err.splitlines()[-1])["error"]


class CommandLine:
    """`pgproof` on fakes: one database `shop`, no backups."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.catalog = MemoryCatalog()
        self.catalog.add_database("shop", ConnectionInfo("shop", "db", 5432, "app"))
        self.storage = MemoryStorage()
        self.server = MemoryServer(shop=1)
        self.clock = FakeClock()
        self.access = MemoryAccessRecords()
        self.audit = AuditTrail(self.access, self.clock)
        self.randomness = CountingRandomness()
        self.backups = FakeBackups(self.catalog, self.storage)
        self.restore_failure: BaseException | None = None
        self.restore_refusal: BaseException | None = None
        self.embedded: ConnectionInfo | None = None
        self.asked: list[str] = []
        self.restore_tests = FakeRestoreTests(self.catalog)
        self.settled: tuple[str, ...] = ()
        self.job_records = MemoryJobRecords(self.catalog)
        self._folder = folder
        self._environ = dict(environ or {})
        self.opened = 0

    def __call__(
        self,
        *argv: str,
        typed: str | None = None,
        open_app: Callable[[Settings], Any] | None = None,
        stdout: io.StringIO | None = None,
        piped: TextIO | None = None,
    ) -> Outcome:
        """Run one command; `typed` is what a person types on a terminal, ``None`` is no terminal but `piped`.

        What is asked for without being shown is in `asked`, and answered with `typed` as well.
        """
        stdin = (piped or io.StringIO()) if typed is None else Terminal(typed)
        out = io.StringIO() if stdout is None else stdout
        err = io.StringIO() if typed is None else Terminal()

        def ask_secret(prompt: str, _: object) -> str:
            self.asked.append(prompt)
            return stdin.readline()

        def load() -> Settings:
            return load_settings(self._environ, self._folder)

        session = Session(stdin, out, err, load, open_app or self.open_app, ask_secret)
        status = run(argv, session)
        return Outcome(status, out.getvalue(), err.getvalue())

    @contextmanager
    def open_app(self, settings: Settings) -> "Iterator[App]":
        self.opened += 1
        server = cast("PostgresServer", self.server)
        databases = DatabaseService(
            self.catalog, server, cast("PostgresTools", None), settings.first_database, self.embedded
        )
        expiry = ExpiryService(
            catalog=self.catalog,
            storage=self.storage,
            server=server,
            databases=databases,
            clock=self.clock,
            policy=settings.retention_policy,
            max_share=settings.cleanup_max_share,
        )
        app = SimpleNamespace(
            settings=settings,
            catalog=self.catalog,
            storage=self.storage,
            server=self.server,
            clock=self.clock,
            databases=databases,
            known_databases=KnownDatabases(
                catalog=self.catalog,
                databases=databases,
                jobs=self.job_records,
                schedules=cast("ScheduleService", SimpleNamespace(list=lambda _: [])),
            ),
            backups=self.backups,
            downloads=DownloadService(catalog=self.catalog, storage=self.storage, folders=LocalFolders()),
            restores=FakeRestores(
                self.catalog, self.server, settings.undo_hours, self.restore_failure, self.restore_refusal
            ),
            expiry=expiry,
            history=HistoryService(
                records=self.job_records, catalog=self.catalog, clock=self.clock, days=settings.history_days
            ),
            restore_tests=self.restore_tests,
            users=UserService(self.access, QuickHasher(), PlainSigner(), self.randomness, self.clock),
            api_tokens=ApiTokenService(self.access, self.randomness, self.clock),
            audit=self.audit,
            settled=self.settled,
        )
        yield cast("App", app)
