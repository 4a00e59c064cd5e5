"""Restores: by swap, with a way back."""

from dataclasses import replace
from threading import Event

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict, DatabaseMissing, PgproofError, SwapFailed
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.services.backups import BackupService, check_usable, described
from pgproof.services.completing import complete
from pgproof.services.databases import DatabaseService
from pgproof.services.job_log import JobLog
from pgproof.services.ports import Catalog, Clock, Lock, Observer, PostgresServer, PostgresTools, Storage, Streams
from pgproof.services.swapping import Swapping


class RestoreService:
    """The use cases around one restore. `undo_hours` is how long a replaced database is kept."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        storage: Storage,
        streams: Streams,
        server: PostgresServer,
        tools: PostgresTools,
        clock: Clock,
        databases: DatabaseService,
        backups: BackupService,
        undo_hours: int,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._streams = streams
        self._server = server
        self._tools = tools
        self._clock = clock
        self._databases = databases
        self._backups = backups
        self._undo_hours = undo_hours

    def restore(
        self, backup_id: int, options: RestoreOptions, observer: Observer, *, cancelled: Event | None = None
    ) -> Restore:
        """Build a shadow database from the backup, compare it, swap it in. Raises `FingerprintMismatch`
        and many more; whatever is raised before the swap, the live database was not touched.
        """
        cancelled = cancelled or Event()
        backup = self._catalog.get_backup(backup_id)
        check_usable(backup)
        database = self._databases.resolve(backup.database)
        with self._catalog.own(Lock.DATABASE, database.id), self._catalog.own(Lock.BACKUP, backup.id):
            restore = self._catalog.create_restore(backup, database.connection.dbname, options, self._clock.now())
            with (
                self._catalog.own(Lock.RESTORE, restore.id),
                JobLog(self._catalog, self._clock, Lock.RESTORE, restore.id, observer) as log,
            ):
                return self._run(restore, backup, database, log, cancelled)

    def undo(self, restore_id: int, observer: Observer) -> Restore:
        """Swap the previous database back in. What the restore had brought is kept beside it."""
        restore = self._catalog.get_restore(restore_id)
        database = self._databases.resolve(restore.database)
        with (
            self._catalog.own(Lock.DATABASE, database.id),
            self._catalog.own(Lock.RESTORE, restore.id),
            JobLog(self._catalog, self._clock, Lock.RESTORE, restore.id, observer) as log,
        ):
            restore = self._catalog.get_restore(restore_id)
            previous = self._check_undoable(restore, database)
            log.step(RestoreStep.UNDO)
            undoing = replace(restore, status=RestoreStatus.UNDOING, step=RestoreStep.UNDO)
            self._catalog.save_restore(undoing)
            try:
                seconds = self._server.swap(
                    database.connection,
                    live=restore.dbname,
                    incoming=previous,
                    outgoing=restore.shadow_database,
                )
            except SwapFailed:
                self._catalog.save_restore(restore)
                raise
            undone = replace(
                undoing, status=RestoreStatus.UNDONE, timings={**undoing.timings, RestoreStep.UNDO: seconds}
            )
            self._catalog.save_restore(undone)
            return undone

    def _run(self, restore: Restore, backup: Backup, database: Database, log: JobLog, cancelled: Event) -> Restore:
        swapping = Swapping(
            backup=backup,
            database=database,
            catalog=self._catalog,
            storage=self._storage,
            streams=self._streams,
            server=self._server,
            tools=self._tools,
            clock=self._clock,
            log=log,
            cancelled=cancelled,
            restore=replace(restore, started_at=self._clock.now()),
        )
        try:
            swapping.prepare()
            if restore.options.create_safety_backup and swapping.live_exists:
                swapping.begin(RestoreStep.SAFETY_BACKUP)
                swapping.note(safety_backup_id=self._take_safety_backup(backup, database, log, cancelled).id)
            swapping.build()
            swapping.swap_in()
        except BaseException as error:
            self._unwind(swapping, error, log)
            raise
        return self._complete(swapping.restore)

    def _take_safety_backup(self, backup: Backup, database: Database, log: JobLog, cancelled: Event) -> Backup:
        options = BackupOptions(
            compression_level=backup.options.compression_level,
            include_logs=True,
            include_cache=True,
            description=f"before restoring backup {backup.id}",
        )
        wanted = self._backups.request(database, options, BackupTrigger.PRE_RESTORE_SAFETY)
        taken = self._backups.take(wanted.id, log, database=database, cancelled=cancelled)
        held = replace(taken, held=True)
        self._catalog.save_backup(held, expected=BackupStatus.COMPLETED)
        return held

    def _complete(self, restore: Restore) -> Restore:
        return complete(self._catalog, restore, self._clock.now(), self._undo_hours)

    def _unwind(self, swapping: Swapping, error: BaseException, log: JobLog) -> None:
        if swapping.restore.step is RestoreStep.SWAP and swapping.committed():
            self._complete(swapping.restore)
            return
        log.log(f"failed: {error}")
        now = self._clock.now()
        try:
            swapping.drop_shadow()
        except PgproofError as left:
            # The row stays unfinished on purpose: recovery drops the shadow later.
            log.log(f"the shadow database {swapping.restore.shadow_database} stays behind: {left}")
            return
        failed = replace(swapping.restore, status=RestoreStatus.FAILED, completed_at=now, **described(error))
        try:
            self._catalog.save_restore(failed)
        except PgproofError as unrecorded:
            log.log(f"the failure could not be recorded: {unrecorded}")

    def _check_undoable(self, restore: Restore, database: Database) -> str:
        if restore.status is not RestoreStatus.COMPLETED or restore.previous_database is None:
            raise Conflict(
                f"restore {restore.id} is {restore.status} and cannot be undone",
                hint="Only a completed swap keeps the database that it replaced.",
            )
        later = [
            other.id
            for other in self._catalog.list_restores(limit=1000)
            if other.database == restore.database
            and other.id > restore.id
            and other.status in (RestoreStatus.COMPLETED, RestoreStatus.UNDOING)
        ]
        if later:
            raise Conflict(
                f"restore {max(later)} of the same database came after restore {restore.id}",
                hint=f"Undo that one first: pgproof undo {max(later)}",
            )
        maintenance = self._server.maintenance(database.connection)
        if restore.previous_database not in self._server.list_databases(maintenance):
            raise DatabaseMissing(
                f"the previous database {restore.previous_database!r} is gone",
                hint=_restore_hint(restore),
            )
        return restore.previous_database


def _restore_hint(restore: Restore) -> str:
    if restore.safety_backup_id is None:
        return "No safety backup was taken; `pgproof list` shows what else there is."
    return f"Restore the safety backup instead: pgproof restore {restore.safety_backup_id}"
