"""A restore: its modes, its steps, and the databases that a swap makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pgproof.domain.archive import check_jobs
from pgproof.domain.backup import Backup
from pgproof.domain.errors import InvalidInput

# Beside the steps, in the timings of a restore: the seconds of a load whose jobs got into each other's way.
FAILED_LOAD = "failed_load"
_IDENTIFIER_BYTES = 63  # NAMEDATALEN - 1


class RestoreMode(StrEnum):
    """Where a restore puts what it brings back."""

    SWAP = "swap"
    IN_PLACE = "in_place"
    NEW_DATABASE = "new_database"


class RestoreStatus(StrEnum):
    """Where a restore stands. `undone` was swapped in and later swapped out again."""

    RUNNING = "running"
    COMPLETED = "completed"
    UNDOING = "undoing"
    FAILED = "failed"
    UNDONE = "undone"


class RestoreStep(StrEnum):
    """The steps of a restore, in their order; each is recorded before it starts.

    In place there is no shadow: `REPLACE` is the one transaction that drops, loads, compares and commits.
    """

    PREFLIGHT = "preflight"
    SAFETY_BACKUP = "safety_backup"
    CREATE_SHADOW = "create_shadow"
    LOAD = "load"
    REPLACE = "replace"
    ANALYZE = "analyze"
    COMPARE = "compare"
    PROPERTIES = "properties"
    SWAP = "swap"
    DONE = "done"
    UNDO = "undo"


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore. Making one checks every value; raises `InvalidInput`.

    `tables` are names as `pgproof show` prints them, `schemas` are plain names; both empty is everything.
    `drop_existing` false restores only where there is nothing to lose. `tablespace` puts everything into one.
    `role_map` gives what belonged or was granted to one role to another. `force` lets a dump of a newer server
    onto an older one. `autovacuum` false keeps it away from what is built until that is loaded.
    """

    mode: RestoreMode = RestoreMode.SWAP
    create_safety_backup: bool = True
    run_analyze: bool = True
    parallel_jobs: int = 2
    drop_existing: bool = True
    target_database: str | None = None
    tables: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    no_owner: bool = False
    no_acl: bool = False
    role_map: Mapping[str, str] = field(default_factory=dict)
    tablespace: str | None = None
    force: bool = False
    autovacuum: bool = True

    def __post_init__(self) -> None:
        check_jobs(self.parallel_jobs)
        if (self.target_database is None) == (self.mode is RestoreMode.NEW_DATABASE):
            raise InvalidInput(
                "a new database needs a name, and no other mode takes one",
                hint="Use --mode new-database --to NAME together.",
            )
        if self.selective and self.mode is RestoreMode.SWAP:
            raise InvalidInput(
                "chosen tables cannot be swapped in: the swap would leave all others behind",
                hint="Use --mode new-database --to NAME, or --mode in-place to replace just them.",
            )

        if not self.autovacuum and self.mode is RestoreMode.IN_PLACE:
            raise InvalidInput(
                "in place there is nothing to keep autovacuum away from: it leaves tables alone that are not committed",
                hint="Leave out --no-autovacuum.",
            )

    @property
    def selective(self) -> bool:
        """Whether only a part of the backup is wanted."""
        return bool(self.tables or self.schemas)


@dataclass(frozen=True)
class Restore:
    """A row of the catalog's `restore_jobs`. `timings` are seconds by step.

    `database` is the registered name, `dbname` the live database's; `previous_database` is ``None`` where
    there was none to keep. `live_oid` and `shadow_oid` tell those databases from any other that gets their
    names: in a swap names pass on, OIDs stay. `transaction` is the number of the one that replaced contents in place.
    `system_identifier` is the server's on which all that is; ``None`` before it is known, and on old rows.
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
    transaction: str | None = None
    live_oid: int | None = None
    shadow_oid: int | None = None
    system_identifier: str | None = None
    error_message: str | None = None
    error_details: Mapping[str, Any] = field(default_factory=dict)
    databases_dropped_at: datetime | None = None

    def can_be_judged_by(self, system_identifier: str) -> bool:
        """Whether a server at another address may be asked what became of it: the same one, or its promoted standby.

        A copy has the same identifier, but gives the numbers of its transactions anew.
        """
        return self.system_identifier == system_identifier and self.transaction is None

    @property
    def kept_database(self) -> str | None:
        """The database that is still kept beside the live one: for an undo, or what an undo swapped out."""
        if self.databases_dropped_at is not None:
            return None
        kept = {RestoreStatus.COMPLETED: self.previous_database, RestoreStatus.UNDONE: self.shadow_database}
        return kept.get(self.status)


def shadow_name(database: str, restore_id: int) -> str:
    """The database that a swap builds beside the live one."""
    return _with_suffix(database, f"__pgproof_shadow_{restore_id}")


def previous_name(database: str, restore_id: int) -> str:
    """The name under which a swap keeps what it replaced."""
    return _with_suffix(database, f"__pgproof_previous_{restore_id}")


def _with_suffix(database: str, suffix: str) -> str:
    room = _IDENTIFIER_BYTES - len(suffix.encode())
    return database.encode()[:room].decode(errors="ignore") + suffix


def new_restore(number: int, backup: Backup, dbname: str, options: RestoreOptions, now: datetime) -> Restore:
    """A restore as it begins, with the number that the catalog gives it. Only a swap keeps a previous database."""
    return Restore(
        id=number,
        backup_id=backup.id,
        database=backup.database,
        options=options,
        status=RestoreStatus.RUNNING,
        step=RestoreStep.PREFLIGHT,
        created_at=now,
        dbname=dbname,
        shadow_database=shadow_name(dbname, number),
        previous_database=previous_name(dbname, number) if options.mode is RestoreMode.SWAP else None,
        started_at=now,
    )
