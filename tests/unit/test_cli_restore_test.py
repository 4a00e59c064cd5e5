"""`pgproof restore-test`: what it says, and how a script can tell the three answers apart."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pgproof.domain.fingerprint import Difference
from pgproof.domain.restore_test import RestoreTestOutcome, Verdict
from pgproof.entrypoints.cli.restore_test import STATUSES
from tests.command_line import CommandLine

PASSED, FAILED, NOT_TESTABLE = RestoreTestOutcome


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    made = CommandLine(tmp_path, {"BACKUP_TIMEZONE": "Europe/Berlin"})
    made("backup")
    yield made
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def test_the_three_answers_have_three_statuses() -> None:
    assert STATUSES == {PASSED: 0, FAILED: 12, NOT_TESTABLE: 5}


def test_a_proven_backup_is_told_with_what_was_compared_and_how_long_it_took(pgproof: CommandLine) -> None:
    compared = {"tables": 25, "rows": 12_345, "sequences": 1, "large_objects": 2, "definitions": 130}
    pgproof.restore_tests.verdict = Verdict(PASSED, compared=compared, remarks=("1 definition came \x1b[31mback",))
    done = pgproof("restore-test", "2")
    assert (done.status, done.err) == (0, "load\n")
    assert done.out.splitlines() == [
        "backup 2 of shop is proven: it was restored, and what came back is what was there (2.5 s)",
        "compared: 12,345 rows in 25 tables, 1 sequence, 2 large objects, 130 definitions",
        "1 definition came \\x1b[31mback",
        "server: PostgreSQL 18.4, one of its own",
        "steps: start server 1.25 s, load 1.00 s",
    ]


def test_a_difference_is_named_and_the_status_is_that_of_integrity(pgproof: CommandLine) -> None:
    differences = tuple(Difference("table", f"public.t{n}", "3 rows", "2 rows") for n in range(25))
    pgproof.restore_tests.verdict = Verdict(FAILED, differences=differences, compared={"tables": 25, "rows": 75})
    done = pgproof("restore-test", "2")
    assert done.status == 12
    assert (
        "backup 2 of shop FAILED its restore test: what came back differs from what was there in 25 places" in done.out
    )
    assert "  table public.t0: expected 3 rows, found 2 rows\n" in done.out
    assert "  (the first 20 of 25; --json has all)\n" in done.out
    assert "pgproof log 3 --restore-test" in done.out
    machine = pgproof("restore-test", "2", "--json")
    assert machine.status == 12
    assert (machine.json["outcome"], machine.json["success"]) == ("failed", False)
    assert machine.json["differences"][0] == {
        "kind": "table", "name": "public.t0", "expected": "3 rows", "actual": "2 rows",
    }  # fmt: skip
    assert len(machine.json["differences"]) == 25


def test_a_backup_that_does_not_load_is_told_with_the_tools_last_words(pgproof: CommandLine) -> None:
    details = {"code": "restore_failed", "hint": "", "stderr": ["pg_restore: error: \x07 broken"]}
    pgproof.restore_tests.verdict = Verdict(FAILED, error_message="pg_restore ended", error_details=details)
    done = pgproof("restore-test", "2")
    assert done.status == 12
    assert "backup 2 of shop FAILED its restore test: pg_restore ended\n  pg_restore: error: \\x07 broken\n" in done.out


def test_what_cannot_be_tested_here_is_neither_and_says_what_is_missing(pgproof: CommandLine) -> None:
    pgproof.restore_tests.verdict = Verdict(NOT_TESTABLE, missing=("extension postgis", "PostgreSQL 19"))
    done = pgproof("restore-test", "2")
    assert done.status == 5
    assert done.out.startswith(
        "backup 2 of shop cannot be tested here, so nothing is known about it\n"
        "  there is no extension postgis\n  there is no PostgreSQL 19\n"
    )
    assert "BACKUP_TEST_SERVER_URL" in done.out
    machine = pgproof("restore-test", "2", "--json")
    assert (machine.status, machine.json["outcome"]) == (5, "not_testable")
    assert machine.json["missing"] == ["extension postgis", "PostgreSQL 19"]


def test_the_list_and_the_sheet_of_a_backup_show_since_when_it_is_proven(pgproof: CommandLine) -> None:
    assert pgproof("list", "--json").json["backups"][0]["proven_at"] is None
    pgproof("restore-test", "2")
    header, row = pgproof("list").out.splitlines()
    assert row[header.index("PROVEN") :].startswith("2026-03-02 ")
    shown = pgproof("show", "2").out
    assert "proven" in shown
    assert "2026-03-02 13:30:00 CET" in shown
    assert "passed" in shown
    (test,) = pgproof("show", "2", "--json").json["restore_tests"]
    assert (test["restore_test_id"], test["outcome"]) == (3, "passed")
    pgproof.restore_tests.verdict = Verdict(FAILED, differences=(Difference("table", "public.t", "1 rows", None),))
    pgproof("restore-test", "2")
    assert pgproof("list", "--json").json["backups"][0]["proven_at"] is None
    assert "table public.t is missing" in pgproof("show", "2").out


def test_the_log_of_a_test_is_read_by_its_own_number(pgproof: CommandLine) -> None:
    pgproof("restore-test", "2")
    assert pgproof("log", "3", "--restore-test", "--json").json == {"restore_test_id": 3, "lines": []}
    assert pgproof("log", "9", "--restore-test").status == 4
    assert pgproof("log", "3", "--restore-test", "--restore").status == 2


def test_an_unknown_backup_is_not_found(pgproof: CommandLine) -> None:
    assert pgproof("restore-test", "9").status == 4
