"""A catalog in memory, held to the same contract as the real one."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from datetime import datetime
from threading import RLock

from pgproof.domain.archive import ObjectNames
from pgproof.domain.backup import GONE, Backup, BackupOptions, BackupStatus, BackupTrigger, check_transition
from pgproof.domain.database import DEFAULT_GROUP, ConnectionInfo, Database
from pgproof.domain.errors import CatalogUnreachable, Conflict, NotFound, WorkerLost
from pgproof.domain.restore import (
    Restore,
    RestoreOptions,
    RestoreStatus,
    new_restore,
)
from pgproof.domain.restore_test import RestoreTest, RestoreTestStatus, RestoreTestStep
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import BackupFilter, BackupPage, BackupStats, ListedBackup, Lock, Position


class MemoryCatalog:
    """While `unreachable` is set every call is refused."""

    def __init__(self) -> None:
        self.unreachable = False
        self._mutex = RLock()
        self._last_id = 0
        self._databases: dict[str, Database] = {}
        self._backups: dict[int, Backup] = {}
        self._restores: dict[int, Restore] = {}
        self._restore_tests: dict[int, RestoreTest] = {}
        self._logs: dict[tuple[Lock, int], list[str]] = {}
        self._owned: set[tuple[Lock, int]] = set()

    def installation(self) -> str:
        return "00000000-0000-0000-0000-000000000001"

    def add_database(
        self, name: str, connection: ConnectionInfo, *, from_settings: bool = False, group: str = DEFAULT_GROUP
    ) -> Database:
        with self._answering():
            if name in self._databases:
                raise Conflict(f"a database named {in_quotes(name)} is registered already")
            self._databases[name] = Database(self._next_id(), name, connection, from_settings, group)
            return self._databases[name]

    def update_database(self, database: Database) -> None:
        stored = self.get_database(database.name)
        self._databases[stored.name] = replace(
            stored, connection=database.connection, from_settings=database.from_settings, group=database.group
        )

    def get_database(self, name: str) -> Database:
        with self._answering():
            if name not in self._databases:
                raise NotFound(f"no database named {in_quotes(name)} is registered")
            return self._databases[name]

    def list_databases(self) -> Sequence[Database]:
        with self._answering():
            return [self._databases[name] for name in sorted(self._databases)]

    def remove_database(self, name: str) -> None:
        del self._databases[self.get_database(name).name]

    def create_backup(
        self, database: str, *, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
    ) -> Backup:
        with self._answering():
            new_id = self._next_id()
            compression = options.effective_compression
            names = ObjectNames.make(database, now, new_id, options.format, compression)
            backup = Backup(
                id=new_id,
                database=database,
                filename=names.filename,
                file_path=names.archive,
                storage_url=storage_url,
                options=options,
                compression=compression,
                status=BackupStatus.PENDING,
                trigger_source=trigger,
                created_at=now,
            )
            self._backups[new_id] = backup
            return backup

    @contextmanager
    def begin_backup(
        self, database: str, *, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
    ) -> Iterator[Backup]:
        with self._answering(), ExitStack() as stack:
            pending = self.create_backup(database, storage_url=storage_url, options=options, trigger=trigger, now=now)
            stack.enter_context(self.own(Lock.BACKUP, pending.id))
            running = replace(pending, status=BackupStatus.RUNNING, started_at=now)
            self._backups[running.id] = running
            owning = stack.pop_all()
        with owning:
            yield running

    def adopt_backup(self, backup: Backup) -> Backup:
        with self._answering():
            if any(one.filename == backup.filename for one in self._backups.values()):
                raise Conflict(f"a backup with the file name {backup.filename} is known already")
            kept = backup if backup.id not in self._backups else replace(backup, id=self._next_id())
            self._last_id = max(self._last_id, kept.id)
            self._backups[kept.id] = kept
            return kept

    def get_backup(self, backup_id: int) -> Backup:
        with self._answering():
            if backup_id not in self._backups:
                raise NotFound(f"the catalog has no backup {backup_id}", hint="`pgproof list` shows all.")
            return self._backups[backup_id]

    def save_backup(self, backup: Backup, *, expected: BackupStatus) -> None:
        with self._answering():
            if backup.status != expected:
                check_transition(expected, backup.status)
            stored = self.get_backup(backup.id)
            if stored.status != expected:
                raise Conflict(f"backup {backup.id} is {stored.status}, not {expected}")
            self._backups[backup.id] = backup

    def change_backup(self, backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
        with self._answering():
            stored = self.get_backup(backup_id)
            changed = change(stored)
            if changed.status != stored.status:
                check_transition(stored.status, changed.status)
            self._backups[backup_id] = changed
            return changed

    def list_backups(self, wanted: BackupFilter) -> Sequence[Backup]:
        after = wanted.after
        behind = [
            backup
            for backup in self._chosen(wanted)
            if after is None or (backup.created_at, backup.id) < (after.at, after.id)
        ]
        return behind[: wanted.limit]

    def backup_page(self, wanted: BackupFilter) -> BackupPage:
        return BackupPage([listed(backup) for backup in self.list_backups(wanted)], len(self._chosen(wanted)))

    def _chosen(self, wanted: BackupFilter) -> list[Backup]:
        with self._answering():
            found = [
                backup
                for backup in self._backups.values()
                if wanted.status in (None, backup.status)
                and wanted.database in (None, backup.database)
                and wanted.trigger_source in (None, backup.trigger_source)
                and (wanted.text is None or _has_words(backup, wanted.text))
            ]
        return sorted(found, key=lambda backup: (backup.created_at, backup.id), reverse=True)

    def present_backups(self) -> Sequence[Backup]:
        with self._answering():
            present = [backup for backup in self._backups.values() if backup.status not in GONE]
        return sorted(present, key=lambda backup: (backup.created_at, backup.id))

    def unfinished_deletions(self) -> Sequence[Backup]:
        with self._answering():
            begun = [
                (backup.deletion_started_at, backup.id, backup)
                for backup in self._backups.values()
                if backup.deletion_started_at is not None and backup.being_deleted
            ]
        return [backup for _, _, backup in sorted(begun)]

    def backup_stats(self) -> BackupStats:
        with self._answering():
            usable = [backup for backup in self._backups.values() if backup.usable]
            return BackupStats(
                total_backups=sum(backup.status not in GONE for backup in self._backups.values()),
                completed_backups=len(usable),
                total_size=sum(backup.file_size or 0 for backup in usable),
                latest_backup_at=max((done for backup in usable if (done := backup.completed_at)), default=None),
            )

    def create_restore(self, backup: Backup, dbname: str, options: RestoreOptions, now: datetime) -> Restore:
        with self._answering():
            new_id = self._next_id()
            restore = new_restore(new_id, self.get_backup(backup.id), dbname, options, now)
            self._restores[new_id] = restore
            return restore

    def get_restore(self, restore_id: int) -> Restore:
        with self._answering():
            if restore_id not in self._restores:
                raise NotFound(f"the catalog has no restore {restore_id}", hint="`pgproof list --restores` shows all.")
            return self._restores[restore_id]

    def save_restore(self, restore: Restore, *, expected: RestoreStatus | None = None) -> None:
        with self._answering():
            stored = self.get_restore(restore.id)
            if expected not in (None, stored.status):
                raise Conflict(f"restore {restore.id} is {stored.status}, not {expected}")
            self._restores[stored.id] = restore

    def list_restores(
        self, limit: int = 50, *, database: str | None = None, after: Position | None = None
    ) -> Sequence[Restore]:
        with self._answering():
            found = [
                restore
                for restore in self._restores_by_age()[::-1]
                if database in (None, restore.database)
                and (after is None or (restore.created_at, restore.id) < (after.at, after.id))
            ]
            return found[:limit]

    def unfinished_restores(self) -> Sequence[Restore]:
        with self._answering():
            unfinished = (RestoreStatus.RUNNING, RestoreStatus.UNDOING)
            return [restore for restore in self._restores_by_age() if restore.status in unfinished]

    def keeping_restores(self) -> Sequence[Restore]:
        with self._answering():
            return [
                restore
                for restore in self._restores_by_age()
                if restore.undo_until is not None and restore.kept_database is not None
            ]

    def create_restore_test(self, backup: Backup, now: datetime) -> RestoreTest:
        with self._answering():
            test = RestoreTest(
                id=self._next_id(),
                backup_id=self.get_backup(backup.id).id,
                database=backup.database,
                status=RestoreTestStatus.RUNNING,
                step=RestoreTestStep.PREFLIGHT,
                started_at=now,
            )
            self._restore_tests[test.id] = test
            return test

    def get_restore_test(self, test_id: int) -> RestoreTest:
        with self._answering():
            if test_id not in self._restore_tests:
                raise NotFound(f"the catalog has no restore test {test_id}")
            return self._restore_tests[test_id]

    def save_restore_test(self, test: RestoreTest) -> None:
        self._restore_tests[self.get_restore_test(test.id).id] = test

    def list_restore_tests(
        self, limit: int = 50, *, backup_id: int | None = None, after: Position | None = None
    ) -> Sequence[RestoreTest]:
        with self._answering():
            found = [
                test
                for test in self._restore_tests.values()
                if backup_id in (None, test.backup_id)
                and (after is None or (test.started_at, test.id) < (after.at, after.id))
            ]
        return sorted(found, key=lambda test: (test.started_at, test.id), reverse=True)[:limit]

    def unfinished_restore_tests(self) -> Sequence[RestoreTest]:
        with self._answering():
            found = [test for test in self._restore_tests.values() if test.status is RestoreTestStatus.RUNNING]
        return sorted(found, key=lambda test: (test.started_at, test.id))

    def append_log(self, kind: Lock, job_id: int, lines: Sequence[str], now: datetime) -> None:
        with self._answering():
            self._logs.setdefault((kind, job_id), []).extend(lines)

    def read_log(self, kind: Lock, job_id: int) -> Sequence[str]:
        with self._answering():
            return list(self._logs.get((kind, job_id), []))

    def drop_log(self, kind: Lock, job_id: int) -> None:
        """Not of the port: a log goes with its job."""
        self._logs.pop((kind, job_id), None)

    def forget_logs(self, before: datetime, limit: int) -> int:
        with self._answering():
            gone = {
                one.id
                for one in self._backups.values()
                if one.status in GONE and one.deletion_started_at is not None and one.deletion_started_at < before
            }
            told = {(Lock.BACKUP, number) for number in gone}
            told |= {(Lock.RESTORE_TEST, one.id) for one in self._restore_tests.values() if one.backup_id in gone}
            doomed = [key for key in self._logs if key in told][:limit]
            for key in doomed:
                del self._logs[key]
            return len(doomed)

    @contextmanager
    def own(self, kind: Lock, job_id: int) -> Iterator[None]:
        with self._answering():
            if (kind, job_id) in self._owned:
                raise Conflict(f"another process works on {kind.name.lower()} {job_id}")
            self._owned.add((kind, job_id))
        try:
            yield
        finally:
            self._owned.discard((kind, job_id))

    def check_owned(self, kind: Lock, job_id: int) -> None:
        with self._answering():
            if (kind, job_id) not in self._owned:
                raise WorkerLost(f"nobody here owns {kind.name.lower()} {job_id}")

    def keep_owned(self) -> None:
        return

    def is_owned(self, kind: Lock, job_id: int) -> bool:
        with self._answering():
            return (kind, job_id) in self._owned

    def _restores_by_age(self) -> list[Restore]:
        return sorted(self._restores.values(), key=lambda restore: (restore.created_at, restore.id))

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with self._mutex:
            if self.unreachable:
                raise CatalogUnreachable("unable to reach the catalog", hint="Clear `unreachable` of this fake.")
            yield


def listed(backup: Backup) -> ListedBackup:
    return ListedBackup(**{field.name: getattr(backup, field.name) for field in fields(ListedBackup)})


def _has_words(backup: Backup, text: str) -> bool:
    def words(of: str) -> list[str]:
        return [word for word in re.split(r"[!-/:-@\[-`{-~\s]+", of.lower()) if word]

    there = words(f"{backup.database} {backup.filename} {backup.description or ''}")
    wanted = words(text)
    return bool(wanted) and all(any(word.startswith(begin) for word in there) for begin in wanted)
