"""A folder for the server's unix socket that nobody else can enter.

Whoever can open the socket is superuser, so the folder's owner and mode are the whole protection.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from pgproof.adapters.embedded.account import Account
from pgproof.domain.errors import ConfigurationError

PORT = 5432
_SOCKET = f".s.PGSQL.{PORT}"
_LONGEST = 100  # bytes; sockaddr_un holds 108 on Linux, 104 on macOS


def private_socket_folder(home: Path, account: Account) -> Path:
    """`home`/socket, or where libpq could not take that path, a folder under the temporary one."""
    folder = home / "socket"
    if not _usable(folder):
        mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()).absolute() / f"pgproof-{account.uid}-{mark}"
    if not _usable(folder):
        raise ConfigurationError(
            f"the path {folder} cannot hold a unix socket",
            hint="Set BACKUP_HOME to a shorter path without commas.",
        )
    try:
        folder.mkdir(mode=0o700)
        account.give(folder)
    except FileExistsError:
        _check_private(folder, account)
    return folder


def _usable(folder: Path) -> bool:
    # libpq reads a comma as the end of one host name.
    return len(os.fsencode(folder / _SOCKET)) <= _LONGEST and "," not in str(folder)


def _check_private(folder: Path, account: Account) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{folder} is not a private folder of the user that runs the embedded PostgreSQL",
            hint=f"Find out who made it; remove it if it is not needed: rm -r {folder}",
        )
