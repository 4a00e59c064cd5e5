"""From the catalog's jobs into the queue.

A job's row is committed first, then it is put into the queue, then marked as sent. What a process that dies leaves
unsent in between, the next dispatch sends. Sent twice, it is done once: an entry is only an invitation to look.
"""

from collections.abc import Sequence
from datetime import timedelta

from pgproof.domain.errors import CatalogUnreachable
from pgproof.domain.job import Job
from pgproof.services.ports import Clock, JobQueue, JobRecords

_AT_ONCE = 1000
_SENDING = timedelta(seconds=5)  # within which whoever asks for a job sends it


class Dispatcher:
    """Puts jobs into the queue."""

    def __init__(self, records: JobRecords, queue: JobQueue, clock: Clock) -> None:
        self._records = records
        self._queue = queue
        self._clock = clock

    def send(self, jobs: Sequence[Job]) -> None:
        """Put jobs into the queue now. If the catalog goes away in between they are not lost: `dispatch` sends them."""
        try:
            self._send(jobs)
        except CatalogUnreachable:
            return

    def dispatch(self) -> int:
        """Send what is due and unsent; the number of jobs."""
        now = self._clock.now()
        sent = 0
        while True:
            due = self._records.unsent_jobs(due_at=now, asked_before=now - _SENDING, limit=_AT_ONCE)
            self._send(due)
            sent += len(due)
            if len(due) < _AT_ONCE:
                return sent

    def put_again_what_is_missing(self) -> int:
        """Send again what counts as sent and is not in the queue; the number of jobs.

        The queue is asked after the rows: what was put meanwhile is not missing.
        """
        sent = self._records.sent_jobs()
        there = self._queue.entries() if sent else frozenset()
        missing = {job_id: entry for job_id, entry in sent.items() if entry not in there}
        self._records.mark_unsent(missing)
        return len(missing)

    def _send(self, jobs: Sequence[Job]) -> None:
        if jobs:
            self._records.mark_sent(self._queue.put(jobs))
