"""Settling what a process that died has left behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pgproof.domain.backup import GONE, Backup, BackupStatus, with_remains
from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict, PgproofError, WorkerLost
from pgproof.domain.job import JobKind, JobStatus
from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus
from pgproof.services.abandoning import left_behind
from pgproof.services.claiming import remove_left
from pgproof.services.completing import complete, drop_shadow, happened, reopen, undone
from pgproof.services.databases import DatabaseService
from pgproof.services.deleting import check_here, finish_deletion, forget_remains
from pgproof.services.describing import described
from pgproof.services.finishing import completed, find_whole
from pgproof.services.handing_back import hand_back
from pgproof.services.ports import BackupFilter, Catalog, Clock, JobRecords, Lock, PostgresServer, Storage
from pgproof.services.restore_tests import RestoreTestService

_MANY = 10_000
_LOST = WorkerLost("the process that did the work died", hint="Start it again.")


class RecoveryService:
    """Finishes or unwinds jobs whose owner is gone. Whether it is gone, a lock tells, not a clock."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        storage: Storage,
        server: PostgresServer,
        databases: DatabaseService,
        clock: Clock,
        undo_hours: int,
        restore_tests: RestoreTestService,
        jobs: JobRecords | None = None,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._server = server
        self._databases = databases
        self._clock = clock
        self._undo_hours = undo_hours
        self._restore_tests = restore_tests
        self._jobs = jobs
        self._suspects: frozenset[str] = frozenset()

    def lost(self) -> tuple[Sequence[Backup], Sequence[Restore]]:
        """Unfinished backups and restores that nobody owns; not the backup of a running job, which settles it."""
        running = self._catalog.list_backups(BackupFilter(limit=_MANY, status=BackupStatus.RUNNING))
        unowned = [backup for backup in running if not self._catalog.is_owned(Lock.BACKUP, backup.id)]
        backups = [backup for backup in unowned if self._job_status(backup.id) is not JobStatus.RUNNING]
        return backups, left_behind(self._catalog)

    def settle(self) -> Sequence[str]:
        """Settle every lost job; returns a line for each, also for those that could not be settled now."""
        return [_guarded(name, call) for name, call in self._to_settle().items()]

    def settle_patiently(self) -> Sequence[str]:
        """The same of what was lost at the last look already.

        Whoever lives has lost its sessions as well when the catalog's server starts anew, and takes them again.
        """
        found = self._to_settle()
        known, self._suspects = self._suspects, frozenset(found)
        return [_guarded(name, call) for name, call in found.items() if name in known]

    def _to_settle(self) -> Mapping[str, Callable[[], str]]:
        backups, restores = self.lost()
        found = {f"backup {backup.id}": partial(self._settle_found, backup.id) for backup in backups}
        found |= {f"restore {restore.id}": partial(self.settle_restore, restore.id) for restore in restores}
        tests = self._restore_tests.lost()
        found |= {f"restore test {test.id}": partial(self._restore_tests.settle, test.id) for test in tests}
        doomed = [backup.id for backup in self._catalog.unfinished_deletions()]
        doomed = [number for number in doomed if not self._catalog.is_owned(Lock.BACKUP, number)]
        return found | {f"backup {number}": partial(self._settle_deletion, number) for number in doomed}

    def _settle_deletion(self, backup_id: int) -> str:
        ended = finish_deletion(self._catalog, self._storage, backup_id)
        if ended.status not in GONE:
            return "what it had stored when it failed was removed"
        return "its deletion had been interrupted; it is finished"

    def _settle_found(self, backup_id: int) -> str:
        return self.settle_backup(backup_id, again=self._job_status(backup_id) is JobStatus.QUEUED)

    def _job_status(self, backup_id: int) -> JobStatus | None:
        """Where the unfinished job for a backup stands."""
        job = None if self._jobs is None else self._jobs.unfinished_job(JobKind.BACKUP, backup_id)
        return None if job is None else job.status

    def settle_backup(self, backup_id: int, *, again: bool) -> str:
        """Complete, hand back (`again`) or fail a running backup that nobody owns; a line that says which.

        Raises `Conflict` if somebody owns it.
        """
        with self._catalog.own(Lock.BACKUP, backup_id):
            backup = self._catalog.get_backup(backup_id)
            if backup.status is not BackupStatus.RUNNING:
                return "somebody else has settled it"
            check_here(self._storage, backup)
            installation = self._catalog.installation()
            manifest = find_whole(self._storage, backup, installation)
            if manifest is not None:
                self._catalog.save_backup(completed(backup, manifest), expected=BackupStatus.RUNNING)
                return "its process died when the work was done; the backup is whole"
            if again:
                removed = remove_left(self._storage, backup.folder, installation)
                hand_back(self._catalog, backup, self._clock.now())
                return f"its process died; {_told(removed=removed)}, and it will be taken again"
            now = self._clock.now()
            failed = replace(backup, status=BackupStatus.FAILED, completed_at=now, **described(_LOST))
            self._catalog.save_backup(with_remains(failed, now), expected=BackupStatus.RUNNING)
            removed = remove_left(self._storage, backup.folder, installation)
            forget_remains(self._catalog, backup.id)
            return f"its process died; {_told(removed=removed)}"

    def settle_restore(self, restore_id: int) -> str:
        """Complete or fail a restore or an undo that nobody owns; a line that says which. Raises `Conflict`."""
        database = self._databases.of_restore(self._catalog.get_restore(restore_id))
        # A restore owns its database before it has a number of its own.
        with self._catalog.own(Lock.DATABASE, database.id), self._catalog.own(Lock.RESTORE, restore_id):
            restore = self._catalog.get_restore(restore_id)
            if restore.status is RestoreStatus.UNDOING:
                return self._settle_undo(restore, database)
            if happened(self._server, database, restore):
                complete(self._catalog, restore, self._clock.now(), self._undo_hours)
                return "its process died after the change; the restore is complete"
            if restore.options.mode is not RestoreMode.IN_PLACE:
                drop_shadow(self._server, database, restore)
            known = restore.error_message is not None
            self._save(restore, RestoreStatus.FAILED, **({} if known else described(_LOST)))
            why = "it failed" if known else "its process died"
            return f"{why} before the change; the live database was not touched"

    def _settle_undo(self, restore: Restore, database: Database) -> str:
        if undone(self._server, database, restore):
            self._save(restore, RestoreStatus.UNDONE)
            return "its process died after the undo; the previous database is live"
        again = reopen(self._catalog, restore, self._clock.now(), self._undo_hours)
        self._save(again, again.status)
        return "its process died before the undo; the restored database is live"

    def _save(self, restore: Restore, status: RestoreStatus, **changes: Any) -> None:
        self._catalog.save_restore(replace(restore, status=status, completed_at=self._clock.now(), **changes))


def _told(*, removed: bool) -> str:
    if removed:
        return "what it had stored was removed"
    return "what lies in its folder stays there: it is another's, or was whole once"


def _guarded(name: str, settle: Callable[[], str]) -> str:
    try:
        return f"{name}: {settle()}"
    except Conflict:
        return f"{name}: somebody else settles it"
    except PgproofError as error:
        return f"{name}: cannot be settled now: {error.detail}"
