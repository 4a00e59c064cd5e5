"""A cleanup as the API shows it: every decision with its reason, and what was removed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from pgproof.domain.backup import BackupStatus
from pgproof.domain.retention import Action, Decision, Reason
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.entrypoints.http.fields import Request, UrlTruth
from pgproof.services.expiry import CleanupPlan
from pgproof.services.orphans import StoredFolder
from pgproof.services.undo_window import KeptDatabase


class CleanupQuery(Request):
    """How to clean up."""

    dry_run: UrlTruth = Field(default=False, description="Decide about everything and change nothing.")
    force: UrlTruth = Field(default=False, description="Go ahead even if more would go than may at once.")


class CleanupAnswer(BaseModel):
    """A cleanup that was asked for. `result` is there when it is done."""

    message: str
    retention_days: int
    job_id: int
    result: dict[str, Any] | None = None


class DecisionView(BaseModel):
    """What becomes of a backup, and why."""

    id: int
    database: str
    status: BackupStatus
    taken_at: datetime
    file_size: int | None
    action: Action
    reasons: list[Reason]
    reason: str


class KeptDatabaseView(BaseModel):
    """What becomes of a database that is kept for an undo."""

    restore_id: int
    database: str
    name: str
    undo_until: datetime
    action: Literal["drop", "keep"]
    reason: str


class FolderView(BaseModel):
    """A folder that no backup of the catalog knows; `size` in bytes."""

    folder: str
    taken_at: datetime
    objects: int
    size: int


class TooMuchView(BaseModel):
    """Where a cleanup would remove more than it may at once; `database` is null for all together."""

    database: str | None
    removed: int
    usable: int


class CleanupPlanView(BaseModel):
    """What a cleanup would do now."""

    message: str
    retention_days: int
    policy: str
    dry_run: Literal[True] = True
    decisions: list[DecisionView]
    databases: list[KeptDatabaseView]
    orphans: list[FolderView]
    importable: list[FolderView]
    claimed: list[FolderView]
    too_much: list[TooMuchView]


def cleanup_plan(plan: CleanupPlan, policy: RetentionPolicy, retention_days: int) -> CleanupPlanView:
    """Everything about a cleanup that has not been done."""
    decisions = [decision for decided in plan.decisions.values() for decision in decided]
    count = len(plan.removals)
    return CleanupPlanView(
        message=f"{count} {'backup' if count == 1 else 'backups'} would be removed, and nothing was",
        retention_days=retention_days,
        policy=str(policy),
        decisions=[_decision(decision) for decision in decisions],
        databases=[_kept(kept) for kept in plan.kept_databases],
        orphans=_folders(plan.orphans.removable),
        importable=_folders(plan.orphans.importable),
        claimed=_folders(plan.orphans.claimed),
        too_much=[TooMuchView(database=one.database, removed=one.removed, usable=one.usable) for one in plan.too_much],
    )


def _decision(decision: Decision) -> DecisionView:
    backup = decision.backup
    return DecisionView(
        id=backup.id,
        database=backup.database,
        status=backup.status,
        taken_at=backup.taken_at,
        file_size=backup.file_size,
        action=decision.action,
        reasons=[one.reason for one in decision.because],
        reason=str(decision),
    )


def _kept(kept: KeptDatabase) -> KeptDatabaseView:
    return KeptDatabaseView(
        restore_id=kept.restore.id,
        database=kept.restore.database,
        name=kept.name,
        undo_until=kept.until,
        action="drop" if kept.due else "keep",
        reason=kept.reason,
    )


def _folders(found: Sequence[StoredFolder]) -> list[FolderView]:
    return [FolderView(folder=one.folder, taken_at=one.taken_at, objects=one.objects, size=one.size) for one in found]
