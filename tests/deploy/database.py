"""The service `db` of the compose files: a server in their network, at port 5432, with their password."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgproof.adapters.embedded.account import server_account
from tests.deploy.containers import Network
from tests.servers import SETTINGS, START_LIMIT, debian_server, initdb, private_folder


@dataclass(frozen=True)
class Database:
    """The server, as seen from outside of the network: its socket is a file."""

    socket: Path

    def sql(self, dbname: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(host=str(self.socket), user="postgres", dbname=dbname, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows


@contextmanager
def database(place: Network, password: str) -> Iterator[Database]:
    """A running server for the length of a `with` block."""
    installation, account = debian_server(), server_account()
    with private_folder(account) as folder:
        data = folder / "data"
        initdb(installation, account, data, password)
        settings = {
            **SETTINGS,
            "listen_addresses": "127.0.0.1",
            "port": "5432",
            "unix_socket_directories": str(folder),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        become = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        argv = [*place.enter, *become, str(installation.bin / "postgres"), "-D", str(data), *words]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait(process, Database(folder), folder / "log")
            yield Database(folder)
        finally:
            process.send_signal(signal.SIGINT)  # a fast end: it does not wait for who is connected
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", started: Database, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while True:
        try:
            started.sql("postgres", "SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        else:
            return
