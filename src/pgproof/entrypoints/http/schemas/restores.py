"""Restores and restore tests as the API shows them, and what a request for a restore may say."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus, RestoreStep
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    Verdict,
)
from pgproof.entrypoints.http.fields import Cursor, Identifier, Limit, Name, Number, OfDatabase, Request, Truth

_Names = Annotated[list[Name], Field(max_length=1000)]


class CreateRestore(Request):
    """How to restore; every field may be left out. Without any, a safety backup is taken and the backup swapped in."""

    create_safety_backup: Truth = Field(default=True, description="Back up first what is to be replaced.")
    drop_existing: Truth = Field(default=True, description="False restores only where there is nothing to lose.")
    run_analyze: Truth = Field(default=True, description="Collect statistics before it goes live.")
    mode: RestoreMode = Field(
        default=RestoreMode.SWAP,
        description="`swap` builds beside the live database and renames, `in_place` replaces in one transaction, "
        "`new_database` leaves the live one alone.",
    )
    target_database: Name | None = Field(default=None, description="With `new_database`: its name.")
    tables: _Names = Field(default=[], description="Only these, such as `public.orders`; not with `swap`.")
    schemas: _Names = Field(default=[], description="Only the tables of these schemas; not with `swap`.")
    role_map: Annotated[dict[Name, Name], Field(max_length=1000)] = Field(
        default={},
        description="What belongs or is granted to one role is given to another.",
        examples=[{"app": "app_test"}],
    )
    no_owner: Truth = Field(default=False, description="All belongs to the role that restores.")
    no_acl: Truth = Field(default=False, description="Nothing is granted.")
    parallel_jobs: Annotated[Number, Field(ge=1, le=64)] | None = Field(
        default=None, description="Processes that load at once; else as many as the settings say."
    )
    tablespace: Name | None = Field(default=None, description="Where the database is to lie; else where it lay.")
    force: Truth = Field(default=False, description="Also onto an older server than the backup's.")


class RestoreRow(BaseModel):
    """A restore. `timings` are seconds by step; `analyzed` whether statistics were asked for."""

    restore_id: int
    backup_id: int
    database: str
    dbname: str
    mode: RestoreMode
    target_database: str | None
    tables: list[str]
    schemas: list[str]
    no_owner: bool
    no_acl: bool
    role_map: dict[str, str]
    success: bool
    status: RestoreStatus
    step: RestoreStep
    created_at: datetime
    completed_at: datetime | None
    duration_seconds: float | None
    safety_backup_id: int | None
    analyzed: bool
    timings: dict[str, float]
    previous_database: str | None
    kept_database: str | None
    undo_until: datetime | None
    databases_dropped_at: datetime | None
    error_message: str | None


class RestoreQuery(Request):
    """Which restores to list, newest first."""

    limit: Limit = 50
    database: OfDatabase = None
    cursor: Cursor = None


class RestoreList(BaseModel):
    """A page of restores."""

    restores: list[RestoreRow]
    next_cursor: str | None


class RestoreTestQuery(Request):
    """Which restore tests to list, newest first."""

    limit: Limit = 50
    backup_id: Identifier | None = Field(default=None, description="Only those of this backup.")
    cursor: Cursor = None


class FoundDifference(BaseModel):
    """One thing that came back otherwise than it was."""

    kind: str
    name: str
    expected: str | None
    actual: str | None


class RestoreTestRow(BaseModel):
    """A restore test. `outcome` speaks of the backup, `status` of the work."""

    restore_test_id: int
    backup_id: int
    database: str
    success: bool
    status: RestoreTestStatus
    outcome: RestoreTestOutcome | None
    step: RestoreTestStep
    started_at: datetime
    completed_at: datetime | None
    duration_seconds: float | None
    server: str | None
    timings: dict[str, float]
    compared: dict[str, int]
    differences: list[FoundDifference]
    missing: list[str]
    remarks: list[str]
    error_message: str | None
    error_details: dict[str, Any]


class RestoreTestList(BaseModel):
    """A page of restore tests."""

    restore_tests: list[RestoreTestRow]
    next_cursor: str | None


def restore_row(restore: Restore) -> RestoreRow:
    """A restore, as its answer and as an element of lists."""
    options = restore.options
    return RestoreRow(
        restore_id=restore.id,
        backup_id=restore.backup_id,
        database=restore.database,
        dbname=restore.dbname,
        mode=options.mode,
        target_database=options.target_database,
        tables=list(options.tables),
        schemas=list(options.schemas),
        no_owner=options.no_owner,
        no_acl=options.no_acl,
        role_map=dict(options.role_map),
        success=restore.status is RestoreStatus.COMPLETED,
        status=restore.status,
        step=restore.step,
        created_at=restore.created_at,
        completed_at=restore.completed_at,
        duration_seconds=restore.duration_seconds,
        safety_backup_id=restore.safety_backup_id,
        analyzed=options.run_analyze,
        timings=dict(restore.timings),
        previous_database=restore.previous_database,
        kept_database=restore.kept_database,
        undo_until=restore.undo_until,
        databases_dropped_at=restore.databases_dropped_at,
        error_message=restore.error_message,
    )


def restore_test_row(test: RestoreTest) -> RestoreTestRow:
    """A restore test, as its answer and as an element of lists."""
    verdict = test.verdict or Verdict(RestoreTestOutcome.NOT_TESTABLE)
    errors = test.verdict or test
    return RestoreTestRow(
        restore_test_id=test.id,
        backup_id=test.backup_id,
        database=test.database,
        success=test.outcome is RestoreTestOutcome.PASSED,
        status=test.status,
        outcome=test.outcome,
        step=test.step,
        started_at=test.started_at,
        completed_at=test.completed_at,
        duration_seconds=test.duration_seconds,
        server=test.server,
        timings=dict(test.timings),
        compared=dict(verdict.compared),
        differences=[FoundDifference(**asdict(one)) for one in verdict.differences],
        missing=list(verdict.missing),
        remarks=list(verdict.remarks),
        error_message=errors.error_message,
        error_details=dict(errors.error_details),
    )
