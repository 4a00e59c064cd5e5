"""Progress of a job: bars on a terminal, lines elsewhere, all of it on standard error."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TextIO

from pgproof.entrypoints.cli import text
from pgproof.services.ports import Clock, Observer, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PAUSE = 10.0  # seconds between two lines about the same step


class Nobody:
    """Watches in silence; the job's log is in the catalog."""

    def step(self, name: str) -> None:
        """Nothing is shown."""

    def progress(self, progress: Progress) -> None:
        """Nothing is shown."""

    def log(self, line: str) -> None:
        """Nothing is shown."""


def _is_warning(line: str) -> bool:
    return line.startswith("warning:")


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
                self._write(", ".join([self._step, *_amounts(progress)]))

    def log(self, line: str) -> None:
        """Show warnings; the rest is in the job's log."""
        if _is_warning(line):
            with self._lock:
                self._write(line)

    def _write(self, line: str) -> None:
        self._last = self._clock.monotonic()
        self._stream.write(line + "\n")
        self._stream.flush()


class BarPerStep(Nobody):
    """One bar per step: what, how much, how many tables, time left."""

    def __init__(self, bars: "Bars") -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._task: TaskID | None = None

    def step(self, name: str) -> None:
        """Complete the bar so far and begin one."""
        with self._lock:
            self.finish()
            self._task = self._bars.add_task(step_name(name), total=None, amounts="", label="left")

    def progress(self, progress: Progress) -> None:
        """Move the present bar."""
        with self._lock:
            if self._task is None:
                return
            done, total = progress.bytes_done, progress.bytes_total
            if total is None:
                done, total = progress.tables_done, progress.tables_total
            self._bars.update(
                self._task,
                completed=done,
                total=None if total is None else max(done, total),
                amounts=", ".join(_amounts(progress)),
            )

    def log(self, line: str) -> None:
        """Show warnings above the bars; the rest is in the job's log."""
        if _is_warning(line):
            self._bars.console.print(line, markup=False, highlight=False)

    def finish(self) -> None:
        """The present step is over."""
        if self._task is not None:
            completed = max(1.0, self._bars.tasks[self._task].completed)
            self._bars.update(self._task, total=completed, completed=completed, label="")


def nobody() -> AbstractContextManager[Observer]:
    """For machines."""
    return nullcontext(Nobody())


def lines(stream: TextIO, clock: Clock) -> AbstractContextManager[Observer]:
    """For log files and pipes."""
    return nullcontext(Lines(stream, clock))


@contextmanager
def bars(stream: TextIO) -> Iterator[Observer]:
    """For a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (  # fits 80 characters
        TextColumn("{task.description:<16}", markup=False),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[amounts]}", markup=False),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[label]}", markup=False),
    )
    with Bars(*columns, console=Console(file=stream)) as shown:
        observer = BarPerStep(shown)
        yield observer
        observer.finish()


def step_name(name: str) -> str:
    """A step as people read it."""
    return name.replace("_", " ") if name.isidentifier() else name


def _amounts(progress: Progress) -> Iterator[str]:
    if progress.bytes_done or progress.bytes_total is not None:
        yield _of(
            text.size(progress.bytes_done), None if progress.bytes_total is None else text.size(progress.bytes_total)
        )
    if progress.tables_done or progress.tables_total is not None:
        yield (
            _of(str(progress.tables_done), None if progress.tables_total is None else str(progress.tables_total))
            + " tables"
        )


def _of(done: str, total: str | None) -> str:
    return done if total is None else f"{done} of {total}"
