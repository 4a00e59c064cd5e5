"""Restore tests as the JSON objects of the API."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pgproof.domain.restore_test import RestoreTest, RestoreTestOutcome, Verdict


def row(test: RestoreTest) -> dict[str, Any]:
    """A restore test, as its answer and as an element of lists."""
    verdict = test.verdict
    errors = verdict or test
    return {
        "restore_test_id": test.id,
        "backup_id": test.backup_id,
        "database": test.database,
        "success": test.outcome is RestoreTestOutcome.PASSED,
        "status": test.status.value,
        "outcome": None if test.outcome is None else test.outcome.value,
        "step": test.step.value,
        "started_at": _time(test.started_at),
        "completed_at": _time(test.completed_at),
        "duration_seconds": test.duration_seconds,
        "server": test.server,
        "timings": dict(test.timings),
        **_found(verdict),
        "error_message": errors.error_message,
        "error_details": dict(errors.error_details),
    }


def _found(verdict: Verdict | None) -> dict[str, Any]:
    verdict = verdict or Verdict(RestoreTestOutcome.NOT_TESTABLE)
    return {
        "compared": dict(verdict.compared),
        "differences": [asdict(one) for one in verdict.differences],
        "missing": list(verdict.missing),
        "remarks": list(verdict.remarks),
    }


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat()
