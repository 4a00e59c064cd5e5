"""A restore through a script: pg_restore writes it, psql runs it."""

import subprocess
from collections.abc import Iterable, Iterator

from pgproof.adapters.postgres.failures import restore_failure
from pgproof.adapters.postgres.process import Command, ToolProcess
from pgproof.domain.database import ServerVersion
from pgproof.services.ports import Watch

# Settings that pg_restore of a newer version sets at the start of every script and session.
_HEADER = 1 << 13
_SETTINGS_SINCE = {17: b"SET transaction_timeout = 0;\n"}


def needed(client: ServerVersion, server: ServerVersion | None) -> bool:
    """Whether pg_restore would set what this server does not know, and end at that."""
    return server is not None and any(server.major < since <= client.major for since in _SETTINGS_SINCE)


def understood(script: Iterable[bytes], server: ServerVersion | None) -> Iterator[bytes]:
    """The script without the settings in its header that the server does not know."""
    if server is None:
        yield from script
        return
    header, chunks = b"", iter(script)
    for chunk in chunks:
        header += chunk
        if len(header) >= _HEADER:
            break
    for since, line in _SETTINGS_SINCE.items():
        # Only the first, in the header: the same words may stand in a function or in a row.
        if server.major < since and header.find(line) < _HEADER:
            header = header.replace(line, b"", 1)
    yield header
    yield from chunks


def run(*, script: Command, psql: Command, server: ServerVersion | None, watch: Watch) -> None:
    """Restore in one session, one statement after the other. Raises `RestoreFailed`."""
    with (
        ToolProcess(psql, watch, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as session,
        ToolProcess(script, watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as source,
    ):
        reads = True
        for chunk in understood(source.output(), server):
            reads = session.send(chunk)
            if not reads:
                break
        if reads:
            status = source.wait()
            if status != 0:
                raise restore_failure(script.name, status, source.tail)
        session.feed(iter(()))
        status = session.wait()
        if status != 0:
            raise restore_failure(psql.name, status, session.tail)
