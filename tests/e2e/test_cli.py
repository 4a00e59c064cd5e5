"""The command line against real servers: the main path, and bad input that leaves nothing half-made."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.e2e.command_line import CommandLine, filled
from tests.servers import Server, connect, to_url

pytestmark = pytest.mark.usefixtures("_logs_as_before")

PATIENCE = 60  # seconds until a test gives up waiting for something that must happen


def test_the_main_path_there_and_back_again(server: Server, tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path, server, filled(server))
    taken = pgproof("backup", "--json").json
    assert (taken["status"], taken["tables_count"]) == ("completed", 2)
    assert pgproof("verify", str(taken["id"]), "--json").json["verified"] is True

    server.sql(pgproof.database, "DELETE FROM items WHERE id > 10")
    restored = pgproof("restore", str(taken["id"]), "--yes", "--json").json
    assert restored["success"] is True
    assert restored["analyzed"] is True
    assert pgproof.rows() == 1000
    assert pgproof.rows("audit_logs") == 0, "log tables come back empty"

    undone = pgproof("undo", str(restored["restore_id"]), "--yes", "--json").json
    assert (undone["success"], undone["status"]) == (True, "undone")
    assert pgproof.rows() == 10
    assert pgproof.rows("audit_logs") == 1

    listed = pgproof("list", "--json").json["backups"]
    assert [(row["id"], row["status"], row["trigger_source"]) for row in listed] == [
        (restored["safety_backup_id"], "completed", "pre_restore_safety"),
        (taken["id"], "restored", "manual_cli"),
    ]
    shown = pgproof("show", str(taken["id"]), "--json").json
    assert shown["manifest"]["tables"] == {"public.items": 1000}
    assert shown["manifest"]["schema_only"] == ["public.audit_logs"]
    assert [restore["restore_id"] for restore in shown["restores"]] == [restored["restore_id"]]


@pytest.mark.parametrize("argv", [["--format", "directory"], ["--compression", "gzip"], ["--compression-level", "0"]])
def test_every_form_of_archive_comes_back(pgproof: CommandLine, argv: list[str]) -> None:
    taken = pgproof("backup", "--include-logs", *argv, "--json").json
    pgproof.server.sql(pgproof.database, "DROP TABLE items", "DELETE FROM audit_logs")
    done = pgproof("restore", str(taken["id"]), "--no-safety-backup", "--no-analyze", "--yes", "--json")
    assert done.status == 0, done.err
    assert (pgproof.rows(), pgproof.rows("audit_logs")) == (1000, 1)


def test_a_strange_name_goes_all_the_way(server18: Server, tmp_path: Path) -> None:
    server18.drop_database("we\"ird 'näme")
    pgproof = CommandLine(tmp_path, server18, filled(server18, "we\"ird 'näme"))
    taken = pgproof("backup", "--json").json
    assert taken["database"] == "we\"ird 'näme"
    server18.sql(pgproof.database, "DROP TABLE items")
    assert pgproof("restore", str(taken["id"]), "--yes").status == 0
    assert pgproof.rows() == 1000
    assert pgproof("delete", str(taken["id"]), "--yes").status == 0


def test_databases_can_be_registered_and_used_by_name(pgproof: CommandLine) -> None:
    other = filled(pgproof.server)
    added = pgproof("database", "add", "other", to_url(other), "--json")
    assert added.json["dbname"] == other.dbname
    assert other.password is not None
    assert other.password.reveal() not in added.out
    taken = pgproof("backup", "other", "--json").json
    assert taken["database"] == "other"
    checked = pgproof("database", "check", "other", "--json").json
    assert checked["tables_count"] == 2
    assert pgproof("database", "remove", "other").status == 0
    assert pgproof("verify", str(taken["id"])).status == 0, "its backups stay"
    pgproof.fails(4, "backup", "other")


def test_the_doctor_finds_everything_in_order(pgproof: CommandLine) -> None:
    done = pgproof("doctor", "--json")
    assert done.status == 0, done.out
    assert done.json["healthy"] is True
    assert {item["check"] for item in done.json["checks"]} >= {
        "settings", "home", "catalog", "storage", "space", "tools", "database", "rights", "jobs",
    }  # fmt: skip


def test_the_doctor_finds_what_is_wrong_and_goes_on(pgproof: CommandLine) -> None:
    (pgproof.folder / "file").touch()
    role = pgproof.server.create_role()
    done = pgproof(
        "doctor",
        "--json",
        BACKUP_DIR=str(pgproof.folder / "file"),
        BACKUP_POSTGRES_USER=role.user,
        BACKUP_POSTGRES_PASSWORD=role.password.reveal() if role.password else "",
    )
    assert done.status == 11
    assert done.json["healthy"] is False
    outcomes = {(item["check"], item["outcome"]) for item in done.json["checks"]}
    assert {("storage", "fail"), ("rights", "fail"), ("catalog", "ok"), ("tools", "ok"), ("jobs", "ok")} <= outcomes


def test_with_nothing_configured_several_databases_are_looked_at_and_none_is_guessed(pgproof: CommandLine) -> None:
    nothing = {name: "" for name in pgproof.environ if name.startswith("BACKUP_POSTGRES_")}
    other = pgproof.server.create_database()
    assert pgproof("database", "add", "shop", to_url(pgproof.database), **nothing).status == 0
    assert pgproof("backup", "--json", **nothing).json["database"] == "shop", "the only one is meant"
    assert pgproof("database", "add", "other", to_url(other), **nothing).status == 0
    refused = pgproof.fails(2, "backup", **nothing)
    assert "2 are registered: other, shop" in refused.error["detail"]
    looked_at = pgproof("doctor", **nothing).out
    assert "database  other: PostgreSQL 18" in looked_at
    assert "database  shop: PostgreSQL 18" in looked_at
    assert "other: PostgreSQL" not in pgproof("doctor", "shop", **nothing).out


def test_a_database_that_is_yet_to_be_restored_can_be_registered(pgproof: CommandLine) -> None:
    lost = pgproof.database.to_database("lost_one")
    done = pgproof("database", "add", "lost", to_url(lost))
    assert done.status == 0
    assert "its server has no such database" in done.out
    pgproof.fails(10, "database", "add", "refused", to_url(lost).replace(f":{lost.port}/", ":1/"))


def test_what_the_role_may_not_read_is_a_problem_of_postgresql(pgproof: CommandLine) -> None:
    role = pgproof.server.create_role()
    password = role.password.reveal() if role.password else ""
    done = pgproof("doctor", "--json", BACKUP_POSTGRES_USER=role.user, BACKUP_POSTGRES_PASSWORD=password)
    assert (done.status, done.json["healthy"]) == (10, False)


def test_the_doctor_looks_at_the_rest_when_the_catalog_is_away(pgproof: CommandLine) -> None:
    done = pgproof("doctor", "--json", BACKUP_CATALOG_URL="postgresql://nobody@127.0.0.1:1/catalog")
    assert done.status == 10
    outcomes = {(item["check"], item["outcome"]) for item in done.json["checks"]}
    assert {("catalog", "fail"), ("settings", "ok"), ("home", "ok"), ("storage", "ok"), ("tools", "ok")} <= outcomes


def test_the_doctor_names_a_bad_setting(pgproof: CommandLine) -> None:
    done = pgproof("doctor", BACKUP_COMPRESSION_LEVEL="11")
    assert done.status == 3
    assert "fail  settings  BACKUP_COMPRESSION_LEVEL is '11'" in done.out


def test_nobody_answers(pgproof: CommandLine) -> None:
    assert pgproof.fails(10, "backup", BACKUP_POSTGRES_PORT="1").error["code"] == "server_unreachable"


def test_the_password_is_wrong(pgproof: CommandLine) -> None:
    done = pgproof.fails(10, "backup", BACKUP_POSTGRES_PASSWORD="wrong-password")
    assert done.error["code"] == "authentication_failed"
    assert "wrong-password" not in done.err


def test_a_first_attempt_at_a_wrong_address_is_forgotten(pgproof: CommandLine) -> None:
    pgproof.fails(10, "backup", BACKUP_POSTGRES_PORT="1")
    pgproof.fails(10, "backup", BACKUP_POSTGRES_PASSWORD="wrong")
    assert pgproof("database", "list", "--json").json == {"databases": []}
    assert pgproof("backup").status == 0


def test_a_role_that_changes_in_the_settings_takes_effect_at_once(pgproof: CommandLine) -> None:
    assert pgproof("backup").status == 0
    role = pgproof.server.create_role(attributes="LOGIN SUPERUSER")
    password = role.password.reveal() if role.password else ""
    done = pgproof("doctor", BACKUP_POSTGRES_USER=role.user, BACKUP_POSTGRES_PASSWORD=password)
    assert f'the role "{role.user}" may read everything' in done.out
    pgproof.fails(10, "database", "check", pgproof.database.dbname, BACKUP_POSTGRES_PASSWORD="wrong")


def test_there_is_no_such_database(pgproof: CommandLine) -> None:
    assert pgproof.fails(10, "backup", BACKUP_POSTGRES_DB="nowhere").error["code"] == "database_missing"


def test_the_role_may_not_read_a_table(pgproof: CommandLine) -> None:
    role = pgproof.server.create_role()
    password = role.password.reveal() if role.password else ""
    done = pgproof.fails(10, "backup", BACKUP_POSTGRES_USER=role.user, BACKUP_POSTGRES_PASSWORD=password)
    assert done.error["code"] == "privilege_missing"
    assert "items" in done.error["detail"]
    assert pgproof.stored() == []
    assert [row["status"] for row in pgproof("list", "--json").json["backups"]] == ["failed"]


def test_the_backup_folder_is_none(pgproof: CommandLine) -> None:
    (pgproof.folder / "file").touch()
    pgproof.fails(11, "backup", BACKUP_DIR=str(pgproof.folder / "file"))


def test_the_client_folder_holds_no_client(pgproof: CommandLine) -> None:
    pgproof.fails(3, "backup", BACKUP_PG_BIN=str(pgproof.folder))


def test_the_client_is_older_than_the_server(pgproof: CommandLine) -> None:
    old = Path("/usr/lib/postgresql/15/bin")
    if not old.exists():
        pytest.skip("PostgreSQL 15 of Debian is not installed")
    done = pgproof.fails(3, "backup", BACKUP_PG_BIN=str(old))
    assert done.error["code"] == "client_missing"


@pytest.mark.parametrize("damage", ["flip", "truncate", "manifest missing", "manifest newer"])
def test_a_damaged_backup_is_neither_verified_nor_restored(pgproof: CommandLine, damage: str) -> None:
    taken = pgproof("backup", "--json").json
    archive = pgproof.storage / taken["file_path"]
    manifest = archive.parent / "manifest.json"
    if damage == "flip":
        content = bytearray(archive.read_bytes())
        content[len(content) // 2] ^= 1
        archive.write_bytes(content)
    elif damage == "truncate":
        os.truncate(archive, archive.stat().st_size - 1)
    elif damage == "manifest missing":
        manifest.unlink()
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format_version": 99}))
    pgproof.fails(12, "verify", str(taken["id"]))
    pgproof.fails(12, "restore", str(taken["id"]), "--no-safety-backup", "--yes")
    assert pgproof.rows() == 1000, "the live database is as it was"
    names = [name for (name,) in pgproof.server.sql(pgproof.database, "SELECT datname FROM pg_database")]
    assert [name for name in names if name.startswith(pgproof.database.dbname)] == [pgproof.database.dbname]


def test_a_backup_that_failed_cannot_be_restored(pgproof: CommandLine) -> None:
    assert pgproof("backup").status == 0
    pgproof.fails(10, "backup", BACKUP_POSTGRES_PASSWORD="wrong")
    failed, _ = pgproof("list", "--json").json["backups"]
    assert failed["status"] == "failed"
    pgproof.fails(5, "restore", str(failed["id"]), "--yes")
    pgproof.fails(5, "verify", str(failed["id"]))


def test_a_deleted_backup_is_gone_from_the_storage(pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--json").json
    assert pgproof.stored()
    assert pgproof("delete", str(taken["id"]), "--yes", "--json").json["status"] == "deleted"
    assert pgproof.stored() == []
    pgproof.fails(5, "restore", str(taken["id"]), "--yes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_leaves_nothing_half_made(pgproof: CommandLine, number: signal.Signals) -> None:
    with connect(pgproof.database, autocommit=False) as blocker:
        blocker.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "-m", "pgproof", "backup", "--json"],
            env={**os.environ, **pgproof.environ},
            cwd=pgproof.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _wait_for_the_lock(pgproof, blocker)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 13, err
    assert out == ""
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "cancelled"
    assert "Traceback" not in err
    assert [row["status"] for row in pgproof("list", "--json").json["backups"]] == ["cancelled"]
    assert pgproof.stored() == []
    pgproof.server.sql(pgproof.database, "DROP TABLE items")  # no tool of ours still holds or waits for it


def _wait_for_the_lock(pgproof: CommandLine, blocker: "psycopg.Connection[object]") -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))"
    deadline = time.monotonic() + PATIENCE
    with connect(pgproof.server.connection) as watcher:
        while watcher.execute(waiting, [blocker.info.backend_pid]).fetchone() == (0,):
            if time.monotonic() > deadline:
                pytest.fail("the backup never came to the locked table")
            time.sleep(0.05)
