"""Telling those who want to know that a job has ended."""

import logging
from collections.abc import Iterable

from pgproof.domain.job import Job
from pgproof.services.ports import JobListener

_log = logging.getLogger(__name__)


class JobNews:
    """Tells every listener; what one of them raises neither ends a job nor keeps the others from hearing."""

    def __init__(self, listeners: Iterable[JobListener] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: JobListener) -> None:
        """From now on it hears as well."""
        self._listeners.append(listener)

    def finished(self, job: Job) -> None:
        """A job has ended."""
        for listener in self._listeners:
            try:
                listener.finished(job)
            except Exception:  # noqa: BLE001 - the job is done, whatever becomes of the news
                _log.exception("a listener failed for job %s", job.id)
