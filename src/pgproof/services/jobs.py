"""Asking for jobs, looking at them, calling them off."""

from collections.abc import Callable, Sequence

from pgproof.domain.archive import check_written
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.errors import Conflict
from pgproof.domain.job import ONCE, Job, JobKind, JobStatus, NewJob, check_only_restore
from pgproof.domain.restore import RestoreOptions
from pgproof.domain.wording import in_quotes
from pgproof.services.backups import check_usable
from pgproof.services.databases import DatabaseService
from pgproof.services.dispatching import Dispatcher
from pgproof.services.job_news import JobNews
from pgproof.services.job_options import restore_options_as_json
from pgproof.services.ports import (
    Catalog,
    Clock,
    JobFilter,
    JobQueue,
    JobRecords,
    Lock,
    PostgresServer,
    Storage,
    WantedBackup,
)
from pgproof.services.undoing import check_undoable

_LOOK_SECONDS = 0.25


class JobService:
    """What callers ask for; workers do it.

    `pause` waits for some seconds. `by` is who asks, as the audit trail names it.
    """

    def __init__(
        self,
        *,
        records: JobRecords,
        queue: JobQueue,
        catalog: Catalog,
        storage: Storage,
        server: PostgresServer,
        databases: DatabaseService,
        clock: Clock,
        news: JobNews,
        pause: Callable[[float], None],
    ) -> None:
        self._records = records
        self._queue = queue
        self._catalog = catalog
        self._storage = storage
        self._server = server
        self._databases = databases
        self._clock = clock
        self._news = news
        self._pause = pause
        self._dispatcher = Dispatcher(records, queue, clock)

    def request_backup(
        self,
        database_name: str | None,
        options: BackupOptions,
        trigger: BackupTrigger,
        *,
        by: str,
        user_id: int | None = None,
    ) -> tuple[Backup, Job]:
        """Queue a backup; it is pending until a worker takes it. ``None`` is the first protected database.

        `user_id` is who asks, where that is a user of ours. Raises `NotFound` for a database that is not registered.
        """
        database = self._databases.resolve(database_name)
        wanted = WantedBackup(database.name, database.group, options, trigger, by, user_id=user_id)
        return self.request_backups([wanted])[0]

    def request_backups(self, wanted: Sequence[WantedBackup]) -> Sequence[tuple[Backup, Job]]:
        """Queue many backups at once: all of them or none."""
        for one in wanted:
            check_written(one.options.format)
        made = self._records.add_backup_jobs(wanted, storage_url=self._storage.url, now=self._clock.now())
        self._dispatcher.send([job for _, job in made])
        return made

    def request_restore(self, backup_id: int, options: RestoreOptions, *, by: str) -> Job:
        """Queue a restore. Its number is in the job's result as `restore_id` once it has begun.

        Raises `Conflict` for a backup that is not usable, and while the database is being restored.
        """
        backup = self._catalog.get_backup(backup_id)
        check_usable(backup)
        self._check_unrestored(backup.database)
        return self._queue_for(JobKind.RESTORE, backup.database, backup.id, by, restore_options_as_json(options))

    def request_undo(self, restore_id: int, *, by: str) -> Job:
        """Queue the undo of a restore. Raises `Conflict` and `DatabaseMissing` if it cannot be undone."""
        restore = self._catalog.get_restore(restore_id)
        self._check_unrestored(restore.database)
        check_undoable(self._catalog, self._server, restore, self._databases.behind(restore.database))
        return self._queue_for(JobKind.UNDO, restore.database, restore.id, by)

    def request_verify(self, backup_id: int, *, by: str, schedule_id: int | None = None) -> Job:
        """Queue the verifying of a backup. Raises `Conflict` if it is not usable."""
        backup = self._usable(backup_id)
        return self._queue_for(JobKind.VERIFY, backup.database, backup.id, by, schedule_id=schedule_id)

    def request_restore_test(self, backup_id: int, *, by: str, schedule_id: int | None = None) -> Job:
        """Queue a restore test. Raises `Conflict` if the backup is not usable."""
        backup = self._usable(backup_id)
        return self._queue_for(JobKind.RESTORE_TEST, backup.database, backup.id, by, schedule_id=schedule_id)

    def request_cleanup(
        self, *, by: str, force: bool = False, database: str | None = None, schedule_id: int | None = None
    ) -> Job:
        """Queue a cleanup, of one database or of all."""
        return self._queue_for(JobKind.CLEANUP, database, None, by, {"force": force}, schedule_id=schedule_id)

    def get(self, job_id: int) -> Job:
        """The job of that number. Raises `NotFound`."""
        return self._records.get_job(job_id)

    def list(self, wanted: JobFilter) -> Sequence[Job]:
        """The newest first."""
        return self._records.list_jobs(wanted)

    def unfinished_of_backup(self, backup_id: int) -> Job | None:
        """The job that is to take this backup, or takes it now."""
        return self._records.unfinished_job(JobKind.BACKUP, backup_id)

    def log(self, job_id: int) -> Sequence[str]:
        """What the job did, and the log of the backup, restore or restore test that it worked on."""
        job = self.get(job_id)
        lines = list(self._catalog.read_log(Lock.JOB, job_id))
        subjects = {
            JobKind.BACKUP: (Lock.BACKUP, job.subject_id),
            JobKind.RESTORE: (Lock.RESTORE, job.result.get("restore_id")),
            JobKind.UNDO: (Lock.RESTORE, job.subject_id),
            JobKind.RESTORE_TEST: (Lock.RESTORE_TEST, job.result.get("restore_test_id")),
        }
        kind, number = subjects.get(job.kind, (Lock.JOB, None))
        return lines if number is None else [*lines, *self._catalog.read_log(kind, number)]

    def cancel(self, job_id: int, *, by: str) -> Job:
        """Call a job off: a queued one at once, a running one within seconds. Raises `Conflict` if it has ended."""
        job = self._records.request_cancel(job_id, self._clock.now())
        self._catalog.append_log(Lock.JOB, job.id, [f"to be cancelled: {by} asked for it"], self._clock.now())
        if job.status is JobStatus.CANCELLED:
            if job.queue_id is not None:
                self._queue.withdraw(job.queue_id)
            self._news.finished(job)
        return job

    def wait(self, job_id: int, seconds: float) -> Job:
        """The job when it has ended, or as it is after so many seconds."""
        deadline = self._clock.monotonic() + seconds
        while True:
            job = self._records.get_job(job_id)
            left = deadline - self._clock.monotonic()
            if not job.unfinished or left <= 0:
                return job
            self._pause(min(_LOOK_SECONDS, left))

    def dispatch(self) -> int:
        """Put into the queue what is due and not there: retries, and what a process that died has left unsent."""
        return self._dispatcher.dispatch()

    def _usable(self, backup_id: int) -> Backup:
        backup = self._catalog.get_backup(backup_id)
        check_usable(backup)
        return backup

    def _check_unrestored(self, database: str) -> None:
        check_only_restore(self._records.unfinished_jobs_of(database, ONCE))
        going_on = [one for one in self._catalog.unfinished_restores() if one.database == database]
        if going_on:
            raise Conflict(
                f"the database {in_quotes(database)} is being restored, by restore {going_on[0].id}",
                hint="Wait until that has ended; `pgproof list --restores` shows it.",
            )

    def _queue_for(
        self,
        kind: JobKind,
        database: str | None,
        subject_id: int | None,
        by: str,
        options: dict[str, object] | None = None,
        schedule_id: int | None = None,
    ) -> Job:
        job = self._records.add_job(
            NewJob(
                kind=kind,
                requested_by=by,
                created_at=self._clock.now(),
                group=self._databases.group_of(database),
                database=database,
                subject_id=subject_id,
                options=options or {},
                schedule_id=schedule_id,
            )
        )
        self._dispatcher.send([job])
        return job
