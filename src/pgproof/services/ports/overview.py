"""What the catalog knows about everything at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class LastBackup:
    """The newest usable backup of a database. Bytes and seconds; `usual_*` is the median of up to five before it.

    Those before it are compared only if they were asked for alike.
    """

    id: int
    completed_at: datetime
    seconds: int | None = None
    size: int | None = None
    rows: int | None = None
    usual_size: float | None = None
    usual_rows: float | None = None


@dataclass(frozen=True)
class LastFailure:
    """A failure after which nothing of the kind has succeeded. `code` is the error's."""

    at: datetime
    code: str
    message: str
    subject_id: int | None = None


@dataclass(frozen=True)
class DatabaseState:
    """One database: how it stands. Times are ``None`` for what never was; bytes, seconds.

    `backups` and `size` are of the usable ones. `known_since` is when it was registered, ``None`` for one that is
    registered no more. `failures` counts the failed backups that are still listed, by code. `failing` has a failure
    for each kind of work (`backup`, `verify`, `restore_test`) whose last attempt failed. `proven_at` is when a
    restore test last passed, `test_seconds` what it took, `restore_seconds` what the last restore took.
    `unfinished_since` is when the oldest backup was asked for that somebody alive takes, or that is in line where jobs
    are taken; ``None`` without one.
    """

    name: str
    known_since: datetime | None
    backups: int = 0
    size: int = 0
    last: LastBackup | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[str, LastFailure] = field(default_factory=dict)
    proven_at: datetime | None = None
    test_seconds: float | None = None
    restored_at: datetime | None = None
    restore_seconds: float | None = None
    unfinished_since: datetime | None = None


@dataclass(frozen=True)
class QueueState:
    """Jobs by worker group and kind. `workers` is the number of those that gave a sign of life within a minute.

    `waiting_since` tells of each group since when the oldest of its jobs could have been taken.
    """

    waiting: Mapping[tuple[str, str], int]
    running: Mapping[tuple[str, str], int]
    waiting_since: Mapping[str, datetime]
    workers: int

    @property
    def oldest_waiting_at(self) -> datetime | None:
        """The same of all groups."""
        return min(self.waiting_since.values(), default=None)

    def untaken(self) -> Mapping[str, datetime]:
        """The same of the groups in which nothing runs."""
        busy = {group for group, _ in self.running}
        return {group: since for group, since in self.waiting_since.items() if group not in busy}


class OverviewRecords(Protocol):
    """A look at the whole catalog in few statements, fast with 100,000 backups. All raise `CatalogUnreachable`."""

    def database_states(self, now: datetime) -> Sequence[DatabaseState]:
        """Every database that is registered or has usable backups, by name.

        What is dated later than `now`, by more than clocks differ, is left out as what was last: a clock was ahead, and
        it would hide for as long that nothing comes any more.
        """

    def queue_state(self) -> QueueState:
        """What is queued and what runs."""

    def finished_jobs(self) -> Mapping[tuple[str, str, str], int]:
        """How many jobs have ended, by kind, status and code of the error, which is empty without one."""

    def failing_cleanup(self) -> LastFailure | None:
        """The last cleanup, if it failed."""
