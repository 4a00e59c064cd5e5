"""The command line against real servers: the main path, and bad input that leaves nothing half-made."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import structlog
from psycopg import sql

from pgproof.domain.database import ConnectionInfo
from pgproof.entrypoints.cli.app import run
from pgproof.entrypoints.cli.session import Session
from pgproof.settings import load_settings
from tests.command_line import Outcome
from tests.servers import Server, connect, to_url

PATIENCE = 60  # seconds until a test gives up waiting for something that must happen


class CommandLine:
    """`pgproof` on one real database, with a catalog and a storage of its own."""

    def __init__(self, folder: Path, server: Server, database: ConnectionInfo, **environ: str) -> None:
        self.folder = folder
        self.server = server
        self.database = database
        self.storage = folder / "backups"
        password = database.password.reveal() if database.password else ""
        self.environ = {
            "BACKUP_HOME": str(folder / "home"),
            "BACKUP_DIR": str(self.storage),
            "BACKUP_CATALOG_URL": to_url(server.create_database()),
            "BACKUP_POSTGRES_HOST": database.host,
            "BACKUP_POSTGRES_PORT": str(database.port),
            "BACKUP_POSTGRES_USER": database.user,
            "BACKUP_POSTGRES_PASSWORD": password,
            "BACKUP_POSTGRES_DB": database.dbname,
            **environ,
        }

    def __call__(self, *argv: str, **environ: str) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        environment = {**self.environ, **environ}
        session = Session(io.StringIO(), out, err, lambda: load_settings(environment, self.folder))
        return Outcome(run(argv, session), out.getvalue(), err.getvalue())

    def fails(self, status: int, *argv: str, **environ: str) -> Outcome:
        """Run a command that must fail with a status, an explanation and a hint."""
        done = self(*argv, "--json", **environ)
        assert done.status == status, done.err
        assert done.error["detail"]
        assert done.error["hint"]
        return done

    def stored(self) -> list[str]:
        return sorted(path.name for path in self.storage.rglob("*") if path.is_file())

    def rows(self, table: str = "items") -> int:
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        return int(self.server.sql(self.database, count)[0][0])


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def filled(server: Server, name: str | None = None) -> ConnectionInfo:
    database = server.create_database(name)
    server.sql(
        database,
        "CREATE TABLE items (id serial PRIMARY KEY, name text)",
        "INSERT INTO items (name) SELECT 'item ' || i FROM generate_series(1, 1000) AS i",
        "CREATE TABLE audit_logs (line text)",
        "INSERT INTO audit_logs VALUES ('secret doings')",
    )
    return database


@pytest.fixture
def pgproof(server18: Server, tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, server18, filled(server18))


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


def test_what_was_left_out_is_said_before_and_after(pgproof: CommandLine) -> None:
    taken = pgproof("backup")
    assert "without the rows of public.audit_logs (--include-logs and --include-cache take them)\n" in taken.out
    restored = pgproof("restore", "1", "--yes")
    assert "public.audit_logs comes back empty" in restored.out
    assert "excluded_data" in (pgproof.storage / next(iter(pgproof.storage.rglob("manifest.json")))).read_text()
    whole = pgproof("backup", "--include-logs", "--json").json
    assert whole["excluded_data"] == []
    assert "comes back empty" not in pgproof("restore", str(whole["id"]), "--yes").out


def test_one_table_comes_back_in_place(pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--include-logs", "--json").json
    pgproof.server.sql(pgproof.database, "DELETE FROM items", "INSERT INTO audit_logs VALUES ('newer doings')")
    argv = ["--mode", "in-place", "--table", "public.items", "--yes", "--json"]
    restored = pgproof("restore", str(taken["id"]), *argv).json
    assert (restored["success"], restored["mode"], restored["tables"]) == (True, "in_place", ["public.items"])
    assert (pgproof.rows(), pgproof.rows("audit_logs")) == (1000, 2), "the other table is as it was"
    refused = pgproof.fails(5, "undo", str(restored["restore_id"]), "--yes")
    assert f"pgproof restore {restored['safety_backup_id']} --mode in-place" in refused.error["hint"]
    pgproof("restore", str(restored["safety_backup_id"]), "--mode", "in-place", "--yes")
    assert pgproof.rows() == 0, "that is the way back"


def test_a_new_database_is_made_beside_the_live_one_and_nobody_is_asked(pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--json").json
    pgproof.server.sql(pgproof.database, "DELETE FROM items")
    name = f"{pgproof.database.dbname}_copy"
    done = pgproof("restore", str(taken["id"]), "--mode", "new-database", "--to", name)
    assert done.status == 0, done.err
    copy = pgproof.database.to_database(name)
    assert pgproof.server.sql(copy, "SELECT count(*) FROM items") == [(1000,)]
    assert pgproof.rows() == 0
    pgproof.fails(5, "restore", str(taken["id"]), "--mode", "new-database", "--to", name)


def test_a_database_that_was_lost_is_made_again(pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--json").json
    pgproof.server.drop_database(pgproof.database.dbname)
    restored = pgproof("restore", str(taken["id"]), "--yes")
    assert restored.status == 0, restored.err
    assert "what was there before" not in restored.out
    assert pgproof.rows() == 1000


def test_restores_are_found_again_with_the_way_back(pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--json").json
    done = pgproof("restore", str(taken["id"]), "--yes", "--json").json
    for shown in (pgproof("list", "--restores").out, pgproof("show", str(taken["id"])).out):
        assert f"pgproof undo {done['restore_id']}" in shown
        assert done["previous_database"] in shown


def test_a_backup_folder_that_means_another_place_is_noticed(pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--json").json
    other = str(pgproof.folder / "other")
    for argv in (["verify"], ["show"], ["restore", "--yes"], ["delete", "--yes"]):
        done = pgproof.fails(3, argv[0], str(taken["id"]), *argv[1:], BACKUP_DIR=other)
        assert f"lies in {pgproof.storage.as_uri()}" in done.error["detail"]
    assert "1 backup of the catalog lies elsewhere" in pgproof("doctor", BACKUP_DIR=other).out


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
