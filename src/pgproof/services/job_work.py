"""What a job of each kind does, and how its attempt ended when that raised something."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pgproof.domain.backup import USABLE, Backup, BackupStatus
from pgproof.domain.errors import Cancelled, PgproofError, WorkerLost
from pgproof.domain.job import Job, JobKind, JobStatus, may_be_tried_again
from pgproof.domain.restore import Restore
from pgproof.domain.restore_test import RestoreTest
from pgproof.services.backups import BackupService
from pgproof.services.describing import described
from pgproof.services.expiry import ExpiryService
from pgproof.services.job_attempt import Attempt, Stop
from pgproof.services.job_ending import (
    LOST,
    LOST_RESTORE,
    LOST_UNDO,
    Ending,
    after_backup,
    after_restore,
    after_undo,
    unsettled,
)
from pgproof.services.job_options import restore_options_from_json
from pgproof.services.ports import Catalog, Clock, JobRecords, Observer
from pgproof.services.recovery import RecoveryService
from pgproof.services.restore_tests import RestoreTestService
from pgproof.services.restores import RestoreService


class JobWork:
    """The use cases behind the jobs."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        records: JobRecords,
        backups: BackupService,
        restores: RestoreService,
        restore_tests: RestoreTestService,
        expiry: ExpiryService,
        recovery: RecoveryService,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._records = records
        self._backups = backups
        self._restores = restores
        self._restore_tests = restore_tests
        self._expiry = expiry
        self._recovery = recovery
        self._clock = clock

    def do(self, attempt: Attempt, log: Observer) -> Mapping[str, Any]:
        """Do the work, and return its result. `log` keeps the lines of what keeps none itself."""
        match attempt.job.kind:
            case JobKind.BACKUP:
                return self._back_up(attempt)
            case JobKind.RESTORE:
                return self._restore(attempt)
            case JobKind.UNDO:
                undone = self._restores.undo(_subject(attempt.job), attempt)
                return {"restore_id": undone.id}
            case JobKind.VERIFY:
                self._backups.verify(_subject(attempt.job), log, cancelled=attempt.cancelled)
                return {"backup_id": attempt.job.subject_id}
            case JobKind.RESTORE_TEST:
                return self._test(attempt)
            case JobKind.CLEANUP:
                return self._clean_up(attempt, log)

    def ending(self, attempt: Attempt, error: BaseException) -> Ending:
        """How an attempt ended that raised `error`. Raises `Conflict` as long as that cannot be told."""
        job, cancelled = attempt.job, attempt.stop is Stop.CANCEL and isinstance(error, Cancelled)
        again, handed_back = attempt.again(error), attempt.stop is Stop.SHUTDOWN
        if handed_back and not again and isinstance(error, Cancelled):
            error = WorkerLost(
                f"the worker was shut down before the {job.kind} was done", hint="Nothing was changed. Start it again."
            )
        match job.kind:
            case JobKind.BACKUP:
                ending = self._backup_ending(job, error, again=again, cancelled=cancelled)
            case JobKind.RESTORE:
                ending = self._restore_ending({**job.result, **attempt.noted}, error, cancelled=cancelled)
            case JobKind.UNDO:
                ending = self._undo_ending(_subject(job), error)
            case _:
                ending = _plain_ending(error, again=again, cancelled=cancelled)
        return replace(ending, handed_back=handed_back and ending.status is JobStatus.QUEUED)

    def ending_of_lost(self, job: Job) -> Ending:
        """What is to become of a job whose worker died. Raises `Conflict` as long as that cannot be told."""
        again, cancelled = may_be_tried_again(job, LOST), job.cancel_requested_at is not None
        match job.kind:
            case JobKind.BACKUP:
                ending = self._backup_ending(job, LOST, again=again, cancelled=cancelled)
            case JobKind.RESTORE:
                ending = self._restore_ending(job.result, LOST_RESTORE, cancelled=cancelled)
            case JobKind.UNDO:
                ending = self._undo_ending(_subject(job), LOST_UNDO)
            case _:
                ending = _plain_ending(LOST, again=again, cancelled=cancelled)
        return replace(ending, at_once=ending.status is JobStatus.QUEUED)

    def _back_up(self, attempt: Attempt) -> Mapping[str, Any]:
        backup = self._catalog.get_backup(_subject(attempt.job))
        if backup.status is BackupStatus.RUNNING:
            # An earlier attempt could not clean up behind itself.
            self._recovery.settle_backup(backup.id, again=True)
            backup = self._catalog.get_backup(backup.id)
        if backup.status not in USABLE:
            backup = self._backups.take(backup.id, attempt, cancelled=attempt.cancelled, again=attempt.again)
        return {"backup_id": backup.id}

    def _restore(self, attempt: Attempt) -> Mapping[str, Any]:
        def begun(restore: Restore) -> None:
            self._note(attempt, restore_id=restore.id)

        options = restore_options_from_json(attempt.job.options)
        restored = self._restores.restore(
            _subject(attempt.job), options, attempt, cancelled=attempt.cancelled, begun=begun
        )
        return {"restore_id": restored.id, "safety_backup_id": restored.safety_backup_id}

    def _test(self, attempt: Attempt) -> Mapping[str, Any]:
        def begun(test: RestoreTest) -> None:
            self._note(attempt, restore_test_id=test.id)

        done = self._restore_tests.test(_subject(attempt.job), attempt, cancelled=attempt.cancelled, begun=begun)
        return {"restore_test_id": done.id, "outcome": None if done.outcome is None else done.outcome.value}

    def _clean_up(self, attempt: Attempt, log: Observer) -> Mapping[str, Any]:
        job = attempt.job
        log.step("plan")
        plan = self._expiry.plan(self._clock.now(), database=job.database)
        log.step("sweep")
        done = self._expiry.sweep(plan, force=bool(job.options.get("force")), cancelled=attempt.cancelled)
        for failure in done.failures:
            log.log(f"warning: {failure.what}: {failure.error.detail}")
        attempt.note(
            expired=len(done.expired),
            forgotten=len(done.forgotten),
            dropped=len(done.dropped),
            failures=len(done.failures),
            freed_bytes=done.freed,
        )
        if done.failures:
            raise done.failures[0].error
        return {}

    def _note(self, attempt: Attempt, **facts: Any) -> None:
        self._records.note_result(attempt.job.id, attempt.note(**facts))

    def _backup_ending(self, job: Job, error: BaseException, *, again: bool, cancelled: bool) -> Ending:
        backup_id = _subject(job)
        backup = self._catalog.get_backup(backup_id)
        if backup.status is BackupStatus.RUNNING:
            try:
                self._recovery.settle_backup(backup_id, again=again)
            except PgproofError:
                if not again:
                    raise
                return Ending(JobStatus.QUEUED, error)  # the next attempt begins with that
            backup = self._catalog.get_backup(backup_id)
        if backup.status is BackupStatus.PENDING:
            return self._pending_ending(job, backup, error, again=again, cancelled=cancelled)
        return Ending(JobStatus.CANCELLED, error) if cancelled and not backup.usable else after_backup(backup, error)

    def _pending_ending(
        self, job: Job, backup: Backup, error: BaseException, *, again: bool, cancelled: bool
    ) -> Ending:
        """Of one that is to be taken again, or whose taking has not even begun: somebody was about to delete it."""
        if again or (job.attempts_left and not cancelled):
            return Ending(JobStatus.QUEUED, error)
        status = BackupStatus.CANCELLED if cancelled else BackupStatus.FAILED
        ended = replace(backup, status=status, completed_at=self._clock.now(), **described(error))
        self._catalog.save_backup(ended, expected=BackupStatus.PENDING)
        return Ending(JobStatus.CANCELLED if cancelled else JobStatus.FAILED, error)

    def _restore_ending(self, result: Mapping[str, Any], error: BaseException, *, cancelled: bool) -> Ending:
        number = result.get("restore_id")
        if number is None:
            return _plain_ending(error, again=False, cancelled=cancelled)
        ending = after_restore(self._settled(number), error, cancelled=cancelled)
        if ending is None:
            raise unsettled(f"restore {number}")
        return ending

    def _undo_ending(self, restore_id: int, error: BaseException) -> Ending:
        ending = after_undo(self._settled(restore_id), error)
        if ending is None:
            raise unsettled(f"the undo of restore {restore_id}")
        return ending

    def _settled(self, restore_id: int) -> Restore:
        if any(one.id == restore_id for one in self._catalog.unfinished_restores()):
            self._recovery.settle_restore(restore_id)
        return self._catalog.get_restore(restore_id)


def _plain_ending(error: BaseException, *, again: bool, cancelled: bool) -> Ending:
    if again:
        return Ending(JobStatus.QUEUED, error)
    return Ending(JobStatus.CANCELLED if cancelled else JobStatus.FAILED, error)


def _subject(job: Job) -> int:
    if job.subject_id is None:
        raise ValueError(f"job {job.id} has no subject")
    return job.subject_id
