"""Where pg_dump, pg_restore and pg_dumpall are, and which of them fit a server."""

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from pgproof.domain.database import ServerVersion
from pgproof.domain.errors import ClientMissing, ConfigurationError, InvalidInput
from pgproof.services.ports import ClientTools

TOOLS = ("pg_dump", "pg_restore", "pg_dumpall")
EMBEDDED = "embedded"

# Debian and Ubuntu; Red Hat's PGDG packages; Alpine; Homebrew on Apple silicon and Intel; Postgres.app.
_VERSIONED_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


def find_clients(
    configured: str | None, environment: Mapping[str, str], embedded: Mapping[int, Path]
) -> Sequence[ClientTools]:
    """All installations, newest first; of equal versions the system's own before the embedded.

    `configured` (BACKUP_PG_BIN, folders separated as in PATH) replaces the search when it is given.
    """
    if configured:
        clients = [_configured(Path(folder)) for folder in configured.split(os.pathsep)]
    else:
        clients = list(_search(environment, embedded))
    return sorted(clients, key=lambda client: (client.version, client.origin != EMBEDDED), reverse=True)


def pick(
    clients: Sequence[ClientTools], server: ServerVersion, at_least: ServerVersion | None = None, *, tls: bool = False
) -> ClientTools:
    """The tools for a server: its own major version, else the nearest newer one, never an older one.

    Among equal majors the system's own come before the embedded ones, which lack TLS and zstd.
    """
    floor = max(server.major, at_least.major if at_least else 0)
    able = [client for client in clients if not tls or client.origin != EMBEDDED]
    suitable = [client for client in able if client.version.major >= floor]
    if not suitable:
        found = ", ".join(f"{client.version} in {client.folder}" for client in able) or "none at all"
        found += ", beside the embedded ones, which have no TLS" if len(able) < len(clients) else ""
        raise ClientMissing(
            f"no PostgreSQL client tools for a server of version {server}: found {found}",
            hint=f"Install the PostgreSQL {floor} client package (on Debian: postgresql-client-{floor}), "
            "or name its folder in BACKUP_PG_BIN. A client older than the server cannot dump it.",
        )
    nearest = min(client.version.major for client in suitable)
    same = [client for client in suitable if client.version.major == nearest]
    return next((client for client in same if client.origin != EMBEDDED), same[0])


def _search(environment: Mapping[str, str], embedded: Mapping[int, Path]) -> Iterator[ClientTools]:
    folders = [(Path(folder), "PATH") for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    for pattern in _VERSIONED_FOLDERS:
        folders += [(folder, "system") for folder in sorted(Path("/").glob(pattern[1:]))]
    folders += [(folder, EMBEDDED) for folder in embedded.values()]
    yield from _unique(folders, _read_client)


def _unique(
    folders: Iterable[tuple[Path, str]], read: Callable[[Path, str], ClientTools | None]
) -> Iterator[ClientTools]:
    seen = set()
    for folder, origin in folders:
        if not all(_is_there(folder / tool) for tool in TOOLS):
            continue
        real = (folder / "pg_dump").resolve()
        # Debian's wrapper picks a version by rules of its own; the versioned folders are found anyway.
        if real.name != "pg_dump" or real in seen:
            continue
        seen.add(real)
        client = read(folder, origin)
        if client is not None:
            yield client


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # a folder that we may not enter holds nothing for us


def _configured(folder: Path) -> ClientTools:
    missing = [tool for tool in TOOLS if not _is_there(folder / tool)]
    if missing:
        raise ConfigurationError(
            f"BACKUP_PG_BIN names {folder}, in which we find no {' and no '.join(missing)}",
            hint="Name the folder that holds the PostgreSQL client tools, such as /usr/lib/postgresql/18/bin, "
            "and let us read it.",
        )
    client = _read_client(folder, "BACKUP_PG_BIN")
    if client is None:
        raise ConfigurationError(
            f"the pg_dump in {folder} (from BACKUP_PG_BIN) does not run",
            hint=f"Try `{folder / 'pg_dump'} --version` by hand.",
        )
    return client


@cache
def _read_client(folder: Path, origin: str) -> ClientTools | None:
    try:
        answer = subprocess.run(
            [str(folder / "pg_dump"), "--version"], capture_output=True, text=True, timeout=30, check=True
        )
        version = ServerVersion.parse(answer.stdout.partition(") ")[2].split()[0])
    except (OSError, subprocess.SubprocessError, InvalidInput, IndexError):
        return None  # not a pg_dump that works here: doctor lists those that do
    return ClientTools(version, folder, origin)
