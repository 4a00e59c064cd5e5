"""What the command line says when something is left out, refused, interrupted or broken."""

import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from pgproof.domain.backup import BackupStatus
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict, DumpFailed
from pgproof.domain.secret import Secret, without_secrets
from pgproof.entrypoints.cli.app import run
from pgproof.entrypoints.cli.session import Session
from pgproof.services.owning import owning_database
from pgproof.services.ports import Lock
from pgproof.settings import load_settings
from tests.command_line import MANIFEST, CommandLine, Terminal


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield CommandLine(tmp_path)
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


class Interrupting(Terminal):
    """A terminal at which somebody types Ctrl-C."""

    def readline(self, _size: int | None = -1) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


class TestBackup:
    @pytest.mark.parametrize(
        ("argv", "told"),
        [
            ([], "without the rows of public.audit_logs (--include-logs and --include-cache take them)\n"),
            (["--include-cache"], "without the rows of public.audit_logs (--include-logs takes them)\n"),
        ],
    )
    def test_rows_that_were_left_out_are_named_with_the_option_that_takes_them(
        self, pgproof: CommandLine, argv: list[str], told: str
    ) -> None:
        pgproof.backups.manifest = replace(MANIFEST, excluded_data=("public.audit_logs",))
        assert told in pgproof("backup", *argv).out
        assert pgproof("backup", "--json").json["excluded_data"] == ["public.audit_logs"]
        assert pgproof("show", "2", "--json").json["manifest"]["excluded_data"] == ["public.audit_logs"]

    def test_a_whole_backup_says_nothing_of_the_kind(self, pgproof: CommandLine) -> None:
        assert "without" not in pgproof("backup").out

    def test_of_the_embedded_server_it_says_how_to_name_another(self, pgproof: CommandLine) -> None:
        pgproof.embedded = ConnectionInfo("postgres", "/run/embedded", 5432, "postgres")
        assert "embedded" not in pgproof("backup").out, "shop is the only one that somebody registered"
        pgproof("database", "remove", "shop")
        done = pgproof("backup")
        assert "backup 4 of postgres is complete" in done.out
        assert (
            "that is the embedded server's own database: name another with `pgproof database add NAME URL`" in done.out
        )
        assert "embedded" not in pgproof("backup", "postgres").out, "whoever names it knows"

    def test_of_several_databases_one_must_be_named(self, pgproof: CommandLine) -> None:
        pgproof.catalog.add_database("other", ConnectionInfo("other", "db"))
        done = pgproof("backup")
        assert done.status == 2
        assert "2 are registered: other, shop" in done.err
        assert "hint: Name the one that you mean, such as: pgproof backup other" in done.err

    def test_one_that_failed_stores_nothing_and_its_sheet_says_so(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        failed = replace(pgproof.catalog.get_backup(2), status=BackupStatus.RUNNING)
        for status, told in (
            (BackupStatus.FAILED, "stored       nothing"),
            (BackupStatus.DELETED, "was stored in  memory://"),
            (BackupStatus.RUNNING, "to be stored in  memory://"),
        ):
            pgproof.catalog._backups[2] = replace(failed, status=status)
            assert told in pgproof("show", "2").out
        pgproof.catalog._backups[2] = replace(failed, status=BackupStatus.COMPLETED)
        assert "\nstored in    memory://" in pgproof("show", "2").out


class TestDelete:
    def test_it_says_of_which_server_and_from_which_storage(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        pgproof("backup")
        asked = pgproof("delete", "2", typed="no\n").err
        assert asked.startswith(
            'backup 2 of "shop" ("shop" on db:5432 as app), taken 2026-03-01 12:30:00 UTC, is to be'
        )
        assert "deleted for good from memory://.\nType the name" in asked

    def test_the_last_usable_backup_is_pointed_out(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        assert "\nIt is the LAST usable backup of that database.\n" in pgproof("delete", "2", typed="no\n").err

    def test_a_database_that_was_forgotten_does_not_keep_its_backups(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        pgproof("database", "remove", "shop")
        done = pgproof("delete", "2", "--yes", "--json")
        assert (done.status, done.json["server"]) == (0, None)

    def test_what_cannot_be_deleted_is_refused_before_anything_is_asked(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        pgproof("delete", "2", "--yes")
        done = pgproof("delete", "2", typed="shop\n")
        assert done.status == 5
        assert done.err == (
            "error: backup 2 is deleted already\n"
            "hint: Nothing of it is stored any more; `pgproof list` shows what there is.\n"
        )

    def test_json_on_a_terminal_asks_for_yes_and_not_for_a_terminal(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        done = pgproof("delete", "2", "--json", typed="shop\n")
        assert done.status == 2
        assert done.error["detail"].endswith("that needs a confirmation, and with --json nobody is asked")
        assert done.error["hint"] == "Add --yes to go ahead without being asked."
        assert "no terminal to ask on" in pgproof("delete", "2").err


class TestQuestions:
    def test_an_interrupt_at_the_question_ends_the_line_and_does_nothing(
        self, pgproof: CommandLine, tmp_path: Path
    ) -> None:
        pgproof("backup")
        err = Terminal()
        session = Session(Interrupting(), io.StringIO(), err, lambda: load_settings({}, tmp_path), pgproof.open_app)
        assert run(["delete", "2"], session) == 13
        assert err.getvalue().endswith("(shop) to go ahead: \nerror: interrupted at the question; nothing was done\n")
        assert pgproof.catalog.get_backup(2).status == "completed"

    def test_an_input_that_ends_at_the_question_ends_the_line_too(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        assert "to go ahead: \nerror: that is not the name" in pgproof("delete", "2", typed="").err

    def test_a_name_with_odd_characters_can_be_typed_as_it_is_shown(self, pgproof: CommandLine) -> None:
        name = "we\x85ird"
        pgproof.catalog.add_database(name, ConnectionInfo(name, "db"))
        pgproof.catalog._backups.clear()
        pgproof("backup", name)
        assert pgproof("delete", "3", typed="we\\x85ird\n").status == 0

    def test_a_url_is_read_from_a_pipe_without_a_question(self, pgproof: CommandLine) -> None:
        done = pgproof("database", "add", "new", "-")
        assert done.status == 2, "the pipe is empty"
        assert pgproof.asked == []

    def test_on_a_terminal_a_url_is_asked_for_and_not_shown(self, pgproof: CommandLine) -> None:
        done = pgproof("database", "add", "new", "-", "--json", typed="postgresql://me:geheim@db/new\n")
        assert done.json == {
            "name": "new", "host": "db", "port": 5432, "user": "me", "dbname": "new", "options": {}, "exists": False,
            "group": "default",
        }  # fmt: skip
        assert pgproof.asked == ["URL (it is not shown): "]
        assert "geheim" not in done.out + done.err


class TestDatabases:
    def test_one_that_is_yet_to_be_restored_can_be_registered(self, pgproof: CommandLine) -> None:
        done = pgproof("database", "add", "lost", "postgresql://me@db/lost")
        assert done.status == 0
        assert "warning: its server has no such database; a restore makes it" in done.out
        assert pgproof("database", "add", "again", "postgresql://me@db/lost").status == 5

    def test_one_whose_server_does_not_answer_cannot(self, pgproof: CommandLine) -> None:
        pgproof.server.unreachable = True
        assert pgproof("database", "add", "lost", "postgresql://me@db/lost").status == 10
        assert len(pgproof.catalog.list_databases()) == 1

    def test_one_that_somebody_works_on_is_named_as_people_know_it(self, pgproof: CommandLine) -> None:
        shop = pgproof.catalog.get_database("shop")
        with (
            pgproof.catalog.own(Lock.DATABASE, shop.id),
            pytest.raises(Conflict, match='another process works on the database "shop"') as refused,
            owning_database(pgproof.catalog, shop),
        ):
            pass
        assert "`pgproof list --restores`" in refused.value.hint

    def test_what_is_raised_while_one_is_owned_comes_out_as_it_is(self, pgproof: CommandLine) -> None:
        shop = pgproof.catalog.get_database("shop")
        with pytest.raises(Conflict, match="something else"), owning_database(pgproof.catalog, shop):
            raise Conflict("something else")
        assert not pgproof.catalog.is_owned(Lock.DATABASE, shop.id)


class TestLists:
    def test_a_database_that_nobody_knows_is_not_found(self, pgproof: CommandLine) -> None:
        done = pgproof("list", "--database", "nosuch")
        assert done.status == 4
        assert 'error: no database named "nosuch" is known' in done.err
        assert pgproof("list", "--database", "shop").status == 0

    def test_a_database_that_was_forgotten_is_known_by_its_backups(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        pgproof("database", "remove", "shop")
        assert len(pgproof("list", "--database", "shop", "--json").json["backups"]) == 1

    @pytest.mark.parametrize(("argv", "hint"), [(["show"], "`pgproof list`"), (["undo"], "`pgproof list --restores`")])
    def test_an_unknown_number_points_to_the_list_that_has_it(
        self, pgproof: CommandLine, argv: list[str], hint: str
    ) -> None:
        assert hint in pgproof(*argv, "404").err


class TestFailures:
    def test_for_machines_a_defect_has_its_hint_apart(self, pgproof: CommandLine) -> None:
        pgproof.backups.failure = ZeroDivisionError("division\nby zero")
        error = pgproof("backup", "--json").error
        assert error["detail"] == "unexpected ZeroDivisionError: division by zero"
        assert error["hint"].startswith("This is a defect of pgproof.")
        assert error["facts"] == {}

    def test_for_machines_the_traceback_is_a_fact(self, tmp_path: Path) -> None:
        pgproof = CommandLine(tmp_path, {"BACKUP_LOG_LEVEL": "debug"})
        pgproof.backups.failure = ZeroDivisionError("division by zero")
        error = pgproof("backup", "--json").error
        assert error["detail"] == "unexpected ZeroDivisionError: division by zero"
        assert "Traceback" in error["facts"]["traceback"][0]

    @pytest.mark.parametrize(("status", "shown"), [(-9, 3), (1, 20)])
    def test_of_a_tool_that_was_killed_only_the_last_lines_are_shown(
        self, pgproof: CommandLine, status: int, shown: int
    ) -> None:
        lines = [f"pg_dump: dumping contents of table {number}" for number in range(30)]
        facts = {"exit_status": status, "stderr": lines}
        pgproof.backups.failure = DumpFailed("pg_dump was killed", hint="See.", facts=facts)
        told = [line for line in pgproof("backup").err.splitlines() if "dumping" in line]
        assert [line.strip() for line in told] == lines[-shown:]
        assert pgproof("backup", "--json").error["facts"]["stderr"] == lines

    def test_wrong_usage_for_machines_names_the_help(self, pgproof: CommandLine) -> None:
        assert pgproof("show", "--json").error["hint"] == "See: pgproof show --help"

    def test_an_interrupted_backup_says_where_to_look(self, pgproof: CommandLine) -> None:
        pgproof.backups.failure = KeyboardInterrupt()
        assert pgproof("backup").err.endswith("hint: `pgproof list` shows what became of the backup.\n")


class TestSecrets:
    def test_a_secret_is_masked_wherever_it_stands(self) -> None:
        assert without_secrets("role hunter2: hunter2x", Secret("hunter2")) == "role ***: ***x"

    @pytest.mark.parametrize("short", ["a", "er", "app"])
    def test_a_short_one_does_not_turn_a_message_into_stars(self, short: str) -> None:
        message = 'unable to reach server app:5432 as "app": error'
        assert without_secrets(message, Secret(short)) == message

    @pytest.mark.parametrize("short", ["a", "er", "app"])
    @pytest.mark.parametrize("text", ["postgresql://u:{}@h/d", "password={} host=h", "password='{}'"])
    def test_a_short_one_is_masked_where_a_password_is_to_be_expected(self, short: str, text: str) -> None:
        assert without_secrets(text.format(short), Secret(short)) == text.replace("'{}'", "{}").format("***")
