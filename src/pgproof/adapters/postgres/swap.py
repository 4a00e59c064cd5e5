"""The swap: two renames in one transaction, with the door held shut by the transaction's own lock.

ALTER DATABASE RENAME locks the database before it looks for other sessions, and a new connection needs
that lock: from the first rename to the commit, clients wait at the door instead of getting in. So nothing
has to be set beforehand (ALLOW_CONNECTIONS false) that a crash could leave behind: if this process or the
server dies at any point, the transaction is gone and the live database is as it was. Sessions that were
inside are ended by a second session while the first waits for them; PostgreSQL waits five seconds.
See RenameDatabase() and CountOtherDBBackends() in PostgreSQL's sources.
"""

import threading
import time
from contextlib import suppress

import psycopg
from psycopg import sql

from pgproof.adapters.postgres.connect import Session, connect
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import PgproofError, SwapFailed

_PAUSE_SECONDS = 0.02
_LOCK_WAIT_SECONDS = 10

# A role that is no superuser may not end a superuser's session; trying to would end the whole query.
_END_SESSIONS = """
    SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = ANY (%s) AND a.pid <> pg_catalog.pg_backend_pid()
      AND (NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid AND r.rolsuper)
           OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND r.rolsuper))
"""


def swap(maintenance: ConnectionInfo, *, live: str, incoming: str, outgoing: str | None) -> float:
    """See the port. `maintenance` is a database that is neither `live` nor `incoming`."""
    with (
        connect(maintenance, lock_wait_seconds=_LOCK_WAIT_SECONDS) as session,
        connect(maintenance) as terminator,
    ):
        started = time.monotonic()
        with _ending_sessions(terminator, [live, incoming]):
            _rename(session, ([(live, outgoing)] if outgoing else []) + [(incoming, live)])
            return time.monotonic() - started


def _rename(session: Session, pairs: list[tuple[str, str]]) -> None:
    try:
        with session.transaction():
            for old, new in pairs:
                session.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
                )
    except psycopg.Error as error:
        raise SwapFailed(
            f"the databases could not be renamed: {' '.join(str(error).split())}",
            hint="The live database is as it was. End what is still connected to it, then try again.",
        ) from error


class _ending_sessions:  # noqa: N801 - reads as the context manager that it is
    """End the sessions of some databases again and again, in a thread, until the block is left."""

    def __init__(self, session: Session, databases: list[str]) -> None:
        self._session = session
        self._databases = databases
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="end sessions", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        # What goes wrong here shows as a rename that waits in vain, and is reported as that.
        with suppress(psycopg.Error, PgproofError):
            while not self._done.is_set():
                self._session.execute(_END_SESSIONS, (self._databases,))
                self._done.wait(_PAUSE_SECONDS)
