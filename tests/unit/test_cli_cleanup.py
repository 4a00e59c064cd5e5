"""`pgproof cleanup`: what it shows, what it asks, how it ends."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger, tombstone
from pgproof.domain.restore import RestoreOptions, RestoreStatus
from tests.command_line import NOW, CommandLine

DAY = timedelta(days=1)
S = BackupStatus


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield CommandLine(tmp_path, {"BACKUP_TIMEZONE": "Europe/Berlin"})
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def add(pgproof: CommandLine, days: int, *, database: str = "shop", failed: bool = False) -> Backup:
    taken_at = NOW - days * DAY
    made = pgproof.catalog.create_backup(
        database,
        storage_url=pgproof.storage.url,
        options=BackupOptions(),
        trigger=BackupTrigger.SCHEDULED_CRON,
        now=taken_at,
    )
    running = replace(made, status=S.RUNNING, started_at=taken_at)
    pgproof.catalog.save_backup(running, expected=S.PENDING)
    done = replace(running, status=S.FAILED if failed else S.COMPLETED, file_size=None if failed else 1_572_864)
    pgproof.catalog.save_backup(done, expected=S.RUNNING)
    return done


def keep_database(pgproof: CommandLine, backup: Backup) -> str:
    """A restore whose undo window is over; the name of the database that it keeps."""
    made = pgproof.catalog.create_restore(backup, "shop", RestoreOptions(), NOW - DAY)
    pgproof.catalog.save_restore(replace(made, status=RestoreStatus.COMPLETED, undo_until=NOW, live_oid=7))
    assert made.previous_database is not None
    pgproof.server.databases[made.previous_database] = 7
    return made.previous_database


def status(pgproof: CommandLine, backup: Backup) -> BackupStatus:
    return pgproof.catalog.get_backup(backup.id).status


def test_a_dry_run_shows_every_decision_with_its_reason_and_changes_nothing(pgproof: CommandLine) -> None:
    young, old, failed = add(pgproof, 1), add(pgproof, 8), add(pgproof, 9, failed=True)
    name = keep_database(pgproof, young)
    pgproof.storage.put("shop/backup_20200101_000000_77/archive", [b"12345"])
    pgproof.storage.put("lost/backup_20200101_000000_78/manifest.json", [b"{}"])
    done = pgproof("cleanup", "--dry-run")
    assert done.status == 0
    assert done.out.splitlines() == [
        "policy: 7 days, at least 1 of each database, time zone Europe/Berlin",
        "",
        "DATABASE  ID  TAKEN                      SIZE  DECISION",
        (
            f"shop       {young.id}  2026-02-28 13:30:00 CET  1.5 MB  kept: last good backup; minimum redundancy of 1; "
            "not older than 7 days"
        ),
        f"shop       {old.id}  2026-02-21 13:30:00 CET  1.5 MB  expired: older than 7 days",
        (
            f"shop       {failed.id}  2026-02-20 13:30:00 CET       -  forgotten: record of a backup that failed, "
            "older than 7 days"
        ),
        "",
        "KEPT DATABASE             RESTORE  UNDO UNTIL               DECISION",
        f"{name}        5  2026-03-01 13:30:00 CET  dropped: what a restore replaced; its undo window is over",
        "",
        "FOLDER WITHOUT A BACKUP         OBJECTS     SIZE  DECISION",
        "shop/backup_20200101_000000_77        1  5 bytes  no manifest: removed with --remove-orphans only",
        "lost/backup_20200101_000000_78        1  2 bytes  whole, but unknown to the catalog: never removed",
        "",
        (
            "to be removed for good: 1 backup (1.5 MB), 1 record of failed backups, 1 database of past undo windows; "
            "1 usable backup stays"
        ),
    ]
    assert (status(pgproof, old), status(pgproof, failed)) == (S.COMPLETED, S.FAILED)
    assert name in pgproof.server.databases
    assert len(pgproof.storage.objects) == 2


def test_its_json_has_the_apis_fields(pgproof: CommandLine) -> None:
    add(pgproof, 1)
    old = add(pgproof, 8)
    done = pgproof("cleanup", "--dry-run", "--json")
    assert done.status == 0
    assert done.json["message"] == "to be removed for good: 1 backup (1.5 MB); 1 usable backup stays"
    assert done.json["retention_days"] == 7
    assert (done.json["dry_run"], done.json["result"]) == (True, None)
    assert done.json["decisions"][1] == {
        "id": old.id,
        "database": "shop",
        "status": "completed",
        "taken_at": "2026-02-21T12:30:00+00:00",
        "file_size": 1_572_864,
        "action": "expire",
        "reasons": ["old"],
        "reason": "expired: older than 7 days",
    }
    swept = pgproof("cleanup", "--yes", "--json").json
    assert swept["message"] == "removed: 1 backup (1.5 MB); 1 usable backup stays"
    assert swept["result"] == {
        "expired": [old.id],
        "forgotten": [],
        "dropped": [],
        "removed": [],
        "left_alone": [],
        "failures": [],
        "freed_bytes": 1_572_864,
    }


def test_it_asks_for_the_name_of_the_only_database_that_loses_something(pgproof: CommandLine) -> None:
    add(pgproof, 1)
    old = add(pgproof, 8)
    refused = pgproof("cleanup", typed="app\n")
    assert refused.status == 2
    assert "that is not the name of the database; nothing was done" in refused.err
    assert status(pgproof, old) is S.COMPLETED
    done = pgproof("cleanup", typed="shop\n")
    assert done.status == 0
    assert "to be removed for good: 1 backup (1.5 MB); `pgproof cleanup --dry-run` shows each" in done.err
    assert status(pgproof, old) is S.EXPIRED


def test_for_several_databases_it_asks_for_a_word(pgproof: CommandLine) -> None:
    for name in ("shop", "app"):
        add(pgproof, 1, database=name)
        add(pgproof, 8, database=name)
    assert pgproof("cleanup", typed="shop\n").status == 2
    done = pgproof("cleanup", typed="cleanup\n")
    assert done.status == 0
    assert "Type the word (cleanup) to go ahead" in done.err
    assert "removed: 2 backups (3.0 MB); 2 usable backups stay" in done.out


def test_without_a_terminal_and_without_yes_nothing_is_removed(pgproof: CommandLine) -> None:
    add(pgproof, 1)
    old = add(pgproof, 8)
    assert pgproof("cleanup").status == 2
    assert status(pgproof, old) is S.COMPLETED


def test_when_there_is_nothing_to_remove_nothing_is_asked(pgproof: CommandLine) -> None:
    add(pgproof, 1)
    done = pgproof("cleanup")
    assert done.status == 0
    assert done.out.endswith("\nnothing was removed; 1 usable backup stays\n")
    assert "nothing is to be removed; 1 usable backup stays" in pgproof("cleanup", "--dry-run").out


def test_too_much_at_once_is_a_conflict_that_asks_nothing_and_force_overrides(pgproof: CommandLine) -> None:
    add(pgproof, 1)
    old = [add(pgproof, days) for days in (8, 9, 10)]
    stopped = pgproof("cleanup", "--yes")
    assert stopped.status == 5
    assert "would remove more than 50% of the usable backups at once" in stopped.err
    assert "\n  shop: 3 of 4\n" in stopped.err
    assert pgproof("cleanup", typed="shop\n").status == 5
    shown = pgproof("cleanup", "--dry-run")
    assert shown.status == 0
    assert "unless --force is given" in shown.out
    assert {status(pgproof, one) for one in old} == {S.COMPLETED}
    assert pgproof("cleanup", "--force", "--yes").status == 0
    assert {status(pgproof, one) for one in old} == {S.EXPIRED}


def test_the_settings_make_the_policy(tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path, {"BACKUP_KEEP_WEEKLY": "2", "BACKUP_CLEANUP_MAX_SHARE": "1"})
    backups = [add(pgproof, days) for days in (1, 8, 9, 15, 16, 22)]
    assert pgproof("cleanup", "--yes").status == 0
    assert [status(pgproof, one).value for one in backups] == ["completed", "completed", *["expired"] * 4]


def test_a_failure_is_told_after_everything_else_and_decides_the_exit_status(pgproof: CommandLine) -> None:
    young, old = add(pgproof, 1), add(pgproof, 8)
    keep_database(pgproof, young)
    pgproof.server.unreachable = True
    done = pgproof("cleanup", "--yes", "--json")
    assert done.status == 10
    assert done.error["code"] == "server_unreachable"
    assert done.json["result"]["expired"] == [old.id]
    (failure,) = done.json["result"]["failures"]
    assert failure["what"] == "database shop__pgproof_previous_4"
    text = pgproof("cleanup", "--yes")
    assert "failed: database shop__pgproof_previous_4: unable to reach server" in text.out
    assert "nothing was removed; 1 removal failed" in text.out


def test_leftovers_go_only_when_that_is_asked(pgproof: CommandLine) -> None:
    pgproof.storage.put("shop/backup_20200101_000000_77/archive", [b"12345"])
    assert pgproof("cleanup", "--yes").status == 0
    assert len(pgproof.storage.objects) == 1
    done = pgproof("cleanup", "--remove-orphans", typed="cleanup\n")
    assert done.status == 0
    assert "removed: 1 folder without a manifest (5 bytes); 0 usable backups stay" in done.out
    assert pgproof.storage.objects == {}


def test_a_backup_that_is_being_deleted_is_listed_as_such(pgproof: CommandLine) -> None:
    backup = add(pgproof, 1)
    pgproof.catalog.change_backup(backup.id, lambda one: tombstone(one, S.DELETED, NOW))
    assert "deleting" in pgproof("list").out
    (row,) = pgproof("list", "--json").json["backups"]
    assert (row["status"], row["deletion_started_at"]) == ("completed", "2026-03-01T12:30:00+00:00")
    shown = pgproof("show", str(backup.id))
    assert shown.status == 0, "nobody looks for its manifest"
    assert "completed, being deleted" in shown.out
