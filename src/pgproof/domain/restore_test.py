"""A restore test: a backup restored where nobody uses it, and compared with what was there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pgproof.domain.backup import Backup
from pgproof.domain.fingerprint import Difference


class RestoreTestStatus(StrEnum):
    """How the work on a test ended. `failed` and `cancelled` say nothing about the backup: see the outcome."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RestoreTestOutcome(StrEnum):
    """What a completed test says about the backup; `not_testable` is neither for nor against it."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTABLE = "not_testable"


class RestoreTestStep(StrEnum):
    """The steps of a test, in their order; each is recorded before it starts."""

    PREFLIGHT = "preflight"
    START_SERVER = "start_server"
    CREATE_DATABASE = "create_database"
    UNPACK = "unpack"
    LOAD = "load"
    COMPARE_CONTENTS = "compare_contents"
    COMPARE_DEFINITIONS = "compare_definitions"
    CLEAN_UP = "clean_up"
    DONE = "done"


@dataclass(frozen=True)
class Verdict:
    """What a test found.

    `missing` is what this place lacks to test the backup at all. `compared` counts what was held against the
    backup's record, by kind; `remarks` tell what was not. `error` is what ended a load, as the catalog keeps it.
    """

    outcome: RestoreTestOutcome
    differences: tuple[Difference, ...] = ()
    missing: tuple[str, ...] = ()
    compared: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    error_message: str | None = None
    error_details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RestoreTest:
    """A row of the catalog's `restore_tests`. `timings` are seconds by step; `verdict` is there once completed.

    `server` says where it was tested. `database_name` and `database_oid` are of the database that it made on a
    server which somebody else uses too, the one with `system_identifier`; ``None`` on one of our own.
    """

    id: int
    backup_id: int
    database: str
    status: RestoreTestStatus
    step: RestoreTestStep
    started_at: datetime
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    server: str | None = None
    system_identifier: str | None = None
    database_name: str | None = None
    database_oid: int | None = None
    verdict: Verdict | None = None
    error_message: str | None = None
    error_details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> RestoreTestOutcome | None:
        """What it says about the backup; ``None`` as long as it says nothing."""
        return None if self.verdict is None else self.verdict.outcome


def proven(backup: Backup, verdict: Verdict, now: datetime) -> datetime | None:
    """Since when a backup counts as proven after a test: one that failed takes away what an earlier one gave."""
    changed = {RestoreTestOutcome.PASSED: now, RestoreTestOutcome.FAILED: None}
    return changed.get(verdict.outcome, backup.proven_at)


def scratch_name(test_id: int, installation: str) -> str:
    """The database of a test on a server that others use too; other installations give other names."""
    return f"pgproof_restore_test_{test_id}_{installation.replace('-', '')[:12]}"
