"""Progress of a job: bars on a terminal, lines elsewhere, all of it on standard error."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

from pgproof.entrypoints.cli import text
from pgproof.services.ports import Clock, Observer, Progress

PAUSE = 10.0  # seconds between two lines about the same step


class Nobody:
    """Watches in silence; the job's log is in the catalog."""

    def step(self, name: str) -> None:
        """Nothing is shown."""

    def progress(self, progress: Progress) -> None:
        """Nothing is shown."""

    def log(self, line: str) -> None:
        """Nothing is shown."""


class Lines(Nobody):
    """A line per step, and while a step lasts one every ten seconds."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._step = ""
        self._last = clock.monotonic()

    def step(self, name: str) -> None:
        """Say that the step begins."""
        with self._lock:
            self._step = step_name(name)
            self._write(self._step)

    def progress(self, progress: Progress) -> None:
        """Say how far it is, unless something was said a moment ago."""
        with self._lock:
            if self._clock.monotonic() - self._last >= PAUSE:
                label = f"{self._step}: {progress.part}" if progress.part else self._step
                self._write(", ".join([label, *amounts(progress)]))

    def log(self, line: str) -> None:
        """Show warnings; the rest is in the job's log."""
        if is_warning(line):
            with self._lock:
                self._write(line)

    def _write(self, line: str) -> None:
        self._last = self._clock.monotonic()
        self._stream.write(line + "\n")
        self._stream.flush()


def nobody() -> AbstractContextManager[Observer]:
    """For machines."""
    return nullcontext(Nobody())


def lines(stream: TextIO, clock: Clock) -> AbstractContextManager[Observer]:
    """For log files and pipes."""
    return nullcontext(Lines(stream, clock))


def step_name(name: str) -> str:
    """A step as people read it."""
    return name.replace("_", " ") if name.isidentifier() else name


def is_warning(line: str) -> bool:
    """Whether people should see a line of the job's log at once."""
    return line.startswith("warning:")


def amounts(progress: Progress, *, short: bool = False, over: bool = False) -> Iterator[str]:
    """Bytes and tables as far as they are known; `short` is for little room, `over` when all is done."""
    if progress.bytes_done or progress.bytes_total is not None:
        yield _bytes(progress, " of ", " of about ") if not short else _bytes(progress, "/", "/~")
    if over and progress.tables_begun:
        yield text.count(progress.tables_begun, "table")
    elif progress.tables_begun:
        begun, total = progress.tables_begun, max(progress.tables_total or 0, progress.tables_begun)
        if progress.tables_total is None:
            yield f"table {begun:,}"
        else:
            yield f"table {begun}/{total}" if short else f"table {begun:,} of {total:,}"
    elif progress.tables_total is not None:
        yield text.count(progress.tables_total, "table")


def _bytes(progress: Progress, exact: str, estimated: str) -> str:
    done = text.size(progress.bytes_done)
    # An estimate that is passed already says nothing any more.
    if progress.bytes_total is None or (progress.estimated and progress.bytes_done > progress.bytes_total):
        return done
    total = text.size(progress.bytes_total)
    number, unit = done.split(" ", 1)
    same_unit = total.endswith(f" {unit}")
    return f"{number if same_unit else done}{estimated if progress.estimated else exact}{total}"
