"""The command line as a test calls it: streams in memory, and an application made of fakes."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.entrypoints.cli.app import run
from pgproof.entrypoints.cli.session import Session
from pgproof.services.databases import DatabaseService
from pgproof.services.expiry import ExpiryService
from pgproof.services.ports import Observer, PostgresServer, Progress
from pgproof.settings import Settings, load_settings
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.server import MemoryServer
from tests.fakes.storage import MemoryStorage

if TYPE_CHECKING:
    from pgproof.bootstrap import App

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


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
class FakeDatabases:
    catalog: MemoryCatalog

    def add(self, name: str, url: str) -> Database:
        user, _, dbname = url.removeprefix("postgresql://").partition("/")
        return self.catalog.add_database(name, ConnectionInfo(dbname, "db", 5432, user.partition(":")[0]))

    def list(self) -> Any:
        return self.catalog.list_databases()

    def remove(self, name: str) -> None:
        self.catalog.remove_database(name)

    def resolve(self, given: str | None) -> Database:
        return self.catalog.get_database(given or "shop")


@dataclass
class FakeBackups:
    """Backups that succeed at once, or raise `failure`."""

    catalog: MemoryCatalog
    failure: BaseException | None = None

    def request(self, database: Database, options: BackupOptions, trigger: BackupTrigger) -> Backup:
        return self.catalog.create_backup(
            database.name, storage_url="memory://", options=options, trigger=trigger, now=NOW
        )

    def take(self, backup_id: int, observer: Observer, *, database: Database | None = None) -> Backup:
        observer.step("dump")
        observer.progress(Progress(bytes_done=1024, bytes_total=4096, tables_done=1, tables_total=3))
        if self.failure is not None:
            raise self.failure
        running = replace(self.catalog.get_backup(backup_id), status=BackupStatus.RUNNING)
        self.catalog.save_backup(running, expected=BackupStatus.PENDING)
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
        return done

    def delete(self, backup_id: int) -> Backup:
        found = self.catalog.get_backup(backup_id)
        deleted = replace(found, status=BackupStatus.DELETED)
        self.catalog.save_backup(deleted, expected=found.status)
        return deleted


@dataclass
class FakeRestores:
    """Restores that succeed at once."""

    catalog: MemoryCatalog

    def restore(self, backup_id: int, options: RestoreOptions, observer: Observer) -> Restore:
        backup = self.catalog.get_backup(backup_id)
        made = self.catalog.create_restore(backup, backup.database, options, NOW)
        done = replace(
            made,
            status=RestoreStatus.COMPLETED,
            safety_backup_id=99 if options.create_safety_backup else None,
            duration_seconds=2.5,
            completed_at=NOW,
            undo_until=NOW + timedelta(hours=24),
            timings={"create_shadow": 0.25, "load": 2.0, "refused": 0.012},
        )
        self.catalog.save_restore(done)
        return done

    def undo(self, restore_id: int, observer: Observer) -> Restore:
        undone = replace(self.catalog.get_restore(restore_id), status=RestoreStatus.UNDONE)
        self.catalog.save_restore(undone)
        return undone


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
        self.backups = FakeBackups(self.catalog)
        self.settled: tuple[str, ...] = ()
        self._folder = folder
        self._environ = dict(environ or {})
        self.opened = 0

    def __call__(
        self,
        *argv: str,
        typed: str | None = None,
        open_app: Callable[[Settings], Any] | None = None,
        stdout: io.StringIO | None = None,
    ) -> Outcome:
        """Run one command; `typed` is what a person types on a terminal, ``None`` is no terminal."""
        stdin = io.StringIO() if typed is None else Terminal(typed)
        out = io.StringIO() if stdout is None else stdout
        err = io.StringIO() if typed is None else Terminal()
        session = Session(stdin, out, err, lambda: load_settings(self._environ, self._folder), open_app or self._open)
        status = run(argv, session)
        return Outcome(status, out.getvalue(), err.getvalue())

    @contextmanager
    def _open(self, settings: Settings) -> "Iterator[App]":
        self.opened += 1
        databases = FakeDatabases(self.catalog)
        expiry = ExpiryService(
            catalog=self.catalog,
            storage=self.storage,
            server=cast("PostgresServer", self.server),
            databases=cast("DatabaseService", databases),
            clock=self.clock,
            policy=settings.retention_policy,
            max_share=settings.cleanup_max_share,
        )
        app = SimpleNamespace(
            settings=settings,
            catalog=self.catalog,
            storage=self.storage,
            clock=self.clock,
            databases=databases,
            backups=self.backups,
            restores=FakeRestores(self.catalog),
            expiry=expiry,
            settled=self.settled,
        )
        yield cast("App", app)
