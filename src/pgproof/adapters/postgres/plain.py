"""A plain dump goes to psql, locked up: we refuse what pg_dump does not write, and psql obeys no command in it."""

import secrets
import subprocess
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from pgproof.adapters.postgres.failures import restore_failure
from pgproof.adapters.postgres.process import Command, ToolProcess
from pgproof.domain.database import ServerVersion
from pgproof.domain.script import ScriptReader
from pgproof.services.ports import ClientTools, Watch

_CHUNK = 1 << 20
# The first psql of each major version that knows \restrict; all from 18 on do.
_LOCKS = [ServerVersion.parse(version) for version in ("13.22", "14.19", "15.14", "16.10", "17.6")]


def statements(client: ClientTools, script: Path, *, alone: bool = False) -> Generator[bytes, None, None]:
    """The script for psql; `alone` without the BEGIN and COMMIT in it. Raises `InvalidInput`."""
    key = secrets.token_hex(16).encode() if _knows_lock(client.version) else b""
    if key:
        yield b"\\restrict " + key + b"\n"
    with script.open("rb") as file:
        yield from ScriptReader(alone=alone).passed(iter(lambda: file.read(_CHUNK), b""))
    if key:
        yield b"\\unrestrict " + key + b"\n"


def run(client: ClientTools, psql: Command, script: Path, watch: Watch) -> None:
    """Run a script in one session; the first error ends it. Raises `RestoreFailed`."""
    with (
        ToolProcess(psql, watch, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as session,
        closing(statements(client, script)) as source,
    ):
        reads = all(session.send(chunk) for chunk in source)
        session.feed(iter(()))
        status = session.wait()
        if status != 0 or not reads:
            raise restore_failure(psql.name, status, session.tail)


def _knows_lock(version: ServerVersion) -> bool:
    same = [known for known in _LOCKS if known.major == version.major]
    return version >= same[0] if same else version.major > _LOCKS[-1].major
