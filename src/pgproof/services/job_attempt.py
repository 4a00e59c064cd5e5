"""One execution of a job: what it is told, how far it is, and whether somebody wants it to end."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any

from pgproof.domain.job import ONCE, Job, JobProgress, estimated, may_be_tried_again
from pgproof.services.ports import Clock, Progress

_REPORT_SECONDS = 1.0


class Stop(Enum):
    """Why an attempt is ended from outside."""

    CANCEL = "somebody asked for it"
    SHUTDOWN = "its worker ends"


class Attempt:
    """An `Observer` of the work. Any thread may call it; `cancelled` ends the tools.

    `last_seconds` is how long the last run of the same kind on the same database took.
    """

    def __init__(self, job: Job, clock: Clock, last_seconds: float | None) -> None:
        self.job = job
        self.cancelled = threading.Event()
        self.stop: Stop | None = None
        self.noted: dict[str, Any] = {}
        self._clock = clock
        self._last_seconds = last_seconds
        self._parallel = int(job.options.get("parallel_jobs", 1))
        self._begun_at = clock.monotonic()
        self._reported_at = float("-inf")
        self._lock = threading.Lock()
        self._step = ""
        self._progress = Progress()
        self._changed = False

    def end(self, stop: Stop) -> None:
        """Have it end; what was said first counts."""
        with self._lock:
            if self.stop is None:
                self.stop = stop
        self.cancelled.set()

    def again(self, error: BaseException) -> bool:
        """Whether the job is to be queued once more after this error."""
        if self.stop is Stop.SHUTDOWN:
            return self.job.kind not in ONCE
        return self.stop is None and may_be_tried_again(self.job, error)

    def note(self, **facts: Any) -> Mapping[str, Any]:
        """Remember something for the result; all that is remembered."""
        self.noted.update(facts)
        return self.noted

    def step(self, name: str) -> None:
        """A new step begins."""
        with self._lock:
            self._step, self._progress, self._changed = str(name), Progress(), True

    def progress(self, progress: Progress) -> None:
        """The present step went on."""
        with self._lock:
            self._progress, self._changed = progress, True

    def log(self, line: str) -> None:
        """Whoever works keeps the lines."""

    def due_report(self) -> JobProgress | None:
        """How far it is, if something has changed and was not told for a second."""
        now = self._clock.monotonic()
        with self._lock:
            if not self._changed or now - self._reported_at < _REPORT_SECONDS:
                return None
            self._changed, self._reported_at = False, now
            return self._told(now)

    def _told(self, now: float) -> JobProgress:
        seen = self._progress
        told = JobProgress(
            step=self._step,
            bytes_done=seen.bytes_done,
            bytes_total=seen.bytes_total,
            tables_done=max(0, seen.tables_begun - self._parallel),
            tables_total=seen.tables_total,
        )
        percent, left = estimated(told, now - self._begun_at, self._last_seconds)
        return replace(told, percent=percent, seconds_left=left)


def seconds_between(began: datetime | None, ended: datetime | None) -> float | None:
    """How long a run took, where both ends are known."""
    return None if began is None or ended is None else (ended - began).total_seconds()
