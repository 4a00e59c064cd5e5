"""A server of its own for each restore test: made, used once, thrown away.

Each lives in a folder with a lock that ends with the process that uses it. What a killed process has left, a
server that runs on and a readable copy of a database, goes with the next start of pgproof.
"""

import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pgproof.adapters.embedded.account import Account, server_account
from pgproof.adapters.embedded.cluster import Cluster
from pgproof.adapters.embedded.locks import FileLock
from pgproof.adapters.embedded.sharing import files_of, make_if_missing
from pgproof.adapters.embedded.socket_folder import private_socket_folder
from pgproof.adapters.embedded.wheel import Installation, wheel_binaries
from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.domain.errors import ConfigurationError, VersionUnsupported
from pgproof.services.ports import Scratch

# Nothing here outlives the test, so nothing needs to survive a crash. Locks for a dump of 100,000 tables.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "max_locks_per_transaction": "1024",
    "log_min_messages": "fatal",
}
_FOLDER = re.compile(r"test-(\d+)-[0-9a-f]{8}")
_LOCK = "lock"
_POLL_SECONDS = 0.05


class EmbeddedScratch:
    """The wheel's servers, one per test, below `root`.

    `binaries` tells where its programs are, by major version. Limits are seconds.
    """

    named: ConnectionInfo | None = None

    def __init__(
        self,
        root: Path,
        binaries: Callable[[], Mapping[int, Path]] = wheel_binaries,
        *,
        start_limit: float = 60,
        stop_limit: float = 30,
    ) -> None:
        self._root = root.absolute()
        self._binaries = binaries
        self._start_limit = start_limit
        self._stop_limit = stop_limit

    def free_bytes(self) -> int | None:
        """See the port."""
        folder = self._root
        while not folder.is_dir():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    @contextmanager
    def running(self, at_least: ServerVersion) -> Iterator[Scratch]:
        """See the port."""
        installation = self._nearest(at_least)
        account = server_account()
        with files_of(self._root):
            self._make_root(account)
            installation = self._runnable(installation, account)
        with self._folder(installation.major, account) as folder:
            cluster = Cluster(folder, installation, account, SETTINGS, durable=False)
            try:
                with files_of(folder):
                    connection = cluster.bring_up(self._start_limit)
                yield Scratch(connection, throwaway=True)
            finally:
                self._throw_away(folder, cluster, account)

    def remove_abandoned(self) -> Sequence[str]:
        """See the port."""
        if not self._root.is_dir():
            return []
        account = server_account()
        with files_of(self._root), FileLock(self._root / _LOCK).exclusive():
            ours = [(path, found) for path in sorted(self._root.iterdir()) if (found := _FOLDER.fullmatch(path.name))]
            return [line for path, found in ours if (line := self._remove_if_abandoned(path, int(found[1]), account))]

    def _remove_if_abandoned(self, folder: Path, major: int, account: Account) -> str | None:
        try:
            with FileLock(folder / _LOCK).lent():
                # Its files alone tell whether it runs: stopping it needs no program of its version.
                stopped = Installation(major, folder)
                self._throw_away(folder, Cluster(folder, stopped, account, SETTINGS, durable=False), account)
        except BlockingIOError:
            return None  # in use
        except (OSError, ConfigurationError) as error:
            return f"server of a restore test in {folder}: its process died; it cannot be removed: {error}"
        if folder.exists():
            return f"server of a restore test in {folder}: its process died; it cannot be removed yet"
        return f"server of a restore test in {folder}: its process died; it was stopped and removed"

    def _nearest(self, version: ServerVersion) -> Installation:
        """The oldest PostgreSQL of the wheel that is not older than this one. Raises `VersionUnsupported`."""
        there = self._binaries()
        fitting = [major for major in sorted(there) if major >= version.major]
        if not fitting:
            shown = f"has PostgreSQL {' and '.join(map(str, sorted(there)))}" if there else "is not installed"
            raise VersionUnsupported(
                f"PostgreSQL {version.major} or newer for the test (pgproof[embedded] {shown})",
                hint="Name a server of that version in BACKUP_TEST_SERVER_URL.",
            )
        return Installation(fitting[0], there[fitting[0]].parent)

    def _make_root(self, account: Account) -> None:
        # The server's user must pass through to its own folders, which are closed to others.
        mode = 0o711 if account.foreign else 0o700
        for path in [*reversed(self._root.parents), self._root]:
            make_if_missing(path, mode)
        account.check_reach(self._root)

    def _runnable(self, installation: Installation, account: Account) -> Installation:
        """The installation, or a copy of it that the server's user can reach, made once."""
        if account.can_run(installation.bin / "postgres", installation.bin / "initdb"):
            return installation
        folder = self._root / f"postgres-{installation.major}"
        with FileLock(self._root / _LOCK).exclusive():
            make_if_missing(folder, 0o711)
            return installation.copy_below(folder)

    @contextmanager
    def _folder(self, major: int, account: Account) -> Iterator[Path]:
        """A new folder that is ours for the length of a `with` block."""
        folder = self._root / f"test-{major}-{uuid.uuid4().hex[:8]}"
        with files_of(self._root):
            gate = FileLock(self._root / _LOCK)
            with gate.exclusive():
                make_if_missing(folder, 0o711 if account.foreign else 0o700)
                lock = FileLock(folder / _LOCK)
                descriptor = lock.acquire_shared()
        try:
            yield folder
        finally:
            lock.release(descriptor)

    def _throw_away(self, folder: Path, cluster: Cluster, account: Account) -> None:
        """Stop the server, then remove its files; what resists is left to `remove_abandoned`."""
        alive = FileLock(folder / "server.lock")
        deadline = time.monotonic() + self._stop_limit
        while not alive.is_free() and time.monotonic() < deadline:
            cluster.shut_down(_POLL_SECONDS)  # one that is just starting has no process id to be found by yet
            time.sleep(_POLL_SECONDS)
        if alive.is_free():
            shutil.rmtree(private_socket_folder(folder, account), ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
