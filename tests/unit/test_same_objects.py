"""The command line's `--json` and the API show the same objects, field by field."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from pgproof.domain.backup import BackupStatus
from pgproof.domain.fingerprint import Difference
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    Verdict,
)
from pgproof.entrypoints.cli import restore_test_views, views
from pgproof.entrypoints.http.schemas import backups, manifests, restores
from pgproof.services.ports import BackupStats
from tests.command_line import MANIFEST
from tests.some_backups import a_backup

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
BACKUP = a_backup(17, AT, completed_at=AT, duration_seconds=75, verified_at=AT, status=BackupStatus.RESTORED)
RESTORE = Restore(
    id=3,
    backup_id=17,
    database="shop",
    options=RestoreOptions(RestoreMode.NEW_DATABASE, target_database="copy", tables=("public.a",), role_map={"a": "b"}),
    status=RestoreStatus.COMPLETED,
    step=RestoreStep.DONE,
    created_at=AT,
    dbname="copy",
    shadow_database="s",
    previous_database=None,
    duration_seconds=2.5,
    timings={"load": 2.0},
)
TEST = RestoreTest(
    id=5,
    backup_id=17,
    database="shop",
    status=RestoreTestStatus.COMPLETED,
    step=RestoreTestStep.DONE,
    started_at=AT,
    completed_at=AT,
    verdict=Verdict(
        RestoreTestOutcome.FAILED,
        differences=(Difference("table", "public.a", "7 rows", None),),
        compared={"tables": 3},
        remarks=("a remark",),
    ),
)


def same(value: Any) -> Any:
    """Times as moments: the command line writes +00:00 where the API writes Z."""
    match value:
        case dict():
            return {key: same(inner) for key, inner in value.items()}
        case list():
            return [same(inner) for inner in value]
        case str() if value[:4].isdigit() and "T" in value:
            return datetime.fromisoformat(value)
    return value


def over_http(model: BaseModel) -> Any:
    return same(model.model_dump(mode="json"))


@pytest.mark.parametrize("backup", [BACKUP, replace(BACKUP, file_size=None, completed_at=None, verified_at=None)])
def test_backups_are_the_same(backup: Any) -> None:
    assert over_http(backups.backup_row(backup)) == same(views.backup_row(backup))
    shown = same(views.backup_whole(backup, None, []))
    for name in ("manifest", "restores"):  # which the API has addresses of their own for
        del shown[name]
    details = over_http(backups.backup_details(backup))
    assert details.pop("fingerprint") == "counts"  # the command line shows the manifest's
    assert details == shown


def test_manifests_are_the_same() -> None:
    shown = same(views.backup_whole(BACKUP, MANIFEST, []))["manifest"]
    assert over_http(manifests.manifest_view(MANIFEST)) == shown


def test_restores_are_the_same() -> None:
    assert over_http(restores.restore_row(RESTORE)) == same(views.restore_row(RESTORE))


@pytest.mark.parametrize("test", [TEST, replace(TEST, verdict=None, completed_at=None)])
def test_restore_tests_are_the_same(test: RestoreTest) -> None:
    assert over_http(restores.restore_test_row(test)) == same(restore_test_views.row(test))


def test_totals_are_the_same() -> None:
    found = BackupStats(5, 3, 1_234_567_890, AT)
    assert over_http(backups.stats(found, 7, "/b")) == same(views.stats(found, 7, "/b"))
