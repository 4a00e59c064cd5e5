"""Asking the queue: putting jobs into it, looking at it, taking entries back."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pgproof.adapters.queue.names import ARGUMENT, TASK
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.job import Job, lock_of, urgency
from pgproof.services.ports import Entry, Receiver

if TYPE_CHECKING:  # slow to import, and most commands never ask
    from procrastinate.jobs import Job as QueuedJob
    from procrastinate.manager import JobManager

    from pgproof.adapters.queue.session import SharedSession

_WAITING, _TAKEN = "todo", "doing"


class ProcrastinateQueue:
    """The queue in the catalog's database. Threads may share it; it connects when it is first asked."""

    def __init__(self, connection: ConnectionInfo) -> None:
        self._connection = connection

    def put(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        """See the port."""
        from procrastinate.jobs import Job as QueuedJob

        entries = [
            QueuedJob(
                queue=job.group,
                priority=urgency(job.kind),
                lock=lock_of(job.kind, job.database, job.subject_id),
                queueing_lock=None,
                task_name=TASK,
                task_kwargs={ARGUMENT: job.id},
            )
            for job in jobs
        ]
        put = self._manager.batch_defer_jobs(entries)
        return {job.id: entry.id for job, entry in zip(jobs, put, strict=True) if entry.id is not None}

    def withdraw(self, entry_id: int) -> None:
        """See the port."""
        from procrastinate.jobs import Status

        from pgproof.adapters.queue.session import EntryGone, at_once

        try:
            at_once(self._manager.finish_job_by_id_async(entry_id, Status.FAILED, delete_job=True))
        except EntryGone:
            return

    def entries(self) -> frozenset[int]:
        """See the port."""
        return frozenset(
            entry.id for status in (_WAITING, _TAKEN) for entry in _entries(self._manager.list_jobs(status=status))
        )

    def taken(self) -> Sequence[Entry]:
        """See the port."""
        return _entries(self._manager.list_jobs(status=_TAKEN))

    def stalled(self, seconds: float) -> Sequence[Entry]:
        """See the port."""
        from pgproof.adapters.queue.session import at_once

        return _entries(list(at_once(self._manager.get_stalled_jobs(seconds_since_heartbeat=seconds))))

    def receiver(self, groups: Sequence[str], at_once: int, run: Callable[[int], None]) -> Receiver:
        """See the port."""
        from pgproof.adapters.queue.receiving import ProcrastinateReceiver

        return ProcrastinateReceiver(self._connection, groups, at_once, run)

    def close(self) -> None:
        """See the port."""
        if "_session" in self.__dict__:
            self._session.close()

    @cached_property
    def _session(self) -> "SharedSession":
        from pgproof.adapters.queue.session import SharedSession

        return SharedSession(self._connection)

    @cached_property
    def _manager(self) -> "JobManager":
        from procrastinate.manager import JobManager

        return JobManager(self._session)


def _entries(found: Sequence["QueuedJob"]) -> Sequence[Entry]:
    return [
        Entry(one.id, int(str(one.task_kwargs[ARGUMENT])))
        for one in found
        if one.id is not None and one.task_name == TASK
    ]
