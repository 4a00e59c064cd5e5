"""What a tool's last words mean to a person."""

from pathlib import Path

import pytest

from pgproof.adapters.postgres.failures import dump_failure, restore_failure
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import DumpFailed, PgproofError, PrivilegeMissing, StorageFull

PLACE = ConnectionInfo("shop", "db", 5432)


@pytest.mark.parametrize(
    ("line", "kind", "said", "hint"),
    [
        ("pg_dump: error: query failed: ERROR:  permission denied for table t", PrivilegeMissing, "denied", "GRANT"),
        ("pg_dump: error: could not write to file: No space left on device", StorageFull, "No space", "STAGING"),
        ("pg_dump: error: connection failed: FATAL:  no encryption", DumpFailed, "no encryption", "TLS"),
        ("pg_dump: error: canceling statement due to lock timeout", DumpFailed, "lock timeout", "BACKUP_LOCK_WAIT"),
    ],
)
def test_a_dumps_last_words_decide_about_error_and_hint(
    line: str, kind: type[PgproofError], said: str, hint: str
) -> None:
    error = dump_failure("pg_dump", 1, ["pg_dump: reading schemas", line], PLACE)
    assert type(error) is kind
    assert said in error.detail
    assert hint in error.hint
    assert error.facts["exit_status"] == 1


def test_a_full_staging_folder_is_named_with_its_setting() -> None:
    tail = ["pg_dump: error: could not write to file: No space left on device"]
    error = dump_failure("pg_dump", 1, tail, PLACE, Path("/srv/staging"))
    assert error.hint == "Make room in the staging folder /srv/staging, or name another in BACKUP_STAGING_DIR."


def test_a_death_by_signal_is_said() -> None:
    assert "was killed by SIGKILL" in dump_failure("pg_dump", -9, [], PLACE).detail
    assert "signal 250" in dump_failure("pg_dump", -250, [], PLACE).detail


def test_what_the_server_said_to_psql_is_read_with_its_detail() -> None:
    tail = ["psql:<stdin>:70: ERROR:  cannot drop table a because other objects depend on it", "DETAIL:  view v", "x"]
    error = restore_failure("psql", 3, tail)
    assert "cannot drop table a because other objects depend on it DETAIL:  view v" in error.detail
    assert "Nothing was changed" in error.hint


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('pg_restore: error: could not execute query: ERROR:  role "x" does not exist', "Create the role"),
        ('pg_restore: error: ERROR:  extension "x" is not available', "Install the extension"),
        ("pg_restore: error: something else", "The live database was not touched"),
    ],
)
def test_a_restores_last_words_decide_about_the_hint(line: str, hint: str) -> None:
    assert hint in restore_failure("pg_restore", 1, [line]).hint
