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
from pgproof.domain.errors import SwapFailed

_PAUSE_SECONDS = 0.02
_LOCK_WAIT_SECONDS = 10

# Where commits do not wait for the disk, a crash would take back renames that we have reported.
_FOR_GOOD = """
    SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
    WHERE pg_catalog.current_setting('synchronous_commit') = 'off'
"""
_OF_OTHERS = """
    FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = ANY (%s) AND a.pid <> pg_catalog.pg_backend_pid()
"""
_SESSIONS = f"SELECT a.pid {_OF_OTHERS}"
_END_SESSIONS = f"SELECT pg_catalog.pg_terminate_backend(a.pid) {_OF_OTHERS}"


def swap(maintenance: ConnectionInfo, *, live: str, incoming: str, outgoing: str | None) -> float:
    """See the port. `maintenance` is a database that is neither `live` nor `incoming`."""
    with (
        connect(maintenance, lock_wait_seconds=_LOCK_WAIT_SECONDS) as session,
        connect(maintenance) as terminator,
    ):
        started = time.monotonic()
        with _SessionEnder(terminator, [live, incoming]) as ender:
            _rename(session, ([(live, outgoing)] if outgoing else []) + [(incoming, live)], ender.refused)
            return time.monotonic() - started


def _rename(session: Session, pairs: list[tuple[str, str]], refused: set[int]) -> None:
    try:
        with session.transaction():
            session.execute(_FOR_GOOD)
            for old, new in pairs:
                session.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
                )
    except psycopg.Error as error:
        whose = f" The role may not end these sessions: {', '.join(map(str, sorted(refused)))}." if refused else ""
        raise SwapFailed(
            f"the databases could not be renamed: {' '.join(str(error).split())}",
            hint=f"The live database is as it was. End what is still connected to it, then try again.{whose}",
        ) from error


class _SessionEnder:
    """Ends the sessions of some databases again and again, in a thread, until its block is left.

    `refused` are sessions that our role may not end, as one of a superuser: PostgreSQL says so for each.
    """

    def __init__(self, session: Session, databases: list[str]) -> None:
        self._session = session
        self._databases = databases
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="end sessions", daemon=True)
        self.refused: set[int] = set()

    def __enter__(self) -> "_SessionEnder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        # A connection that is lost here shows as a rename that waits in vain, and is reported as that.
        with suppress(psycopg.OperationalError):
            while not self._done.is_set():
                self._end_all()
                self._done.wait(_PAUSE_SECONDS)

    def _end_all(self) -> None:
        # At once: one after the other, hundreds of them take as long as the door is shut.
        try:
            self._session.execute(_END_SESSIONS, (self._databases,))
        except psycopg.errors.InsufficientPrivilege:
            for (pid,) in self._session.execute(_SESSIONS, (self._databases,)).fetchall():
                self._end(pid)

    def _end(self, pid: int) -> None:
        try:
            self._session.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [pid])
        except psycopg.errors.InsufficientPrivilege:
            self.refused.add(pid)
