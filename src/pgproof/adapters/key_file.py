"""The key that a fresh installation makes for itself."""

import os
import secrets
from pathlib import Path

from pgproof.domain.errors import ConfigurationError
from pgproof.domain.secret import Secret

_BYTES = 32


def read_or_create_key(path: Path) -> Secret:
    """The key in a file that only its owner may read; made on first use.

    Raises `ConfigurationError` where the file cannot be read or made, or is empty.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = _read(path) or _create(path)
    except OSError as error:
        raise ConfigurationError(
            f"unable to use the key file {path}: {error.strerror}",
            hint="Make its folder writable, choose another BACKUP_HOME, or set BACKUP_SECRET_KEY.",
        ) from error
    return Secret(key)


def _read(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except FileNotFoundError:
        return ""
    if not key:
        raise ConfigurationError(
            f"the key file {path} is empty",
            hint="Restore it from a backup of the machine: without it stored passwords cannot be opened. "
            "To begin anew, remove it and register the databases again.",
        )
    return key


def _create(path: Path) -> str:
    key = secrets.token_urlsafe(_BYTES)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where another process was quicker, and never shows a half-written key.
        os.link(draft, path)
    except FileExistsError:
        return path.read_text().strip()
    finally:
        draft.unlink()
    return key
