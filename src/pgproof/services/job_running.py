"""Running jobs: from the queue's invitation to the record of what became of it."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from pgproof.domain.errors import Cancelled, Conflict, PgproofError
from pgproof.domain.job import Job, JobStatus, RetryRules
from pgproof.services.dispatching import Dispatcher
from pgproof.services.job_attempt import Attempt, Stop, seconds_between
from pgproof.services.job_ending import Ending, ended, error_fields
from pgproof.services.job_log import JobLog
from pgproof.services.job_news import JobNews
from pgproof.services.job_work import JobWork
from pgproof.services.patience import Patience
from pgproof.services.ports import Catalog, Clock, JobQueue, JobRecords, Lock

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_OWN_LOOKS = 10
_RECORD_SECONDS = 1.0


class JobRunner:
    """Runs the jobs of one worker, each in the thread that calls `run`. `worker` names it; `pause` waits.

    Somebody calls `watch` about twice a second.
    """

    def __init__(
        self,
        *,
        records: JobRecords,
        queue: JobQueue,
        catalog: Catalog,
        work: JobWork,
        clock: Clock,
        news: JobNews,
        pause: Callable[[float], None],
        worker: str,
        rules: RetryRules | None = None,
    ) -> None:
        self._records = records
        self._catalog = catalog
        self._work = work
        self._clock = clock
        self._news = news
        self._pause = pause
        self._worker = worker
        self._rules = rules or RetryRules()
        self._dispatcher = Dispatcher(records, queue, clock)
        self._patience = Patience(clock, pause, float("inf"))
        self._attempts: dict[int, Attempt] = {}
        self._entered = 0
        self._mutex = threading.Lock()
        self._closing = threading.Event()
        self._abandoned = threading.Event()

    @property
    def running(self) -> int:
        """How many jobs it has now."""
        with self._mutex:
            return self._entered

    def run(self, job_id: int) -> None:
        """Look at a job, and do it if it waits. Never raises: what cannot be recorded now is left for recovery."""
        with self._mutex:
            self._entered += 1
        try:
            self._run(job_id)
        except PgproofError as error:
            _log.warning("job %s is left for recovery: %s", job_id, error.detail)
        except BaseException:  # noqa: BLE001 - the thread is the queue's, and goes on with the next job
            _log.exception("job %s is left for recovery", job_id)
        finally:
            with self._mutex:
                self._entered -= 1

    def watch(self) -> None:
        """Keep what is ours, end what somebody called off, tell how far the rest is.

        Raises `CatalogUnreachable`; the jobs go on.
        """
        self._catalog.keep_owned()
        with self._mutex:
            attempts = dict(self._attempts)
        for job_id in self._records.cancel_requested(attempts):
            attempts[job_id].end(Stop.CANCEL)
        for job_id, attempt in attempts.items():
            progress = attempt.due_report()
            if progress is not None:
                self._records.report(job_id, progress)

    def close(self) -> None:
        """Begin nothing new."""
        self._closing.set()

    def hand_back(self) -> None:
        """End what runs, and have it done by somebody else. What cannot be done again fails."""
        self.close()
        with self._mutex:
            attempts = list(self._attempts.values())
        for attempt in attempts:
            attempt.end(Stop.SHUTDOWN)

    def abandon(self) -> None:
        """Do not wait any longer for a catalog that is away: recovery records what ended."""
        self.hand_back()
        self._abandoned.set()

    def _run(self, job_id: int) -> None:
        if self._closing.is_set():
            self._leave(job_id)
            return
        try:
            done = self._owned(job_id)
        except Conflict:
            # Whoever had it last is about to let go of it, or works on it: then it is not queued.
            self._leave(job_id)
            return
        if done is None:
            return
        if done.status is not JobStatus.QUEUED:
            self._news.finished(done)
        elif done.not_before is None:
            self._dispatcher.send([done])

    def _leave(self, job_id: int) -> None:
        """The entry is used up; have another one put if the job still waits."""
        job = self._records.get_job(job_id)
        if job.queue_id is not None:
            self._records.mark_unsent({job_id: job.queue_id})

    def _owned(self, job_id: int) -> Job | None:
        with ExitStack() as stack:
            for look in range(1, _OWN_LOOKS + 1):
                try:
                    stack.enter_context(self._catalog.own(Lock.JOB, job_id))
                    break
                except Conflict:
                    if self._records.get_job(job_id).status is not JobStatus.QUEUED:
                        return None  # somebody does it
                    if look == _OWN_LOOKS:
                        raise
                self._pause(_LOOK_SECONDS)
            job = self._records.get_job(job_id)
            if job.status is not JobStatus.QUEUED:
                return None  # one invitation too many
            return self._attempt(self._begin(job))

    def _begin(self, job: Job) -> Attempt:
        now = self._clock.now()
        begun = replace(
            job,
            status=JobStatus.RUNNING,
            attempt=job.attempt + 1,
            worker=self._worker,
            started_at=now,
            not_before=None,
            progress=None,
            error_code=None,
            error_message=None,
            error_details={},
        )
        self._records.save_job(begun, expected=JobStatus.QUEUED)
        attempt = Attempt(begun, self._clock, self._last_seconds(job))
        if job.cancel_requested_at is not None:
            attempt.end(Stop.CANCEL)
        with self._mutex:
            self._attempts[job.id] = attempt
        if self._closing.is_set():
            attempt.end(Stop.SHUTDOWN)
        return attempt

    def _last_seconds(self, job: Job) -> float | None:
        last = None if job.database is None else self._records.last_run(job.kind, job.database)
        return None if last is None else seconds_between(last.started_at, last.finished_at)

    def _attempt(self, attempt: Attempt) -> Job:
        job = attempt.job
        try:
            with JobLog(self._catalog, self._clock, Lock.JOB, job.id, attempt) as log:
                log.log(f"attempt {job.attempt} of {job.max_attempts} begins on {self._worker}")
                ending = self._ending(attempt, log)
                whole = replace(ending, result={**attempt.noted, **ending.result})
                done = ended(job, whole, self._rules, self._clock.now())
                log.log(self._told(done, ending))
            self._patience(lambda: self._record(done), self._abandoned.is_set)
            return done
        finally:
            with self._mutex:
                del self._attempts[job.id]

    def _record(self, done: Job) -> None:
        """Store what became of it. It may be stored already: a connection can be lost with the answer to a commit."""
        try:
            self._records.save_job(done, expected=JobStatus.RUNNING)
        except Conflict:
            if self._records.get_job(done.id) != done:
                raise

    def _ending(self, attempt: Attempt, log: JobLog) -> Ending:
        try:
            _check_wanted(attempt)
            return Ending(JobStatus.SUCCEEDED, result=self._work.do(attempt, log))
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the job has ended with it
            error = raised
            if not isinstance(error, PgproofError):
                _log.exception("job %s failed", attempt.job.id)
        try:
            return self._patience(lambda: self._work.ending(attempt, error), self._abandoned.is_set)
        except PgproofError:
            # Recovery settles it, and is to know why it ended: the worker lives.
            known = replace(attempt.job, result={**attempt.job.result, **attempt.noted}, **error_fields(error))
            self._records.save_job(known, expected=JobStatus.RUNNING)
            raise

    def _told(self, job: Job, ending: Ending) -> str:
        said = "" if ending.error is None else f": {ending.error}"
        if job.status is not JobStatus.QUEUED:
            return f"{job.status}{said}"
        if ending.handed_back:
            return "handed back: the worker ends"
        when = "at once" if job.not_before is None else f"after {job.not_before.isoformat()}"
        return f"failed{said}; it is tried again {when}"


def _check_wanted(attempt: Attempt) -> None:
    if attempt.cancelled.is_set():
        raise Cancelled("the job was cancelled before it began")
