"""Time, progress, and what a process can own."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class Clock(Protocol):
    """Time, so that no decision reads it behind a test's back."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""


@dataclass(frozen=True)
class Progress:
    """How far a step is; ``None`` is unknown.

    `tables_begun` counts the tables that a tool has taken up, those that it works on included. `estimated` says
    that `bytes_total` is a guess. `part` names a part of the step that has figures of its own, such as "unpack".
    """

    bytes_done: int = 0
    bytes_total: int | None = None
    tables_begun: int = 0
    tables_total: int | None = None
    estimated: bool = False
    part: str = ""


class Observer(Protocol):
    """Who watches a job: a terminal, the catalog, a test. It must not raise; any thread may call it."""

    def step(self, name: str) -> None:
        """A new step begins."""

    def progress(self, progress: Progress) -> None:
        """The present step went on."""

    def log(self, line: str) -> None:
        """One line for the job's log, without secrets."""


class Lock(Enum):
    """What a process can own while it works on it."""

    BACKUP = 1
    RESTORE = 2
    DATABASE = 3
    RESTORE_TEST = 4
    JOB = 5
