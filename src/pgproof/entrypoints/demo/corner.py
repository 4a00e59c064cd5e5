"""The demonstration's own corner of BACKUP_HOME: nothing of the user's is ever in it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgproof.bootstrap import embedded_server
from pgproof.domain.errors import ConfigurationError, Conflict

MARKER = ".pgproof-demo"
_README = "This folder belongs to `pgproof demo`, which empties it whenever it starts.\n"


@contextmanager
def empty_corner(home: Path) -> Iterator[Path]:
    """The folder `demo` in `home`, empty, for us alone for the length of a `with` block.

    Only a folder that carries our marker is emptied. Raises `ConfigurationError` for any other, and
    `Conflict` while another demonstration runs.
    """
    corner = home / "demo"
    _make(corner)
    with (corner / MARKER).open("a") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"another demonstration runs in {corner}", hint="Wait until it ends, or set another BACKUP_HOME."
            ) from error
        _stop_leftover(corner)
        _empty(corner)
        yield corner


def _make(corner: Path) -> None:
    # As root the server runs as another user, who must be able to pass through.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        for folder in (corner.parent, corner):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(mode)
        if not (corner / MARKER).exists() and any(corner.iterdir()):
            raise ConfigurationError(
                f"{corner} exists and is not a demonstration's, so it is not touched",
                hint="Move it away, or set BACKUP_HOME to another folder.",
            )
        if not (corner / MARKER).exists():
            (corner / MARKER).write_text(_README)
    except OSError as error:
        raise ConfigurationError(
            f"unable to use {corner}: {error.strerror}", hint="Set BACKUP_HOME to a folder that you can write to."
        ) from error


def _stop_leftover(corner: Path) -> None:
    """A demonstration that was killed may have left its server running: the next user who leaves stops it."""
    if any(corner.glob("embedded/*/data/postmaster.pid")):
        try:
            with embedded_server(corner).running():
                pass
        except ConfigurationError:
            return  # it does not even start, so nothing runs there


def _empty(corner: Path) -> None:
    for path in corner.iterdir():
        if path.name == MARKER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
