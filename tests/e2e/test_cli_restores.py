"""Restores by the command line: every mode, what it says, and where things are found again."""

import pytest

from tests.e2e.command_line import CommandLine

pytestmark = pytest.mark.usefixtures("_logs_as_before")


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
