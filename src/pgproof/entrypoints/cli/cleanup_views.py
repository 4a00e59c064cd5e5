"""A cleanup's plan and result as the JSON objects of the API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pgproof.domain.retention import Decision
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.services.expiry import CleanupPlan, Sweep
from pgproof.services.orphans import StoredFolder
from pgproof.services.undo_window import KeptDatabase


def cleanup(plan: CleanupPlan, done: Sweep | None, policy: RetentionPolicy, message: str) -> dict[str, Any]:
    """Everything about a cleanup; `result` is null after a dry run. Sizes are bytes."""
    decisions = [decision for decided in plan.decisions.values() for decision in decided]
    return {
        "message": message,
        "retention_days": policy.keep_days,
        "policy": str(policy),
        "dry_run": done is None,
        "decisions": [_decision(decision) for decision in decisions],
        "databases": [_kept(kept) for kept in plan.kept_databases],
        "orphans": _folders(plan.orphans.removable),
        "importable": _folders(plan.orphans.importable),
        "claimed": _folders(plan.orphans.claimed),
        "too_much": [{"database": one.database, "removed": one.removed, "usable": one.usable} for one in plan.too_much],
        "result": None if done is None else _result(done),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    backup = decision.backup
    return {
        "id": backup.id,
        "database": backup.database,
        "status": backup.status.value,
        "taken_at": _time(backup.taken_at),
        "file_size": backup.file_size,
        "action": decision.action.value,
        "reasons": [one.reason.value for one in decision.because],
        "reason": str(decision),
    }


def _kept(kept: KeptDatabase) -> dict[str, Any]:
    return {
        "restore_id": kept.restore.id,
        "database": kept.restore.database,
        "name": kept.name,
        "undo_until": _time(kept.until),
        "action": "drop" if kept.due else "keep",
        "reason": kept.reason,
    }


def _folders(found: Sequence[StoredFolder]) -> list[dict[str, Any]]:
    return [
        {"folder": one.folder, "taken_at": _time(one.taken_at), "objects": one.objects, "size": one.size}
        for one in found
    ]


def _result(done: Sweep) -> dict[str, Any]:
    return {
        "expired": [backup.id for backup in done.expired],
        "forgotten": [backup.id for backup in done.forgotten],
        "dropped": [kept.name for kept in done.dropped],
        "removed": [found.folder for found in done.removed],
        "left_alone": list(done.left_alone),
        "failures": [
            {"what": one.what, "code": one.error.code, "detail": one.error.detail, "hint": one.error.hint}
            for one in done.failures
        ],
        "freed_bytes": done.freed,
    }


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat()
