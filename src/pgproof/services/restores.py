"""Restores: every mode, and the way back from a swap."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from threading import Event

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.errors import PgproofError, SwapFailed, WorkerLost
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.services.backups import BackupService, check_usable
from pgproof.services.completing import complete, drop_shadow, happened, undone
from pgproof.services.databases import DatabaseService
from pgproof.services.describing import described
from pgproof.services.job_log import JobLog
from pgproof.services.owning import owning_database
from pgproof.services.ports import Lock, Observer
from pgproof.services.restoring import in_place, swapping
from pgproof.services.restoring.preflight import look, prepare
from pgproof.services.restoring.work import Subject, Work, World
from pgproof.services.undoing import check_undoable


class RestoreService:
    """The use cases around one restore. `undo_hours` is how long a replaced database is kept."""

    def __init__(self, *, world: World, databases: DatabaseService, backups: BackupService, undo_hours: int) -> None:
        self._world = world
        self._databases = databases
        self._backups = backups
        self._undo_hours = undo_hours

    def check(self, backup_id: int, options: RestoreOptions) -> None:
        """Look for all that would end such a restore, and raise it. Nothing is recorded, nothing changed."""
        backup = self._world.catalog.get_backup(backup_id)
        check_usable(backup)
        database = self._databases.behind(backup.database)
        look(Subject(self._world, backup, database, options.target_database or database.connection.dbname, options))

    def restore(
        self,
        backup_id: int,
        options: RestoreOptions,
        observer: Observer,
        *,
        cancelled: Event | None = None,
        begun: Callable[[Restore], None] | None = None,
    ) -> Restore:
        """Bring a backup back, as `options` say. `begun` hears of its record before anything is done.

        Raises `FingerprintMismatch` and many more; whatever is raised, the live database is as it was.
        """
        cancelled = cancelled or Event()
        backup = self._world.catalog.get_backup(backup_id)
        check_usable(backup)
        database = self._databases.resolve(backup.database)
        dbname = options.target_database or database.connection.dbname
        with owning_database(self._world.catalog, database), self._owning(Lock.BACKUP, backup.id):
            check_usable(self._world.catalog.get_backup(backup_id))  # it may have gone before we owned it
            restore = self._world.catalog.create_restore(backup, dbname, options, self._world.clock.now())
            with self._owning(Lock.RESTORE, restore.id), self._log(restore, observer) as log:
                if begun is not None:
                    begun(restore)
                work = Work(
                    restore=replace(restore, started_at=self._world.clock.now()),
                    backup=backup,
                    database=database,
                    world=self._world,
                    log=log,
                    cancelled=cancelled,
                )
                return self._run(work)

    def undo(self, restore_id: int, observer: Observer) -> Restore:
        """Swap the previous database back in. What the restore had brought is kept beside it."""
        catalog = self._world.catalog
        restore = catalog.get_restore(restore_id)
        database = self._databases.resolve(restore.database)
        with (
            owning_database(catalog, database),
            self._owning(Lock.RESTORE, restore.id),
            self._log(restore, observer) as log,
        ):
            restore = catalog.get_restore(restore_id)
            previous = check_undoable(catalog, self._world.server, restore, database)
            log.step(RestoreStep.UNDO)
            restore = replace(restore, error_message=None, error_details={})  # of an undo that was given up
            undoing = replace(restore, status=RestoreStatus.UNDOING, step=RestoreStep.UNDO)
            catalog.save_restore(undoing)
            try:
                seconds = self._world.server.swap(
                    database.connection,
                    live=restore.dbname,
                    incoming=previous,
                    outgoing=restore.shadow_database,
                )
            except SwapFailed:
                # A connection that breaks at the commit leaves the answer to the server; without one, to recovery.
                if not undone(self._world.server, database, restore):
                    catalog.save_restore(restore)
                    raise
                seconds = 0.0
            timings = {**undoing.timings, RestoreStep.UNDO: round(seconds, 3)}
            done = replace(undoing, status=RestoreStatus.UNDONE, timings=timings)
            catalog.save_restore(done)
            return done

    def _owning(self, kind: Lock, job_id: int) -> AbstractContextManager[None]:
        return self._world.catalog.own(kind, job_id)

    def _log(self, restore: Restore, observer: Observer) -> JobLog:
        return JobLog(self._world.catalog, self._world.clock, Lock.RESTORE, restore.id, observer)

    def _run(self, work: Work) -> Restore:
        try:
            plan = prepare(work)
            if work.restore.options.create_safety_backup and plan.live_oid is not None:
                work.begin(RestoreStep.SAFETY_BACKUP)
                work.note(safety_backup_id=self._take_safety_backup(work).id)
            if work.restore.options.mode is RestoreMode.IN_PLACE:
                in_place.replace_contents(work, plan)
            else:
                swapping.build(work, plan)
                swapping.swap_in(work)
        except BaseException as error:
            self._unwind(work, error)
            raise
        return self._complete(work)

    def _take_safety_backup(self, work: Work) -> Backup:
        options = BackupOptions(
            compression_level=work.backup.options.compression_level,
            include_logs=True,
            include_cache=True,
            description=f"before restoring backup {work.backup.id}",
        )
        trigger = BackupTrigger.PRE_RESTORE_SAFETY
        taken = self._backups.back_up(work.database, options, trigger, work.log, cancelled=work.cancelled)
        # The hold ends by itself, with the undo window at the latest: `complete` sets it to the end of that.
        held = replace(taken, held=True, held_until=self._world.clock.now() + timedelta(hours=self._undo_hours))
        self._world.catalog.save_backup(held, expected=BackupStatus.COMPLETED)
        return held

    def _complete(self, work: Work) -> Restore:
        return complete(self._world.catalog, work.restore, self._world.clock.now(), self._undo_hours)

    def _unwind(self, work: Work, error: BaseException) -> None:
        """Record the failure, unless the change turns out to have happened."""
        taken_over = isinstance(error, WorkerLost)  # then the record is another process's, the shadow still ours
        try:
            if not taken_over and self._happened(work):
                self._complete(work)
                return
            work.log.log(f"failed: {error}")
            if work.restore.options.mode is not RestoreMode.IN_PLACE:
                drop_shadow(self._world.server, work.database, work.restore)
            if taken_over:
                return
            now = self._world.clock.now()
            failed = replace(work.restore, status=RestoreStatus.FAILED, completed_at=now, **described(error))
            self._world.catalog.save_restore(failed, expected=RestoreStatus.RUNNING)
        except PgproofError as left:
            # The row stays unfinished on purpose: recovery settles it later.
            work.log.log(f"left for recovery: {left}")
            if not taken_over:
                self._remember(work, error)

    def _remember(self, work: Work, error: BaseException) -> None:
        """Keep why it failed for whoever settles it: this process lives."""
        try:
            known = replace(work.restore, **described(error))
            self._world.catalog.save_restore(known, expected=RestoreStatus.RUNNING)
        except PgproofError as unknown:
            work.log.log(f"why it failed is not recorded: {unknown}")

    def _happened(self, work: Work) -> bool:
        return happened(self._world.server, work.database, work.restore)
