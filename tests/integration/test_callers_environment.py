"""What the caller's environment says about PostgreSQL counts neither for our sessions nor for the tools."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pgproof.adapters.libpq import own_defaults
from pgproof.adapters.postgres import commands
from pgproof.domain.database import ConnectionInfo
from tests.servers import Server, to_url

# Each would lead a session that listened to it somewhere else, or make it fail.
CALLER = {
    "PGHOST": "nowhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGOPTIONS": "-c default_transaction_isolation=nonsense",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nonexistent",
    "PGSSLCERT": "/nonexistent",
    "PGSSLCERTMODE": "require",
    "PGSSLMINPROTOCOLVERSION": "TLSv1.3",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "none",
    "PGREQUIREPEER": "nobody",
    "PGGSSENCMODE": "require",
    "PGTARGETSESSIONATTRS": "read-only",
    "PGCONNECT_TIMEOUT": "nonsense",
    "PGMINPROTOCOLVERSION": "nonsense",
    "PGMAXPROTOCOLVERSION": "nonsense",
    "PGCLIENTENCODING": "SQL_ASCII",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Tokyo",
}

ASKING = """
import json, sys
from pgproof.adapters.catalog.connect import connect as connect_catalog
from pgproof.adapters.postgres.connect import connect
from pgproof.adapters.postgres.server import LivePostgresServer
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import PgproofError
from pgproof.domain.secret import Secret
import psycopg

given = json.loads(sys.stdin.read())
given["password"] = Secret(given["password"]) if given["password"] else None
place = ConnectionInfo(**given)
said = []
QUESTION = "SELECT current_database(), current_user, now()"
try:
    with connect(place) as session:
        said.append(session.execute(QUESTION).fetchone()[:2])
    LivePostgresServer().identify(place)
    with connect_catalog(place) as session:
        said.append(session.execute(QUESTION).fetchone()[:2])
except (PgproofError, psycopg.Error) as error:
    said.append([type(error).__name__, str(error)])
print(json.dumps(said))
"""


def ask(place: ConnectionInfo, environment: dict[str, str]) -> Any:
    """What a process with that environment finds there."""
    given = {
        "dbname": place.dbname,
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "password": place.password.reveal() if place.password else None,
    }
    asked = subprocess.run(
        [sys.executable, "-c", ASKING],
        env={**os.environ, **environment},
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


@pytest.mark.parametrize("name", CALLER)
def test_no_variable_changes_where_a_session_leads(server18: Server, name: str) -> None:
    place = server18.connection
    assert ask(place, {name: CALLER[name]}) == [[place.dbname, place.user]] * 2


def test_all_of_them_together_change_nothing_either(server18: Server) -> None:
    place = server18.connection
    assert ask(place, CALLER) == [[place.dbname, place.user]] * 2


def test_a_password_of_the_environment_lets_nobody_in(server18: Server) -> None:
    place = server18.connection
    assert place.password is not None
    without = ConnectionInfo(place.dbname, place.host, place.port, place.user)
    [[kind, said]] = ask(without, {"PGPASSWORD": place.password.reveal()})
    assert kind == "AuthenticationFailed"
    assert "no password supplied" in said


def test_a_password_file_of_the_environment_does_for_sessions_and_tools(server18: Server, tmp_path: Path) -> None:
    place = server18.connection
    assert place.password is not None
    without = ConnectionInfo(place.dbname, place.host, place.port, place.user)
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:*:{place.password.reveal()}\n")
    file.chmod(0o600)
    environment = {"PGPASSFILE": str(file)}
    assert ask(without, environment) == [[place.dbname, place.user]] * 2
    assert commands.environment(environment, without)["PGPASSFILE"] == str(file)


def test_nothing_is_added_where_the_environment_is_silent() -> None:
    assert own_defaults({"user", "host"}) == {}
    assert own_defaults({"service"}) == {}


def test_a_backup_needs_no_quiet_environment(
    server18: Server, tmp_path: Path, make_environment: Callable[..., dict[str, str]]
) -> None:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t AS SELECT 1 AS i")
    argv = [sys.executable, "-m", "pgproof", "backup", to_url(place), "--json"]
    done = subprocess.run(argv, env=make_environment(**CALLER), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "completed"


@pytest.fixture
def make_environment(tmp_path: Path, catalog_connection: ConnectionInfo) -> Callable[..., dict[str, str]]:
    ours = {
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(catalog_connection),
    }
    return lambda **further: {**os.environ, **ours, **further}
