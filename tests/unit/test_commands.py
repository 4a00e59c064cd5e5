"""What the tools are called with: no password, no foreign settings, every name quoted."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from pgproof.adapters.postgres import commands
from pgproof.adapters.postgres.process import Command
from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.domain.secret import Secret
from pgproof.services.ports import ClientTools, DumpRequest, Relation, RestoreRequest

TOOLS = ClientTools(ServerVersion(180004), Path("/opt/pg/bin"), "PATH")
PASSWORD = "correct horse 'battery' staple"
CONNECTION = ConnectionInfo(
    dbname="we\"ird 'näme", host="db.example", port=6000, user="o'neil", password=Secret(PASSWORD),
    options={"sslmode": "verify-full"},
)  # fmt: skip
BASE = {"PATH": "/bin", "PGHOST": "elsewhere", "PGPASSWORD": "other", "BACKUP_SECRET_KEY": "key", "LC_ALL": "de_DE"}
REQUEST = DumpRequest(
    CONNECTION, "00000003-1", ArchiveFormat.CUSTOM, 1, (Relation(1, "Odd.Schema", 'ta"ble', "n"),), ("pgproof",)
)


RESTORE = RestoreRequest(Path("/staging/x"), CONNECTION, jobs=4, settings={"work_mem": "64 MB", "a": "b\\c"})


def all_commands() -> list[Command]:
    return [
        commands.dump(TOOLS, REQUEST, BASE, None),
        commands.dump(TOOLS, REQUEST, BASE, Path("/staging/x")),
        commands.dump_globals(TOOLS, CONNECTION, BASE, passwords=True),
        commands.restore(TOOLS, RESTORE, BASE, entry_list=None),
        commands.restore_script(TOOLS, RESTORE, BASE, entry_list=Path("/staging/l"), one_transaction=True),
        commands.psql(TOOLS, RESTORE, BASE),
        commands.list_contents(TOOLS, None, BASE),
    ]


def test_no_argument_vector_holds_the_password() -> None:
    for command in all_commands():
        assert not any(PASSWORD in argument for argument in command.argv)


def test_the_password_travels_by_environment_and_is_known_as_a_secret() -> None:
    command = commands.dump(TOOLS, REQUEST, BASE, None)
    assert command.environment["PGPASSWORD"] == PASSWORD
    assert PASSWORD not in repr(command.secrets)


def test_what_the_callers_environment_says_about_servers_and_secrets_never_reaches_a_tool() -> None:
    for command in all_commands():
        assert "PGHOST" not in command.environment
        assert "BACKUP_SECRET_KEY" not in command.environment
        assert command.environment["LC_MESSAGES"] == "C"
    assert "PGPASSWORD" not in commands.list_contents(TOOLS, None, BASE).environment


def test_odd_names_reach_libpq_as_they_are() -> None:
    argv = commands.dump(TOOLS, REQUEST, BASE, None).argv
    given = next(argument for argument in argv if argument.startswith("--dbname="))
    parsed = conninfo_to_dict(given.removeprefix("--dbname="))
    assert parsed["dbname"] == CONNECTION.dbname
    assert parsed["user"] == CONNECTION.user
    assert parsed["sslmode"] == "verify-full"


def test_tables_without_their_rows_are_named_exactly() -> None:
    argv = commands.dump(TOOLS, REQUEST, BASE, None).argv
    assert '--exclude-table-data="Odd.Schema"."ta""ble"' in argv
    assert '--exclude-schema="pgproof"' in argv


def test_a_restore_ends_at_the_first_error() -> None:
    assert "--exit-on-error" in commands.restore(TOOLS, RESTORE, BASE, entry_list=None).argv
    assert "--set=ON_ERROR_STOP=1" in commands.psql(TOOLS, RESTORE, BASE).argv


def test_settings_of_a_session_travel_in_the_connection_string_beside_others() -> None:
    place = CONNECTION.with_settings({"event_triggers": "off"})
    for command in (
        commands.restore(TOOLS, replace(RESTORE, connection=place), BASE, entry_list=None),
        commands.psql(TOOLS, replace(RESTORE, connection=place), BASE),
    ):
        given = next(argument for argument in command.argv if argument.startswith("--dbname="))
        options = conninfo_to_dict(given.removeprefix("--dbname="))["options"]
        assert options == (
            r"-c event_triggers=off -c default_transaction_read_only=off -c array_nulls=on"
            r" -c quote_all_identifiers=off -c work_mem=64\ MB -c a=b\\c"
        )


@pytest.mark.parametrize(("encoding", "codec"), [("LATIN1", "latin1"), ("WIN1252", "cp1252"), ("UTF8", "utf-8")])
def test_names_of_tables_to_leave_out_are_bytes_in_the_databases_encoding(encoding: str, codec: str) -> None:
    request = replace(REQUEST, encoding=encoding, excluded_data=(Relation(1, "public", "protokollé", "n"),))
    argv = commands.dump(TOOLS, request, BASE, None).argv
    given = next(argument for argument in argv if argument.startswith("--exclude-table-data="))
    assert "protokollé".encode(codec) in os.fsencode(given)
