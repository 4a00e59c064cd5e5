"""A restore: its modes, its steps, and the databases that a swap makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pgproof.domain.archive import check_jobs

_IDENTIFIER_BYTES = 63  # NAMEDATALEN - 1


class RestoreMode(StrEnum):
    """Where a restore puts what it brings back."""

    SWAP = "swap"


class RestoreStatus(StrEnum):
    """Where a restore stands. `undone` was swapped in and later swapped out again."""

    RUNNING = "running"
    COMPLETED = "completed"
    UNDOING = "undoing"
    FAILED = "failed"
    UNDONE = "undone"


class RestoreStep(StrEnum):
    """The steps of a swap, in their order; each is recorded before it starts."""

    PREFLIGHT = "preflight"
    SAFETY_BACKUP = "safety_backup"
    CREATE_SHADOW = "create_shadow"
    LOAD = "load"
    ANALYZE = "analyze"
    COMPARE = "compare"
    PROPERTIES = "properties"
    SWAP = "swap"
    DONE = "done"
    UNDO = "undo"


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore. Making one checks every value; raises `InvalidInput`."""

    mode: RestoreMode = RestoreMode.SWAP
    create_safety_backup: bool = True
    run_analyze: bool = True
    parallel_jobs: int = 2

    def __post_init__(self) -> None:
        check_jobs(self.parallel_jobs)


@dataclass(frozen=True)
class Restore:
    """A row of the catalog's `restore_jobs`. `timings` are seconds by step.

    `database` is the registered name, `dbname` the live database's; `previous_database` is ``None`` where
    there was none to keep.
    """

    id: int
    backup_id: int
    database: str
    options: RestoreOptions
    status: RestoreStatus
    step: RestoreStep
    created_at: datetime
    dbname: str
    shadow_database: str
    previous_database: str | None
    safety_backup_id: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    undo_until: datetime | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    error_message: str | None = None
    error_details: Mapping[str, Any] = field(default_factory=dict)


def shadow_name(database: str, restore_id: int) -> str:
    """The database that a swap builds beside the live one."""
    return _with_suffix(database, f"__pgproof_shadow_{restore_id}")


def previous_name(database: str, restore_id: int) -> str:
    """The name under which a swap keeps what it replaced."""
    return _with_suffix(database, f"__pgproof_previous_{restore_id}")


def _with_suffix(database: str, suffix: str) -> str:
    room = _IDENTIFIER_BYTES - len(suffix.encode())
    return database.encode()[:room].decode(errors="ignore") + suffix
