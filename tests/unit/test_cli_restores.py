"""What a person is told before and after a restore: the truth, the place, and the way back."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from pgproof.domain.errors import Conflict
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel
from pgproof.domain.obstacles import Obstacles, PreparedTransaction
from pgproof.domain.restore import FAILED_LOAD, Restore, RestoreStatus, RestoreStep
from pgproof.entrypoints.cli import restore_text
from pgproof.services.forecast import Forecast
from tests.command_line import MANIFEST, NOW, CommandLine


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield CommandLine(tmp_path, {"BACKUP_TIMEZONE": "Europe/Berlin"})
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def taken(pgproof: CommandLine) -> CommandLine:
    """With backup 2 of `shop`, taken without the rows of a log table."""
    pgproof.backups.manifest = replace(MANIFEST, excluded_data=("public.audit_logs",))
    pgproof("backup")
    return pgproof


def asked(taken: CommandLine, *argv: str, name: str = "shop") -> str:
    """What is asked before a restore, with a line end for every question."""
    done = taken("restore", "2", *argv, typed="no\n")
    assert done.status == 2
    assert done.err.endswith("nothing was done\nhint: Add --yes to skip this.\n"), done.err
    question, _, _ = done.err.partition(f"Type the name of the database ({name})")
    return question


class TestBefore:
    def test_a_swap_says_what_it_replaces_where_and_as_whom(self, taken: CommandLine) -> None:
        taken.server.connected = 7
        assert asked(taken).splitlines() == [
            'the database "shop" on db:5432 as app is to be replaced by backup 2 of 2026-03-01 13:30:00 CET.',
            "It is backed up first, and kept beside the new one for an undo for 24 hours.",
            "7 sessions are connected now; whoever is connected at the swap is cut off.",
            "public.audit_logs comes back empty: the backup was taken without these rows.",
        ]

    def test_without_a_safety_backup_it_says_so(self, taken: CommandLine) -> None:
        assert "It is NOT backed up first, and kept beside" in asked(taken, "--no-safety-backup")

    def test_what_does_not_exist_is_not_called_replaced(self, taken: CommandLine) -> None:
        taken.server.databases.clear()
        first, empty = asked(taken).splitlines()
        assert first == (
            'the database "shop" on db:5432 as app does not exist and is to be made from backup 2 of '
            "2026-03-01 13:30:00 CET."
        )
        assert "comes back empty" in empty

    def test_another_server_than_that_of_the_backup_is_pointed_out(self, taken: CommandLine) -> None:
        taken.server.system_identifier = "2"
        assert "The backup was taken on another server than this one." in asked(taken)

    def test_in_place_there_is_no_undo_and_that_is_said(self, taken: CommandLine) -> None:
        shown = asked(taken, "--mode", "in-place")
        assert 'the contents of the database "shop" on db:5432 as app are to be replaced in place' in shown
        assert "that backup is the only way back" in shown
        assert "0 sessions are connected now; whoever uses these tables waits until it is done." in shown
        assert "there is NO way back" in asked(taken, "--mode", "in-place", "--no-safety-backup")

    def test_of_chosen_tables_only_these_are_named(self, taken: CommandLine) -> None:
        shown = asked(taken, "--mode", "in-place", "--table", "public.orders", "--table", "public.items")
        assert 'tables public.orders, public.items of the database "shop" on db:5432 as app are to be' in shown
        assert "comes back empty" not in shown
        shown = asked(taken, "--mode", "in-place", "--schema", "public")
        assert 'everything in schema public of the database "shop" on db:5432 as app is to be' in shown
        assert "public.audit_logs comes back empty" in shown

    def test_an_undo_window_of_nothing_is_no_window(self, tmp_path: Path) -> None:
        pgproof = CommandLine(tmp_path, {"BACKUP_UNDO_HOURS": "0"})
        pgproof("backup")
        assert "kept beside the new one until the next cleanup" in asked(pgproof)
        assert "until the next cleanup undo it with: pgproof undo 3" in pgproof("restore", "2", "--yes").out

    def test_a_new_database_takes_nothing_away_so_nobody_is_asked(self, taken: CommandLine) -> None:
        done = taken("restore", "2", "--mode", "new-database", "--to", "copy", typed="")
        assert done.status == 0
        assert "Type" not in done.err
        assert 'is restored to "copy" on db:5432' in done.out
        assert "what was there before" not in done.out
        assert "undo" not in done.out

    @pytest.mark.parametrize(
        ("argv", "status", "detail"),
        [
            (["404"], 4, "no backup 404"),
            (["2", "--mode", "new-database", "--to", "shop"], 5, 'a database "shop" already'),
            (["2", "--mode", "new-database"], 2, "needs a name"),
            (["2", "--to", "copy"], 2, "no other mode takes one"),
            (["2", "--table", "public.orders"], 2, "cannot be swapped in"),
        ],
    )
    def test_what_cannot_work_is_refused_before_anything_is_asked(
        self, taken: CommandLine, argv: list[str], status: int, detail: str
    ) -> None:
        done = taken("restore", *argv, typed="shop\n")
        assert done.status == status
        assert detail in done.err
        assert "Type" not in done.err

    def test_a_target_that_is_gone_cannot_be_restored_in_place(self, taken: CommandLine) -> None:
        taken.server.databases.clear()
        done = taken("restore", "2", "--mode", "in-place", typed="shop\n")
        assert done.status == 5
        assert 'there is no database "shop"' in done.err
        assert "Type" not in done.err

    def test_a_backup_in_another_storage_is_not_called_damaged(self, taken: CommandLine) -> None:
        taken.storage.objects.clear()
        taken.storage.url = "file:///elsewhere"
        for command in ("restore", "show"):
            done = taken(command, "2")
            assert done.status == 3
            assert "backup 2 lies in memory://, and the storage in use is file:///elsewhere" in done.err

    def test_a_storage_that_was_moved_with_all_it_holds_is_used(self, taken: CommandLine) -> None:
        taken.storage.url = "file:///elsewhere"
        assert taken("restore", "2", "--yes").status == 0

    def test_a_database_that_was_forgotten_tells_how_to_bring_it_back(self, taken: CommandLine) -> None:
        taken("database", "remove", "shop")
        done = taken("restore", "2", typed="shop\n")
        assert done.status == 4
        assert "hint: Register it again under that name: pgproof database add shop URL" in done.err

    def test_a_server_that_does_not_answer_is_found_before_anything_is_asked(self, taken: CommandLine) -> None:
        taken.server.unreachable = True
        assert taken("restore", "2", typed="shop\n").status == 10

    def test_whatever_a_restore_would_refuse_is_refused_before_anything_is_asked(self, taken: CommandLine) -> None:
        taken.restore_refusal = Conflict("in the way", hint="Take it away.", facts={"obstacles": ["a slot: drop it"]})
        done = taken("restore", "2", typed="shop\n")
        assert done.status == 5
        assert done.err.splitlines() == ["error: in the way", "  a slot: drop it", "hint: Take it away."]
        assert list(taken.catalog.list_restores()) == []

    def test_what_is_in_the_way_of_an_undo_is_told_before_anything_is_asked(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        taken.server.in_the_way = Obstacles("app", prepared=(PreparedTransaction("half", "app"),))
        done = taken("undo", "3", typed="shop\n")
        assert done.status == 5
        assert "ROLLBACK PREPARED 'half'" in done.err
        assert "Type" not in done.err


class TestAfter:
    def test_it_says_what_came_back_where_and_how_it_was_compared(self, taken: CommandLine) -> None:
        assert taken("restore", "2", "--yes").out.splitlines() == [
            (
                'backup 2 is restored to "shop" on db:5432 (2.5 s): every table has exactly as many rows as the backup '
                "recorded"
            ),
            "public.audit_logs comes back empty: the backup was taken without these rows",
            "steps: create shadow 0.25 s, load 2.00 s",
            "the live database refused connections for 0.01 s",
            'what was there before is safe in backup 99 and in the database "shop__pgproof_previous_3"',
            "until 2026-03-02 13:30:00 CET undo it with: pgproof undo 3",
        ]

    @pytest.mark.parametrize(
        ("level", "claim"),
        [(FingerprintLevel.NONE, "were not counted"), (FingerprintLevel.CONTENT, "every row of every table")],
    )
    def test_it_claims_no_more_than_was_compared(
        self, pgproof: CommandLine, level: FingerprintLevel, claim: str
    ) -> None:
        pgproof.backups.manifest = replace(MANIFEST, fingerprint=Fingerprint(level=level))
        pgproof("backup")
        assert claim in pgproof("restore", "2", "--yes").out

    def test_where_nothing_was_nothing_is_kept_and_nothing_refused(self, taken: CommandLine) -> None:
        taken.server.databases.clear()
        shown = taken("restore", "2", "--yes").out
        assert "what was there before" not in shown
        assert "refused" not in shown
        assert "undo" not in shown

    def test_the_json_tells_the_place_the_mode_and_what_is_empty(self, taken: CommandLine) -> None:
        done = taken("restore", "2", "--mode", "in-place", "--schema", "public", "--no-owner", "--json", "--yes").json
        expected = {
            "server": {"host": "db", "port": 5432, "user": "app", "dbname": "shop"},
            "dbname": "shop",
            "mode": "in_place",
            "tables": [],
            "schemas": ["public"],
            "target_database": None,
            "no_owner": True,
            "no_acl": False,
            "excluded_data": ["public.audit_logs"],
            "undo_until": None,
        }
        assert expected.items() <= done.items()
        assert done["message"].startswith('chosen tables of backup 2 are restored to "shop" on db:5432')

    def test_every_option_reaches_the_restore(self, taken: CommandLine) -> None:
        argv = ["--mode", "new-database", "--to", "copy", "-t", "public.orders", "-n", "a", "-n", "b", "--no-acl"]
        argv += ["--map-role", "app=we=ird", "--map-role", "old=new"]
        assert taken("restore", "2", *argv, "--tablespace", "fast", "--force", "--keep-existing").status == 0
        options = taken.catalog.get_restore(3).options
        assert (options.target_database, options.tables, options.schemas) == ("copy", ("public.orders",), ("a", "b"))
        assert (options.no_acl, options.no_owner, options.tablespace) == (True, False, "fast")
        assert (options.force, options.drop_existing) == (True, False)
        assert options.role_map == {"app": "we=ird", "old": "new"}
        assert taken("restore", "2", "--map-role", "app").status == 2

    def test_an_interrupted_restore_says_where_to_look(self, taken: CommandLine) -> None:
        taken.restore_failure = KeyboardInterrupt()
        done = taken("restore", "2", "--yes")
        assert done.status == 13
        assert "hint: `pgproof list --restores` shows how far it came" in done.err

    def test_a_load_that_was_done_twice_is_told_with_where_to_read_why(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        done = taken.catalog.get_restore(3)
        twice = replace(done, timings={**done.timings, FAILED_LOAD: 1.5})
        place = taken.catalog.get_database("shop")
        forecast = Forecast(
            backup=taken.catalog.get_backup(2),
            manifest=MANIFEST,
            database=place,
            place=place.connection,
            server=taken.server.identify(place.connection),
            exists=True,
        )
        told = "pgproof log 3 --restore tells why the first load failed, and was done again with one job"
        assert told in restore_text.report(twice, forecast, NOW, UTC).splitlines()
        assert "failed load 1.50 s" in restore_text.report(twice, forecast, NOW, UTC)
        assert told not in restore_text.report(done, forecast, NOW, UTC)


class TestUndo:
    def test_it_says_what_comes_back_and_what_is_left_behind(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        taken.server.connected = 1
        done = taken("undo", "3", typed="shop\n")
        assert done.status == 0
        assert done.err.splitlines()[:3] == [
            (
                'restore 3 of 2026-03-01 13:30:00 CET is to be undone: the database "shop" on db:5432 as app becomes '
                "again what it was before."
            ),
            (
                'It comes back from "shop__pgproof_previous_3". 2 sessions are connected now; whoever is connected '
                "at the swap is cut off."
            ),
            'What is there now, with all that was written since, stays as "shop__pgproof_shadow_3".',
        ]
        assert done.out.splitlines() == [
            'restore 3 is undone: "shop" on db:5432 is what it was before the restore',
            'what the restore had brought stays beside it as "shop__pgproof_shadow_3"',
            "restore again with: pgproof restore 2",
        ]

    def test_the_json_tells_the_place_and_what_is_kept(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        done = taken("undo", "3", "--yes", "--json").json
        assert (done["success"], done["status"], done["kept_database"]) == (True, "undone", "shop__pgproof_shadow_3")
        assert done["server"]["host"] == "db"

    @pytest.mark.parametrize(
        ("changes", "detail", "hint"),
        [
            ({"status": RestoreStatus.RUNNING}, "restore 3 is still running", "pgproof log 3 --restore"),
            ({"status": RestoreStatus.UNDOING}, "being undone at this moment", "pgproof log 3 --restore"),
            ({"status": RestoreStatus.FAILED}, "failed and has replaced nothing", "list --restores"),
            ({"status": RestoreStatus.UNDONE}, "restore 3 is undone already", "pgproof restore 2"),
            ({"previous_database": None}, "there was no database to keep", "pgproof restore 99"),
        ],
    )
    def test_what_cannot_be_undone_says_why_before_anything_is_asked(
        self, taken: CommandLine, changes: dict[str, object], detail: str, hint: str
    ) -> None:
        taken("restore", "2", "--yes")
        taken.catalog.save_restore(replace(taken.catalog.get_restore(3), **changes))  # type: ignore[arg-type]
        done = taken("undo", "3", typed="shop\n")
        assert done.status == 5
        assert detail in done.err
        assert hint in done.err
        assert "Type" not in done.err

    @pytest.mark.parametrize(
        ("argv", "why", "hint"),
        [
            (["--mode", "in-place"], "in place and kept no database", "pgproof restore 99 --mode in-place"),
            (["--mode", "new-database", "--to", "copy"], 'made the new database "copy"', 'Drop the database "copy"'),
        ],
    )
    def test_the_other_modes_have_no_undo_and_say_what_to_do_instead(
        self, taken: CommandLine, argv: list[str], why: str, hint: str
    ) -> None:
        taken("restore", "2", *argv, "--yes")
        done = taken("undo", "3", "--yes")
        assert done.status == 5
        assert f"restore 3 cannot be undone: it {'replaced' if 'in place' in why else ''}" in done.err
        assert why in done.err
        assert hint in done.err

    def test_the_previous_database_may_be_gone_and_the_safety_backup_is_named(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        del taken.server.databases["shop__pgproof_previous_3"]
        done = taken("undo", "3", "--yes")
        assert done.status == 10
        assert "hint: Restore the safety backup instead: pgproof restore 99" in done.err

    def test_only_the_last_restore_can_be_undone(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        taken("restore", "2", "--yes")
        done = taken("undo", "3", "--yes")
        assert done.status == 5
        assert "hint: Undo that one first: pgproof undo 4" in done.err


class TestLists:
    def test_restores_are_listed_with_the_way_back(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        header, row = taken("list", "--restores").out.splitlines()
        assert header.split() == ["RESTORE", "BACKUP", "DATABASE", "MODE", "BEGUN", "STATE", "KEEPS", "WAY", "BACK"]
        assert "shop__pgproof_previous_3" in row
        assert row.endswith("until 2026-03-02 13:30:00 CET: pgproof undo 3")

    def test_an_earlier_restore_says_which_one_must_be_undone_first(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        taken("restore", "2", "--yes")
        _, newer, older = taken("list", "--restores").out.splitlines()
        assert newer.endswith("pgproof undo 4")
        assert older.endswith("pgproof undo 3, after 4")

    def test_the_way_back_from_a_restore_in_place_is_its_safety_backup(self, taken: CommandLine) -> None:
        taken("restore", "2", "--mode", "in-place", "--yes")
        assert taken("list", "--restores").out.rstrip().endswith("pgproof restore 99 --mode in-place")

    def test_their_json_has_the_fields_of_a_restore(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        (row,) = taken("list", "--restores", "--json").json["restores"]
        assert {"restore_id", "backup_id", "status", "kept_database", "undo_until", "mode"} <= row.keys()
        assert taken("list", "--restores", "--database", "shop", "--limit", "1", "--json").json["restores"] == [row]

    def test_without_any_the_list_says_how_to_make_one(self, taken: CommandLine) -> None:
        assert "pgproof restore ID" in taken("list", "--restores").out
        assert taken("list", "--restores", "--json").json == {"restores": []}

    def test_states_of_backups_do_not_choose_among_restores(self, taken: CommandLine) -> None:
        assert taken("list", "--restores", "--status", "failed").status == 2

    def test_show_shows_the_restores_of_a_backup(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        shown = taken("show", "2").out
        assert "RESTORE  BACKUP  DATABASE" in shown
        assert "pgproof undo 3" in shown
        assert [line.split() for line in shown.splitlines()[-3:]] == [
            ["public.items", "0"], ["public.lines", "1"], ["public.orders", "7"]
        ]  # fmt: skip

    def test_show_tells_left_out_rows_from_partitioned_tables(self, pgproof: CommandLine) -> None:
        held = replace(MANIFEST.fingerprint, schema_only=frozenset({"public.audit_logs", "public.measured"}))
        pgproof.backups.manifest = replace(MANIFEST, fingerprint=held, excluded_data=("public.audit_logs",))
        pgproof("backup")
        shown = {line.split()[0]: line for line in pgproof("show", "2").out.splitlines() if line.startswith("public")}
        assert shown["public.audit_logs"].endswith("left out")
        assert shown["public.measured"].endswith("in its partitions")

    def test_an_unfinished_restore_shows_its_step(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        restore: Restore = taken.catalog.get_restore(3)
        running = replace(restore, status=RestoreStatus.RUNNING, step=RestoreStep.CREATE_SHADOW)
        assert restore_text.state(running) == "running (create shadow)"
        assert restore_text.table([running], [running], NOW, UTC).splitlines()[1].endswith("-")

    def test_a_window_that_is_over_is_not_promised_any_more(self, taken: CommandLine) -> None:
        taken("restore", "2", "--yes")
        later = datetime(2026, 3, 9, tzinfo=UTC)
        restores = [taken.catalog.get_restore(3)]
        table = restore_text.table(restores, restores, later, UTC)
        assert table.endswith("until the next cleanup: pgproof undo 3")
