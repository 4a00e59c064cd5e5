"""Transactions known by their number, so that a later process can ask the server what became of them."""

import time

import psycopg

from pgproof.adapters.postgres.connect import Session, connect
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import PostgresError

_POLL_SECONDS = 0.1
_STATUS_SECONDS = 30


def keep_numbers(connection: ConnectionInfo) -> None:
    """See to it that no number which the server has given away is given to another transaction, also after a crash.

    A number is on disk only with something written under it, or under a later one: so we commit a message, for nobody.
    Otherwise somebody else's commit would be taken for ours.
    """
    with connect(connection) as session:
        session.execute("SET synchronous_commit = on")
        session.execute("SELECT pg_catalog.pg_logical_emit_message(true, 'pgproof'::text, ''::text)")


def committed(session: Session, transaction: str) -> bool:
    """What became of a transaction; one whose client is gone but which still goes on is ended."""
    deadline = time.monotonic() + _STATUS_SECONDS
    while (status := _status(session, transaction)) == "in progress":
        if time.monotonic() > deadline:
            raise PostgresError(
                f"transaction {transaction} still goes on", hint="End it (see pg_stat_activity), then try again."
            )
        session.execute(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
            "WHERE backend_xid = (%s::pg_catalog.xid8)::pg_catalog.xid",
            [transaction],
        )
        time.sleep(_POLL_SECONDS)
    return status == "committed"


def _status(session: Session, transaction: str) -> str | None:
    query = "SELECT pg_catalog.pg_xact_status(%s::pg_catalog.xid8)"
    try:
        row = session.execute(query, [transaction]).fetchone()
    except psycopg.errors.InvalidParameterValue:
        return None  # "in the future": a crash took it back before anything of it was on disk
    return row[0] if row else None
