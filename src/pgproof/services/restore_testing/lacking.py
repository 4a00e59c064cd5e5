"""What a place lacks to test a backup there: looked for beforehand, and read from what ended an attempt.

A load that ends for such a reason says nothing about the backup.
"""

import re

from pgproof.domain.database import Server, ServerVersion
from pgproof.domain.errors import (
    ClientMissing,
    PgproofError,
    RestoreFailed,
    ServerUnreachable,
    StorageFull,
    VersionUnsupported,
)
from pgproof.domain.manifest import Manifest
from pgproof.domain.wording import in_quotes, size

# A new server with its log of changes, beside what the database itself takes.
_SERVER_BYTES = 512 * 1024**2

# What servers say, and what they lack when they say it.
_WORDS = (
    (re.compile(r"No space left on device|Disk quota exceeded|has no space left"), "space on the disk"),
    (re.compile(r'extension "([^"]+)" is not available'), "extension {}"),
    (re.compile(r'could not (?:access file|load library) "([^"]+)"'), "library {}"),
    (re.compile(r'(?:could not create locale|invalid (?:LC_\w+ )?locale name):? "([^"]+)"'), "locale {}"),
    (re.compile(r"invalid LC_\w+ locale name"), "a locale"),
    (re.compile(r"requires the server to be built with ([\w-]+)"), "a server built with {}"),
    (re.compile(r"(ICU) is not supported in this build"), "a server built with {}"),
    (re.compile(r"out of (?:shared )?memory"), "memory"),
)
_RIGHTS = re.compile(r"(permission denied [^:]*|must be (?:superuser|owner|member|able to SET ROLE)[^:]*)")
_ROLE = re.compile(r'role "([^"]+)" does not exist')
# Neither the backup's fault nor a lack: the server or its process went away.
_GONE = re.compile(r"server closed the connection|connection to server|terminating connection|was killed by")


def lacking_space(manifest: Manifest, free: int | None) -> tuple[str, ...]:
    """Whether a database as large as the original would not fit; `free` in bytes, ``None`` is unknown."""
    needed = manifest.database_size_bytes + _SERVER_BYTES
    if free is None or free >= needed:
        return ()
    return (f"space: {size(needed)} are needed, {size(free)} are free",)


def lacking_on(server: Server, manifest: Manifest, extensions: frozenset[str]) -> tuple[str, ...]:
    """What a server lacks that offers these extensions."""
    missing = []
    taken_on = ServerVersion.parse(manifest.server_version)
    if server.version.major < taken_on.major:
        missing.append(f"PostgreSQL {taken_on.major} or newer (the server for tests is {server.version})")
    if not server.can_create_databases:
        missing.append(f"the right to create databases (the role {in_quotes(server.role)} has none)")
    missing += [f"extension {name}" for name in sorted(set(manifest.fingerprint.extensions) - extensions)]
    return tuple(missing)


def lacking_behind(error: PgproofError, server: Server | None, *, throwaway: bool) -> tuple[str, ...]:
    """What the place lacked when this error ended the attempt; empty where it lacked nothing."""
    match error:
        case StorageFull():
            return (f"space: {error.detail}",)
        case VersionUnsupported() | ClientMissing():
            return (error.detail,)
        case ServerUnreachable():
            return ()
    for pattern, what in _WORDS:
        if found := pattern.search(error.detail):
            return (what.format(*found.groups()),)
    if not throwaway and (found := _ROLE.search(error.detail)):
        return (f"role {found[1]}",)
    if server is not None and not server.is_superuser and (found := _RIGHTS.search(error.detail)):
        return (f"a right of the role {in_quotes(server.role)}: {found[1].strip()}",)
    return ()


def is_ours(error: PgproofError) -> bool:
    """Whether an error that ended a load is about the place and not about the backup."""
    if isinstance(error, RestoreFailed):
        return _GONE.search(error.detail) is not None
    return isinstance(error, ServerUnreachable)
