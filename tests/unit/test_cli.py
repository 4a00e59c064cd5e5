"""The command line: what it prints, what it asks, and how it ends."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import structlog

from pgproof import __version__
from pgproof.domain.errors import (
    CatalogUnreachable,
    DumpFailed,
    FingerprintMismatch,
    PgproofError,
    StorageFull,
)
from pgproof.domain.secret import Secret
from pgproof.services.ports import Lock
from pgproof.settings import Settings
from tests.command_line import NOW, CommandLine


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield CommandLine(tmp_path, {"BACKUP_TIMEZONE": "Europe/Berlin"})
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def test_a_backup_tells_what_it_made_and_what_to_do_next(pgproof: CommandLine) -> None:
    done = pgproof("backup")
    assert done.status == 0
    assert "backup 2 of shop is complete: 1.5 MB, 3 tables, 1 min 15 s" in done.out
    assert done.out.endswith("restore it with: pgproof restore 2\n")
    assert done.err == "dump\n"


@pytest.mark.parametrize(
    ("argv", "recorded"), [([], "manual_cli"), (["--trigger", "scheduled_cron"], "scheduled_cron")]
)
def test_a_backup_is_recorded_as_what_asked_for_it(pgproof: CommandLine, argv: list[str], recorded: str) -> None:
    assert pgproof("backup", *argv, "--json").json["trigger_source"] == recorded


@pytest.mark.parametrize("claimed", ["pre_restore_safety", "imported", "manual_api"])
def test_nobody_claims_on_the_command_line_what_only_others_may_say(pgproof: CommandLine, claimed: str) -> None:
    assert pgproof("backup", "--trigger", claimed).status == 2
    assert pgproof.opened == 0


def test_a_backups_json_is_the_apis(pgproof: CommandLine) -> None:
    done = pgproof("backup", "shop", "--description", "before the release", "--json")
    assert done.status == 0
    assert done.err == "", "machines get no progress"
    assert done.json | {"message": "..."} == {
        "id": 2,
        "database": "shop",
        "filename": "backup_20260301_123000_2.dump.zst",
        "file_path": "shop/backup_20260301_123000_2/backup_20260301_123000_2.dump.zst",
        "storage_url": "memory://",
        "file_size_mb": 1.5,
        "file_size": 1_572_864,
        "status": "completed",
        "deletion_started_at": None,
        "created_at": "2026-03-01T12:30:00+00:00",
        "completed_at": "2026-03-01T12:31:15+00:00",
        "duration_seconds": 75,
        "description": "before the release",
        "trigger_source": "manual_cli",
        "proven_at": None,
        "checksum_sha256": "ab" * 32,
        "format": "custom",
        "compression": "zstd",
        "database_size_bytes": None,
        "tables_count": 3,
        "excluded_data": [],
        "unrestorable": [],
        "message": "...",
    }


def test_options_of_a_backup_win_over_the_settings(pgproof: CommandLine) -> None:
    argv = ["--compression-level", "0", "--parallel-jobs", "5", "--format", "directory", "--include-logs"]
    assert pgproof("backup", *argv, "--include-cache", "--fingerprint", "none").status == 0
    options = pgproof.catalog.get_backup(2).options
    assert options.fingerprint == "none"
    assert (options.compression_level, options.parallel_jobs, options.format) == (0, 5, "directory")
    assert options.include_logs
    assert options.include_cache


def test_without_options_the_settings_decide(tmp_path: Path) -> None:
    environ = {"BACKUP_COMPRESSION": "gzip", "BACKUP_COMPRESSION_LEVEL": "3", "BACKUP_PARALLEL_JOBS": "7"}
    pgproof = CommandLine(tmp_path, {**environ, "BACKUP_FINGERPRINT": "content"})
    assert pgproof("backup").status == 0
    options = pgproof.catalog.get_backup(2).options
    assert options.fingerprint == "content"
    assert (options.compression, options.compression_level, options.parallel_jobs) == ("gzip", 3, 7)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["backup", "--compression-level", "10"], "compression level 10 does not exist"),
        (["backup", "--parallel-jobs", "0"], "0 parallel jobs are not possible"),
        (["list", "--limit", "0"], "a list of length 0 is not possible"),
        (["restore", "2", "--jobs", "65", "--yes"], "65 parallel jobs are not possible"),
    ],
)
def test_a_value_out_of_range_is_bad_usage_with_a_hint(pgproof: CommandLine, argv: list[str], message: str) -> None:
    done = pgproof(*argv)
    assert done.status == 2
    assert f"error: {message}\nhint: " in done.err
    assert done.out == ""
    assert pgproof.catalog.backup_stats().total_backups == 0


@pytest.mark.parametrize("argv", [["backup", "--format", "xml"], ["restore", "x"], ["nonsense"], ["list", "--nope"]])
def test_usage_errors_end_with_2(pgproof: CommandLine, argv: list[str]) -> None:
    assert pgproof(*argv).status == 2
    machine = pgproof(*argv, "--json")
    assert machine.status == 2
    assert machine.error["code"] == "bad_usage"
    assert machine.out == ""
    assert pgproof.opened == 0


def test_a_list_is_a_table_in_the_persons_time_zone(pgproof: CommandLine) -> None:
    pgproof("backup", "--description", "a \x1b[31mred note")
    done = pgproof("list")
    header, row = done.out.splitlines()
    assert header.split() == [
        "ID",
        "DATABASE",
        "STATUS",
        "PROVEN",
        "CREATED",
        "SIZE",
        "TOOK",
        "ASKED",
        "BY",
        "DESCRIPTION",
    ]
    assert "2026-03-01 13:30:00 CET" in row
    assert "\x1b" not in row, "nobody else's text steers the terminal"


def test_an_empty_list_says_what_to_do(pgproof: CommandLine) -> None:
    assert "pgproof backup" in pgproof("list").out
    assert pgproof("list", "--json").json == {"backups": []}


def test_a_list_can_be_narrowed(pgproof: CommandLine) -> None:
    pgproof.catalog.add_database("other", pgproof.catalog.get_database("shop").connection)
    pgproof("backup", "shop")
    pgproof("backup", "other")
    listed = pgproof("list", "--database", "other", "--status", "completed", "--trigger", "manual_cli", "--json")
    assert [row["database"] for row in listed.json["backups"]] == ["other"]
    assert pgproof("list", "--status", "failed", "--json").json == {"backups": []}
    assert len(pgproof("list", "--limit", "1", "--json").json["backups"]) == 1


def test_a_row_of_the_list_has_the_apis_fields(pgproof: CommandLine) -> None:
    pgproof("backup")
    (row,) = pgproof("list", "--json").json["backups"]
    assert {
        "id", "filename", "file_size_mb", "status", "created_at", "completed_at", "duration_seconds",
        "description", "trigger_source",
    } <= row.keys()  # fmt: skip


def test_show_shows_the_record_even_when_the_manifest_is_gone(pgproof: CommandLine) -> None:
    pgproof("backup")
    pgproof.storage.objects.clear()
    done = pgproof("show", "2", "--json")
    assert done.status == 12
    assert done.json["manifest"] is None
    assert done.error["code"] == "manifest_invalid"
    assert done.error["hint"]


@pytest.mark.parametrize("command", ["show", "log", "delete", "restore", "undo"])
def test_an_unknown_id_is_not_found(pgproof: CommandLine, command: str) -> None:
    done = pgproof(command, "404", *(["--yes"] if command in {"delete", "restore", "undo"} else []))
    assert done.status == 4
    assert done.err.startswith("error: ")
    assert done.out == ""


def test_stats_have_the_apis_fields(pgproof: CommandLine) -> None:
    pgproof("backup")
    assert pgproof("stats", "--json").json == {
        "total_backups": 1,
        "completed_backups": 1,
        "total_size_gb": 0.001,
        "latest_backup_date": "2026-03-01T12:31:15+00:00",
        "retention_days": 7,
        "backup_directory": str(Path("backups").absolute()),
    }
    assert "usable backups  1 of 1" in pgproof("stats").out


def test_a_restore_asks_for_the_databases_name(pgproof: CommandLine) -> None:
    pgproof("backup")
    done = pgproof("restore", "2", typed="shop\n")
    assert done.status == 0
    assert pgproof.catalog.get_restore(3).status == "completed"


@pytest.mark.parametrize("typed", ["shopp\n", "y\n", "\n", ""])
def test_another_name_leaves_everything_as_it_was(pgproof: CommandLine, typed: str) -> None:
    pgproof("backup")
    for argv in (["restore", "2"], ["delete", "2"]):
        done = pgproof(*argv, typed=typed)
        assert done.status == 2
        assert "nothing was done" in done.err
    assert pgproof.catalog.list_restores() == []
    assert pgproof.catalog.get_backup(2).status == "completed"


def test_without_a_terminal_nothing_is_asked_and_nothing_is_done(pgproof: CommandLine) -> None:
    pgproof("backup")
    for argv in (["restore", "2"], ["delete", "2"], ["restore", "2", "--json"]):
        done = pgproof(*argv)
        assert done.status == 2
        assert "--yes" in done.err
    assert pgproof.catalog.list_restores() == []


def test_undo_asks_too(pgproof: CommandLine) -> None:
    pgproof("backup")
    pgproof("restore", "2", "--yes")
    assert pgproof("undo", "3").status == 2
    assert pgproof.catalog.get_restore(3).status == "completed"
    done = pgproof("undo", "3", typed="shop\n")
    assert done.status == 0
    assert pgproof.catalog.get_restore(3).status == "undone"
    assert "shop__pgproof_shadow_3" in done.err, "it says where the restored state stays"


def test_a_restores_json_is_the_apis(pgproof: CommandLine) -> None:
    pgproof("backup")
    done = pgproof("restore", "2", "--no-analyze", "--json", "--yes")
    expected = {
        "success": True,
        "backup_id": 2,
        "restore_id": 3,
        "duration_seconds": 2.5,
        "safety_backup_id": 99,
        "analyzed": False,
        "timings": {"create_shadow": 0.25, "load": 2.0, "refused": 0.012},
        "previous_database": "shop__pgproof_previous_3",
        "undo_until": "2026-03-02T12:30:00+00:00",
    }
    assert expected.items() <= done.json.items()
    without = pgproof("restore", "2", "--no-safety-backup", "--jobs", "4", "--json", "--yes")
    assert without.json["safety_backup_id"] is None
    assert pgproof.catalog.get_restore(4).options.parallel_jobs == 4


def test_delete_removes_and_says_so(pgproof: CommandLine) -> None:
    pgproof("backup")
    done = pgproof("delete", "2", "--yes", "--json")
    assert done.json == {
        "id": 2,
        "status": "deleted",
        "database": "shop",
        "storage_url": "memory://",
        "server": {"host": "db", "port": 5432, "user": "app", "dbname": "shop"},
        "message": 'backup 2 of "shop" ("shop" on db:5432 as app) is deleted from memory://',
    }


def test_a_log_is_shown_line_by_line(pgproof: CommandLine) -> None:
    pgproof("backup")
    pgproof.catalog.append_log(Lock.BACKUP, 2, ["step: dump", "pg_dump: \x1b]0;evil\x07"], NOW)
    assert pgproof("log", "2").out == "step: dump\npg_dump: \\x1b]0;evil\\x07\n"
    assert pgproof("log", "2", "--json").json["lines"] == ["step: dump", "pg_dump: \x1b]0;evil\x07"]


def test_databases_are_registered_listed_and_forgotten(pgproof: CommandLine) -> None:
    pgproof.server.databases["we"] = 2
    added = pgproof("database", "add", "we'ird", "postgresql://me:geheim@db/we")
    assert added.status == 0
    assert """pgproof backup 'we'"'"'ird'""" in added.out
    listed = pgproof("database", "list", "--json")
    assert [row["name"] for row in listed.json["databases"]] == ["shop", "we'ird"]
    assert pgproof("database", "remove", "we'ird").status == 0
    assert pgproof("database", "remove", "we'ird").status == 4
    assert "geheim" not in added.out + added.err + listed.out


def test_a_registered_database_gets_a_new_password(pgproof: CommandLine) -> None:
    done = pgproof("database", "update", "shop", "postgresql://app:geheim@db/shop", "--json")
    assert done.status == 0, done.err
    assert (done.json["name"], done.json["user"]) == ("shop", "app")
    stored = pgproof.catalog.get_database("shop").connection.password
    assert stored == Secret("geheim")
    assert "geheim" not in done.out + done.err
    assert pgproof("database", "update", "nobody", "postgresql://app@db/nobody").status == 4


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DumpFailed("pg_dump ended with status 1", hint="Read on.", facts={"stderr": ["line 1", "line 2"]}), 10),
        (StorageFull("no space is left", hint="Make room."), 11),
        (FingerprintMismatch("2 tables differ", hint="Look.", facts={"differences": ["a", "b"]}), 12),
    ],
)
def test_an_error_is_told_with_its_hint_and_its_status(pgproof: CommandLine, error: PgproofError, status: int) -> None:
    pgproof.backups.failure = error
    done = pgproof("backup")
    assert done.status == status
    assert f"error: {error.detail}" in done.err
    assert done.err.endswith(f"hint: {error.hint}\n")
    assert all(f"\n  {line}\n" in done.err for lines in error.facts.values() for line in lines)
    machine = pgproof("backup", "--json")
    assert machine.status == status
    assert machine.out == ""
    assert machine.error == {"code": error.code, "detail": error.detail, "hint": error.hint, "facts": error.facts}


def test_a_bad_setting_ends_with_3_and_names_each_on_its_own_line(tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path, {"BACKUP_COMPRESSION_LEVEL": "10", "BACKUP_TIMEZONE": "Mars"})
    done = pgproof("backup")
    assert done.status == 3
    assert [line.split()[1] for line in done.err.splitlines()[:2]] == ["BACKUP_COMPRESSION_LEVEL", "BACKUP_TIMEZONE"]
    assert pgproof.opened == 0


def test_an_unknown_setting_is_a_warning_that_stops_nothing(tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path, {"BACKUP_RETENTION": "3"})
    done = pgproof("list", "--json")
    assert done.status == 0
    assert "did you mean BACKUP_RETENTION_DAYS?" in done.err
    assert json.loads(done.err)["event"] == "unknown_setting"


def test_what_became_of_lost_jobs_is_told(pgproof: CommandLine) -> None:
    pgproof.settled = ("backup 7: its process died; what it had stored was removed",)
    assert "backup 7: its process died" in pgproof("list").err


def test_an_interrupted_job_ends_with_13(pgproof: CommandLine) -> None:
    pgproof.backups.failure = KeyboardInterrupt()
    done = pgproof("backup", "--json")
    assert done.status == 13
    assert done.error["code"] == "cancelled"


def test_a_defect_is_one_line_and_a_way_to_the_traceback(tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path)
    pgproof.backups.failure = ZeroDivisionError("division\nby zero")
    done = pgproof("backup")
    assert done.status == 1
    assert "error: unexpected ZeroDivisionError: division by zero\nhint: " in done.err
    assert "BACKUP_LOG_LEVEL=debug" in done.err
    assert "Traceback" not in done.err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path, {"BACKUP_LOG_LEVEL": "debug"})
    pgproof.backups.failure = ZeroDivisionError("division by zero")
    done = pgproof("backup")
    assert done.status == 1
    assert "Traceback" in done.err


@pytest.mark.parametrize("failure", [BrokenPipeError(32, "Broken pipe"), EOFError("end")])
def test_a_pipe_that_breaks_inside_a_job_is_no_quiet_end(pgproof: CommandLine, failure: Exception) -> None:
    pgproof.backups.failure = failure
    done = pgproof("backup")
    assert done.status == 1
    assert "unexpected" in done.err


class Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_who_has_read_enough_is_no_error(pgproof: CommandLine) -> None:
    done = pgproof("list", stdout=Closed())
    assert done.status == 0
    assert done.err == ""


def test_a_catalog_that_is_away_is_told_by_every_command(pgproof: CommandLine) -> None:
    def unreachable(_: Settings) -> AbstractContextManager[None]:
        raise CatalogUnreachable("the catalog does not answer", hint="Start its server.")

    done = pgproof("list", open_app=unreachable)
    assert done.status == 10
    assert done.err == "error: the catalog does not answer\nhint: Start its server.\n"


def test_the_version_is_printed(pgproof: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    assert pgproof("--version").status == 0
    assert capsys.readouterr().out == f"pgproof {__version__}\n"
