"""A job's log: to whoever watches, and into the catalog."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pgproof.services.log_writer import LogWriter
from pgproof.services.ports import Catalog, Clock, Lock, Observer, Progress


class JobLog:
    """An `Observer` that passes everything on and keeps the lines in the catalog.

    A catalog that is away for a while neither ends a job nor slows it down: the lines wait. What still waits
    when the job ends and cannot be written is told to the observer.
    """

    def __init__(self, catalog: Catalog, clock: Clock, kind: Lock, job_id: int, observer: Observer) -> None:
        self._catalog = catalog
        self._clock = clock
        self._kind = kind
        self._job_id = job_id
        self._observer = observer
        self._lock = threading.Lock()
        self._progress = Progress()
        self._writer = LogWriter(self._store)

    def __enter__(self) -> "JobLog":
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        lost, failure = self._writer.finish()
        if failure is not None:
            self._observer.log(f"{lost} lines of the job's log are lost: {failure.detail}")

    def step(self, name: str) -> None:
        """A new step begins."""
        self._progress = Progress()
        self._observer.step(name)
        self._writer.add(f"step: {name}")

    def progress(self, progress: Progress) -> None:
        """The present step went on."""
        self._observer.progress(progress)

    def log(self, line: str) -> None:
        """One line of the log."""
        self._observer.log(line)
        self._writer.add(line)

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

    def _store(self, lines: Sequence[str]) -> None:
        self._catalog.append_log(self._kind, self._job_id, lines, self._clock.now())
