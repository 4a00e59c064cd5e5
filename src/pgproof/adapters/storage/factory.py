"""From a storage's address to the storage."""

import re
from pathlib import Path
from urllib.parse import unquote

from pgproof.adapters.storage.local import LocalStorage
from pgproof.domain.errors import ConfigurationError
from pgproof.services.ports import Storage

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def open_storage(url: str) -> Storage:
    """The storage at a path or a `file:///` URL. Raises `ConfigurationError` for anything else.

    Nothing is touched yet: `Storage.check` tells whether it can be used.
    """
    found = _SCHEME.fullmatch(url)
    if found is None:
        return _local(url, Path(url))
    scheme, rest = found[1].lower(), found[2]
    if scheme != "file":
        raise ConfigurationError(
            f"storages of the kind {scheme}:// are not supported",
            hint="This version keeps backups in local folders only: give a path, or file:///absolute/path.",
        )
    host, slash, path = rest.partition("/")
    if not slash or host not in {"", "localhost"}:
        raise ConfigurationError(
            f"{url!r} does not name a local folder",
            hint="Write file:// and an absolute path: file:///srv/backups",
        )
    return _local(url, Path("/" + unquote(path)))


def _local(url: str, path: Path) -> Storage:
    if not url.strip() or "\0" in str(path):
        raise ConfigurationError(f"{url!r} does not name a local folder", hint="Give the path of a folder for backups.")
    try:
        return LocalStorage(path.expanduser())
    except RuntimeError as error:
        raise ConfigurationError(
            f"{url!r} names a home directory that is unknown: {error}", hint="Write the path without '~'."
        ) from error
