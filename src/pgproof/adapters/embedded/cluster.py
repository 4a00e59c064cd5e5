"""One data directory and the server on it: make, start, ask, stop. Callers see to it that they are alone."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg

from pgproof.adapters.embedded.account import Account
from pgproof.adapters.embedded.locks import FileLock
from pgproof.adapters.embedded.socket_folder import PORT, private_socket_folder
from pgproof.adapters.embedded.wheel import Installation
from pgproof.adapters.libpq import own_defaults
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError, ServerUnreachable

SUPERUSER = "postgres"
_POLL_SECONDS = 0.03
_LOG_LINES = 20
_LOG_LIMIT = 10 * 1024**2  # bytes, after which a start begins a new log
_BUILTIN_LOCALES_SINCE = 17
# argv comes through as it is; the server becomes an orphan and may outlive the process that started it.
_DETACH = ["/bin/sh", "-c", '"$@" &', "sh"]


class Cluster:
    """The files of one embedded server below `folder`, and its life.

    One that is not `durable` is thrown away after its only use: nothing is waited for until it lies on a disk.
    """

    def __init__(
        self,
        folder: Path,
        installation: Installation,
        account: Account,
        settings: Mapping[str, str],
        *,
        durable: bool = True,
    ) -> None:
        self._folder = folder
        self._bin = installation.bin
        self._major = installation.major
        self._account = account
        self._settings = settings
        self._durable = durable
        self._data = folder / "data"
        self._log = folder / "server.log"
        # Every process of the server inherits this lock, so it tells for certain whether one lives.
        # A process id in a file does not: after a crash another program may have that id.
        self._alive = FileLock(folder / "server.lock")

    def bring_up(self, limit: float) -> ConnectionInfo:
        """Make the cluster if there is none, start the server if none runs, wait until it answers.

        Raises `ConfigurationError` if it does not start, `ServerUnreachable` after `limit` seconds.
        """
        self._make()
        deadline = time.monotonic() + limit
        started = False
        while True:
            running = not self._alive.is_free()
            connection = self._connection() if running else None
            if connection and _answers(connection):
                return connection
            if not running:
                if started:
                    raise self._start_failed()
                self._start()
                started = True
            if time.monotonic() > deadline:
                raise ServerUnreachable(
                    f"the embedded PostgreSQL {self._major} does not answer after {limit:g} s",
                    hint=f"After a crash it may need longer to recover: try again. Its log is {self._log}",
                    facts={"log": self._log_tail()},
                )
            time.sleep(_POLL_SECONDS)

    def shut_down(self, limit: float) -> None:
        """Stop the server (a fast shutdown, or an immediate one); after `limit` seconds it is left to finish."""
        if not self._alive.is_free() and (pid := self._pid()):
            try:
                os.kill(pid, signal.SIGINT if self._durable else signal.SIGQUIT)
            except ProcessLookupError:
                return
            _wait_until(self._alive.is_free, limit)

    def _make(self) -> None:
        if self._data.exists():
            if self._data.stat().st_uid != self._account.uid:
                raise ConfigurationError(
                    f"{self._data} belongs to another user than the one who runs the embedded PostgreSQL",
                    hint="Run pgproof as the user that it ran as before, or set another BACKUP_HOME.",
                )
            return
        for leftover in self._folder.glob("data.*.partial"):
            shutil.rmtree(leftover)
        partial = self._folder / f"data.{uuid.uuid4().hex}.partial"
        partial.mkdir(mode=0o700)
        self._account.give(partial)
        result = self._account.run([self._bin / "initdb", *self._initdb_options(), "--pgdata", partial])
        if result.returncode != 0:
            shutil.rmtree(partial, ignore_errors=True)
            raise ConfigurationError(
                f"unable to create the embedded PostgreSQL {self._major} in {self._folder}",
                hint="initdb says: " + result.stdout.strip().rpartition("\n")[2],
                facts={"log": result.stdout.splitlines()[-_LOG_LINES:]},
            )
        partial.rename(self._data)

    def _initdb_options(self) -> list[str]:
        options = ["--username", SUPERUSER, "--encoding", "UTF8", "--data-checksums", "--no-instructions"]
        options += ["--auth-local", "trust", "--auth-host", "reject"]
        if not self._durable:
            options.append("--no-sync")
        if self._major >= _BUILTIN_LOCALES_SINCE:
            return [*options, "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        # C.UTF-8 of the C library: every Linux that the wheel runs on has it, macOS does not.
        return [*options, "--locale", "C.UTF-8" if sys.platform == "linux" else "C"]

    def _start(self) -> None:
        self._discard_stale_pid_file()
        settings = {
            **self._settings,
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": _quoted(private_socket_folder(self._folder, self._account)),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_timezone": "UTC",
        }
        argv: list[str | Path] = [*_DETACH, self._bin / "postgres", "-D", self._data]
        argv += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._alive.lent() as lock, self._log.open("ab") as log:
            self._log.chmod(0o600)
            subprocess.run(
                argv,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                **self._account.popen_options(),
            )

    def _discard_stale_pid_file(self) -> None:
        """Remove what a killed server left behind, if its process id now belongs to some other program.

        PostgreSQL itself would refuse to start then, which in a container happens again and again.
        """
        pid = self._pid()
        working_folder = Path(f"/proc/{pid}/cwd")
        if pid and working_folder.is_symlink() and not _same_folder(working_folder, self._data):
            (self._data / "postmaster.pid").unlink()

    def _pid(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].isdecimal() else None

    def _connection(self) -> ConnectionInfo | None:
        lines = self._pid_file()  # its fifth line is the socket's folder
        if len(lines) < 5 or not lines[4]:
            return None
        return ConnectionInfo(dbname="postgres", host=lines[4], port=PORT, user=SUPERUSER)

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _start_failed(self) -> ConfigurationError:
        return ConfigurationError(
            f"the embedded PostgreSQL {self._major} did not start",
            hint=f"Its log says why: {self._log}",
            facts={"log": self._log_tail()},
        )

    def _log_tail(self) -> list[str]:
        if not self._log.exists():
            return []
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 16_384))
            return log.read().decode(errors="replace").splitlines()[-_LOG_LINES:]


def _answers(connection: ConnectionInfo) -> bool:
    said: dict[str, Any] = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.user,
        "dbname": connection.dbname,
        "connect_timeout": 5,
    }
    try:
        psycopg.connect(**{**own_defaults(said), **said}).close()
    except psycopg.OperationalError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], limit: float) -> None:
    deadline = time.monotonic() + limit
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _quoted(folder: Path) -> str:
    # The setting is a list of folders; quotes keep one with spaces together.
    return '"' + str(folder).replace('"', '""') + '"'


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
