"""Several processes, one server: the first starts it, the last stops it.

Two locks: `gate` is held alone while somebody comes or goes, so nobody arrives at a server that is being
stopped; `users` is shared by all who use the server, and vanishes with a process that is killed. Who goes
and then gets `users` alone was the last one. A server whose last user was killed runs on until the next
user leaves.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pgproof.adapters.embedded.account import Account, server_account
from pgproof.adapters.embedded.cluster import Cluster
from pgproof.adapters.embedded.locks import FileLock
from pgproof.adapters.embedded.wheel import Installation
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError, ServerUnreachable


@contextmanager
def shared_server(
    home: Path,
    installation: Installation,
    settings: Mapping[str, str],
    *,
    start_limit: float,
    stop_limit: float,
) -> Iterator[ConnectionInfo]:
    """Use the server for the length of a `with` block. Limits are seconds."""
    account = server_account()
    folder = _make_folder(home, installation.major, account)
    gate, users = FileLock(folder / "gate.lock"), FileLock(folder / "users.lock")
    with files_of(folder), gate.exclusive():
        if not account.can_run(installation.bin / "postgres", installation.bin / "initdb"):
            installation = installation.copy_below(folder)
        cluster = Cluster(folder, installation, account, settings)
        place = users.acquire_shared()
        try:
            connection = cluster.bring_up(start_limit)
        except ServerUnreachable:
            users.release(place)  # it is still recovering: whoever comes next finds it further on
            raise
        except BaseException:
            _leave(place, users, cluster, stop_limit)
            raise
    try:
        yield connection
    finally:
        with gate.exclusive():
            _leave(place, users, cluster, stop_limit)


def _leave(place: int, users: FileLock, cluster: Cluster, stop_limit: float) -> None:
    users.release(place)
    if users.is_free():
        cluster.shut_down(stop_limit)


def _make_folder(home: Path, major: int, account: Account) -> Path:
    # The server's user must pass through to its own folders, which are closed to others.
    mode = 0o711 if account.foreign else 0o700
    folder = home / f"postgres-{major}"
    with files_of(folder):
        for path in [*reversed(folder.parents), folder]:
            make_if_missing(path, mode)
        (folder / "gate.lock").touch(mode=0o600)
    account.check_reach(folder)
    return folder


@contextmanager
def files_of(folder: Path) -> Iterator[None]:
    """Say which file cannot be used, such as one that pgproof made when somebody else ran it."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"unable to use {error.filename or folder} for the embedded PostgreSQL: {error.strerror}",
            hint="Run pgproof as the user that it ran as before, or set BACKUP_HOME to a folder that you can write to.",
        ) from error


def make_if_missing(path: Path, mode: int) -> None:
    """Make a folder with exactly this mode, unless it is there."""
    if not path.exists():
        try:
            path.mkdir()
        except FileExistsError:
            return  # another process was quicker
        path.chmod(mode)  # whatever the umask is; folders that were there stay as they are
