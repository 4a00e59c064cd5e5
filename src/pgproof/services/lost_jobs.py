"""Jobs whose worker died, entries that nobody works on, and jobs that have no entry any more."""

from collections.abc import Sequence
from dataclasses import replace

from pgproof.domain.errors import Conflict, NotFound, PgproofError
from pgproof.domain.job import Job, JobStatus, RetryRules
from pgproof.services.dispatching import Dispatcher
from pgproof.services.job_ending import ended
from pgproof.services.job_news import JobNews
from pgproof.services.job_work import JobWork
from pgproof.services.ports import Catalog, Clock, Entry, JobQueue, JobRecords, Lock

STALLED_SECONDS = 30.0


class LostJobs:
    """Settles them, and has them done again where that may be. Whether a worker lives, its lock tells."""

    def __init__(
        self,
        *,
        records: JobRecords,
        queue: JobQueue,
        catalog: Catalog,
        work: JobWork,
        clock: Clock,
        news: JobNews,
        rules: RetryRules | None = None,
    ) -> None:
        self._records = records
        self._queue = queue
        self._catalog = catalog
        self._work = work
        self._clock = clock
        self._news = news
        self._rules = rules or RetryRules()
        self._dispatcher = Dispatcher(records, queue, clock)
        self._suspects: frozenset[int] = frozenset()
        self._idle: frozenset[Entry] = frozenset()

    def settle(self) -> Sequence[str]:
        """Settle every running job that nobody owns; a line for each, also for those that cannot be settled now."""
        return [self._guarded(job.id) for job in self._unowned()]

    def settle_patiently(self) -> Sequence[str]:
        """The same of those that nobody owned at the last look either.

        The sessions of living workers end as well when the catalog's server starts anew; they are back at once.
        """
        unowned = frozenset(job.id for job in self._unowned())
        lost, self._suspects = sorted(unowned & self._suspects), unowned
        return [self._guarded(job_id) for job_id in lost]

    def release_entries(self) -> Sequence[str]:
        """Give free what workers have taken that are gone, or that a job does not need any more; a line for each.

        A worker is gone that has given no sign of life for half a minute, if its job is nobody's. Of the others, what
        is idle at two looks is released: between taking an entry and beginning its job, and at its end, a worker
        needs a moment.
        """
        stalled = frozenset(self._queue.stalled(STALLED_SECONDS))
        idle = frozenset(entry for entry in self._queue.taken() if self._is_idle(entry))
        released = (idle & stalled) | (idle & self._idle)
        self._idle = idle - released
        lines = [self._guarded(entry.job_id) for entry in stalled - released if self._is_lost(entry.job_id)]
        for entry in sorted(released, key=lambda entry: entry.id):
            self._queue.withdraw(entry.id)
            self._records.mark_unsent({entry.job_id: entry.id})
            lines.append(f"job {entry.job_id}: its entry in the queue was released")
        return lines

    def put_again_what_is_missing(self) -> int:
        """Put into the queue what should be there and is not; the number of jobs."""
        return self._dispatcher.put_again_what_is_missing()

    def _unowned(self) -> Sequence[Job]:
        running = self._records.running_jobs()
        return [job for job in running if not self._catalog.is_owned(Lock.JOB, job.id)]

    def _is_idle(self, entry: Entry) -> bool:
        return not self._is_running(entry.job_id)

    def _is_lost(self, job_id: int) -> bool:
        return self._is_running(job_id) and not self._catalog.is_owned(Lock.JOB, job_id)

    def _is_running(self, job_id: int) -> bool:
        try:
            return self._records.get_job(job_id).status is JobStatus.RUNNING
        except NotFound:
            return False  # it ended so long ago that it was forgotten

    def _guarded(self, job_id: int) -> str:
        try:
            return f"job {job_id}: {self._settle(job_id)}"
        except Conflict as conflict:
            return f"job {job_id}: {conflict.detail}"
        except PgproofError as error:
            return f"job {job_id}: cannot be settled now: {error.detail}"

    def _settle(self, job_id: int) -> str:
        with self._catalog.own(Lock.JOB, job_id):
            job = self._records.get_job(job_id)
            if job.status is not JobStatus.RUNNING:
                return "somebody else has settled it"
            ending = self._work.ending_of_lost(job)
            done = _with_cause(ended(job, ending, self._rules, self._clock.now()), job)
            self._records.save_job(done, expected=JobStatus.RUNNING)
            why = f"its worker died ({job.worker})" if job.error_code is None else "its worker could not settle it"
            said = f"{why}; it is {_will_be(done)}"
            self._catalog.append_log(Lock.JOB, job_id, [said], self._clock.now())
        if job.queue_id is not None:
            self._queue.withdraw(job.queue_id)
        if done.status is JobStatus.QUEUED:
            self._dispatcher.send([done])
        else:
            self._news.finished(done)
        return said


def _with_cause(done: Job, lost: Job) -> Job:
    """What its worker has recorded while it ran is why it ended; without that, the worker died."""
    if done.error_code is None or lost.error_code is None:
        return done
    return replace(
        done,
        error_code=lost.error_code,
        error_message=lost.error_message,
        error_details=lost.error_details,
    )


def _will_be(job: Job) -> str:
    return "queued again" if job.status is JobStatus.QUEUED else str(job.status)
