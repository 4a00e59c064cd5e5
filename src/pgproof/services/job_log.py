"""A job's log: to whoever watches, and into the catalog."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pgproof.domain.errors import CatalogError
from pgproof.services.ports import Catalog, Clock, Lock, Observer, Progress

_FLUSH_LINES = 500
_FLUSH_SECONDS = 2.0


class JobLog:
    """An `Observer` that passes everything on and keeps the lines in the catalog.

    A catalog that is away for a while does not end a job: the lines wait. What still waits when the job
    ends and cannot be written is told to the observer.
    """

    def __init__(self, catalog: Catalog, clock: Clock, kind: Lock, job_id: int, observer: Observer) -> None:
        self._catalog = catalog
        self._clock = clock
        self._kind = kind
        self._job_id = job_id
        self._observer = observer
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._flushed_at = clock.monotonic()
        self._progress = Progress()

    def __enter__(self) -> "JobLog":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            lost = not self._flush()
        if lost:
            self._observer.log(f"the catalog is away: {len(self._lines)} lines of the job's log are lost")

    def step(self, name: str) -> None:
        """A new step begins."""
        self._progress = Progress()
        self._observer.step(name)
        self._keep(f"step: {name}")

    def progress(self, progress: Progress) -> None:
        """The present step went on."""
        self._observer.progress(progress)

    def log(self, line: str) -> None:
        """One line of the log."""
        self._observer.log(line)
        self._keep(line)

    def update(self, **changes: Any) -> None:
        """Change some figures of the present progress; any thread may."""
        with self._lock:
            self._progress = replace(self._progress, **changes)
            progress = self._progress
        self._observer.progress(progress)

    def reader(self, hears: Callable[[str], None]) -> Callable[[str], None]:
        """A listener for a tool's lines that logs each and lets `hears` read progress from it."""

        def on_line(line: str) -> None:
            self.log(line)
            hears(line)

        return on_line

    def _keep(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)
            due = self._clock.monotonic() - self._flushed_at >= _FLUSH_SECONDS
            if due or len(self._lines) >= _FLUSH_LINES:
                self._flush()

    def _flush(self) -> bool:
        self._flushed_at = self._clock.monotonic()
        if not self._lines:
            return True
        try:
            self._catalog.append_log(self._kind, self._job_id, self._lines, self._clock.now())
        except CatalogError:
            return False
        self._lines = []
        return True
