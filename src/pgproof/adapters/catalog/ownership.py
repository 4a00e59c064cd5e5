"""Who works on what: advisory locks, each held by a session of its own, so they end with their process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from pgproof.adapters.catalog.connect import connect
from pgproof.adapters.catalog.failures import translated
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict
from pgproof.services.ports import Lock

# Other applications may use advisory locks in the same database: our first keys begin here ("pg" in ASCII).
_NAMESPACE = 0x7067_0000
_KEY_BITS = 0x7FFF_FFFF

# The server itself notices a client whose machine is gone, in about a minute.
_NOTICE_LOST_CLIENTS = (
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
_IS_HELD = """
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = %s AND objid::bigint = %s
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )"""


@contextmanager
def owned(connection: ConnectionInfo, kind: Lock, job_id: int) -> Iterator[None]:
    """Own a job for the length of a `with` block; `Conflict` if somebody else does."""
    with translated(connection):
        session = connect(connection)
    try:
        with translated(connection):
            _take(session, kind, job_id)
        yield
    finally:
        session.close()


def is_owned(connection: ConnectionInfo, kind: Lock, job_id: int) -> bool:
    """Whether some living process owns the job."""
    with translated(connection), connect(connection) as session:
        row = session.execute(_IS_HELD, _keys(kind, job_id)).fetchone()
        return bool(row and row[0])


def _take(session: "psycopg.Connection[tuple[Any, ...]]", kind: Lock, job_id: int) -> None:
    session.autocommit = True
    for statement in _NOTICE_LOST_CLIENTS:
        session.execute(statement)
    row = session.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", _keys(kind, job_id)).fetchone()
    if not (row and row[0]):
        raise Conflict(
            f"another process works on {kind.name.lower()} {job_id}",
            hint="Wait until it ends. A process that died holds nothing.",
        )


def _keys(kind: Lock, job_id: int) -> tuple[int, int]:
    return _NAMESPACE + kind.value, job_id & _KEY_BITS
