"""Between the catalog's rows of restore tests and the domain's values."""

from typing import Any

from pgproof.adapters.catalog.models import RestoreTestRow
from pgproof.adapters.catalog.rows import clean
from pgproof.domain.fingerprint import Difference
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    Verdict,
)


def restore_test_values(test: RestoreTest) -> dict[str, Any]:
    """Every column of a restore test but its id."""
    verdict = test.verdict
    errors = test if verdict is None else verdict
    differences = () if verdict is None else verdict.differences
    values: dict[str, Any] = clean(
        {
            "backup_id": test.backup_id,
            "database": test.database,
            "status": test.status.value,
            "step": test.step.value,
            "outcome": None if verdict is None else verdict.outcome.value,
            "started_at": test.started_at,
            "completed_at": test.completed_at,
            "duration_seconds": test.duration_seconds,
            "timings": test.timings,
            "server": test.server,
            "system_identifier": test.system_identifier,
            "database_name": test.database_name,
            "database_oid": test.database_oid,
            "differences": [[one.kind, one.name, one.expected, one.actual] for one in differences],
            "missing": [] if verdict is None else list(verdict.missing),
            "compared": {} if verdict is None else verdict.compared,
            "remarks": [] if verdict is None else list(verdict.remarks),
            "error_message": errors.error_message,
            "error_details": errors.error_details,
        }
    )
    return values


def to_restore_test(row: RestoreTestRow) -> RestoreTest:
    """A restore test."""
    verdict = _verdict(row)
    return RestoreTest(
        id=row.id,
        backup_id=row.backup_id,
        database=row.database,
        status=RestoreTestStatus(row.status),
        step=RestoreTestStep(row.step),
        started_at=row.started_at,
        completed_at=row.completed_at,
        duration_seconds=row.duration_seconds,
        timings=row.timings,
        server=row.server,
        system_identifier=row.system_identifier,
        database_name=row.database_name,
        database_oid=row.database_oid,
        verdict=verdict,
        error_message=row.error_message if verdict is None else None,
        error_details=row.error_details if verdict is None else {},
    )


def _verdict(row: RestoreTestRow) -> Verdict | None:
    if row.outcome is None:
        return None
    return Verdict(
        outcome=RestoreTestOutcome(row.outcome),
        differences=tuple(Difference(*one) for one in row.differences),
        missing=tuple(row.missing),
        compared=row.compared,
        remarks=tuple(row.remarks),
        error_message=row.error_message,
        error_details=row.error_details,
    )
