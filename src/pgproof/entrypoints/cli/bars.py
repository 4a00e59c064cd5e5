"""Progress bars on a terminal: one per step, and none that claims more than is known."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from pgproof.entrypoints.cli.progress import amounts, is_warning, step_name
from pgproof.services.ports import Observer, Progress

_WIDE = 76  # columns of a terminal from which on there is room for the bar itself
_EARLY = 50  # before one part of so many is done, nobody can say how long the rest takes
_MINUTE = 60
_HOUR = 3600


class _Time(ProgressColumn):
    """The time left where the bytes to come are known or estimated, else the time that has passed."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """The text for one bar."""
        if task.finished or not task.fields["timed"]:
            passed = task.finished_time if task.finished else task.elapsed
            return Text(_clock(passed or 0))
        left = task.time_remaining
        return Text("" if left is None else f"{task.fields['about']}{_clock(left)} left")


class BarPerStep:
    """One bar per step: what, how much, which table, time left."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._task: TaskID | None = None
        self._step = ""
        self._last = Progress()

    def step(self, name: str) -> None:
        """Complete the bar so far and begin one."""
        with self._lock:
            self.finish()
            self._step = step_name(name)
            self._begin(self._step, Progress())

    def progress(self, progress: Progress) -> None:
        """Move the present bar; a part of a step has one of its own."""
        with self._lock:
            if self._task is None:
                return
            if progress.part != self._last.part:
                if self._last == Progress():
                    self._bars.remove_task(self._task)
                else:
                    self.finish()
                self._begin(progress.part or self._step, progress)
            self._last = progress
            self._show(progress)

    def log(self, line: str) -> None:
        """Show warnings above the bars; the rest is in the job's log."""
        if is_warning(line):
            self._bars.console.print(line, markup=False, highlight=False)

    def finish(self) -> None:
        """The present step is over: what was begun is done, and no total is a guess any more."""
        if self._task is not None:
            done = replace(self._last, bytes_total=None, tables_total=None)
            shown = ", ".join(amounts(done, over=True))
            self._bars.update(self._task, total=1, completed=1, amounts=shown)

    def _begin(self, label: str, progress: Progress) -> None:
        self._last = progress
        self._task = self._bars.add_task(label, total=None, amounts="", timed=False, about="")

    def _show(self, progress: Progress) -> None:
        if self._task is None:
            return
        done, total = progress.bytes_done, progress.bytes_total
        timed = total is not None and total <= done * _EARLY and (done <= total or not progress.estimated)
        if total is None:
            done, total = progress.tables_begun, progress.tables_total
        self._bars.update(
            self._task,
            completed=done,
            # A step is over when the next one begins, not when an estimate is reached.
            total=None if total is None else max(done + 1, total),
            amounts=", ".join(amounts(progress, short=True)),
            timed=timed,
            about="~" if progress.estimated else "",
        )


def layout(console: Console, clock: Callable[[], float] | None = None) -> Bars:
    """Empty bars that fit the terminal; `clock` (seconds) is for tests."""
    narrow = console.width < _WIDE
    width = 13 if narrow else 17
    columns = [
        TextColumn("{task.description}", markup=False, table_column=Column(width=width, no_wrap=True)),
        *([] if narrow else [BarColumn(bar_width=10)]),
        TextColumn("{task.fields[amounts]}", markup=False, table_column=Column(no_wrap=True)),
        _Time(),
    ]
    return Bars(*columns, console=console, get_time=clock)


@contextmanager
def bars(stream: TextIO) -> Iterator[Observer]:
    """For a terminal."""
    with layout(Console(file=stream)) as shown:
        observer = BarPerStep(shown)
        yield observer
        observer.finish()


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours = f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}" if whole >= _HOUR else f"{whole // _MINUTE}"
    return f"{hours}:{whole % _MINUTE:02}"
