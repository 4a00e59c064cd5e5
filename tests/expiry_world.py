"""What a cleanup works on, in memory: backups with their objects, restores, a server's databases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import StorageDenied
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.services.databases import DatabaseService
from pgproof.services.expiry import CleanupPlan, ExpiryService
from pgproof.services.ports import PostgresServer, PostgresTools
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.server import MemoryServer
from tests.fakes.storage import MemoryStorage

DAY = timedelta(days=1)
S = BackupStatus


class StubbornStorage(MemoryStorage):
    """Refuses to delete keys that hold this text."""

    stubborn = "nothing"

    def delete(self, key: str) -> None:
        if self.stubborn in key:
            raise StorageDenied(f"{key} may not be deleted", hint="Clear `stubborn` of this fake.")
        super().delete(key)


class World:
    """A catalog, a storage and a server with one database `shop`, and the service on them."""

    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.storage = StubbornStorage()
        self.server = MemoryServer(shop=1)
        self.clock = FakeClock()
        self.catalog.add_database("shop", ConnectionInfo("shop", "db"))

    def service(self, policy: RetentionPolicy | None = None, max_share: float = 1.0) -> ExpiryService:
        server = cast("PostgresServer", self.server)
        return ExpiryService(
            catalog=self.catalog,
            storage=self.storage,
            server=server,
            databases=DatabaseService(self.catalog, server, cast("PostgresTools", None), None),
            clock=self.clock,
            policy=policy or RetentionPolicy(keep_days=7),
            max_share=max_share,
        )

    def plan(self) -> CleanupPlan:
        return self.service().plan(NOW)

    def backup(
        self, days: float, database: str = "shop", path: tuple[S, ...] = (S.COMPLETED,), **fields: Any
    ) -> Backup:
        """A backup of that age, with its objects."""
        taken_at = NOW - days * DAY
        backup = self.catalog.create_backup(
            database,
            storage_url=self.storage.url,
            options=BackupOptions(),
            trigger=fields.pop("trigger", BackupTrigger.SCHEDULED_CRON),
            now=taken_at,
        )
        values = {"started_at": taken_at, "file_size": 1000, **fields}
        for status in (S.RUNNING, *path):
            change = replace(self.catalog.get_backup(backup.id), status=status, **values)
            backup = self.catalog.change_backup(backup.id, lambda _, change=change: change)  # type: ignore[misc]
        if backup.usable:
            for name in ("manifest.json", backup.filename):
                self.storage.put(f"{backup.folder}/{name}", [b"content"])
        return backup

    def restore(self, backup: Backup, *, hours_left: float, **fields: Any) -> Restore:
        """A completed swap whose window ends in so many hours, with the database that it keeps."""
        made = self.catalog.create_restore(backup, "shop", RestoreOptions(), NOW - DAY)
        done = replace(
            made,
            status=RestoreStatus.COMPLETED,
            undo_until=NOW + timedelta(hours=hours_left),
            live_oid=10 * made.id,
            shadow_oid=10 * made.id + 1,
            **fields,
        )
        self.catalog.save_restore(done)
        if done.previous_database is not None:
            self.server.databases[done.previous_database] = 10 * made.id
        return done

    def status(self, backup: Backup) -> BackupStatus:
        return self.catalog.get_backup(backup.id).status
