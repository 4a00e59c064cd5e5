"""Who works on what: advisory locks, each held by a session of its own, so they end with their process."""

import contextlib
import select
import threading
from typing import Any

import psycopg
from psycopg import errors

from pgproof.adapters.catalog.connect import connect
from pgproof.adapters.catalog.failures import translated
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogUnreachable, Conflict, WorkerLost
from pgproof.services.ports import Lock

# Other applications may use advisory locks in the same database: our first keys begin here ("pg" in ASCII).
_NAMESPACE = 0x7067_0000
KEY_BITS = 0x7FFF_FFFF

# The server itself notices a client whose machine is gone, in about a minute.
_NOTICE_LOST_CLIENTS = (
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
_LOCKS = """
    SELECT pid FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = %s AND objid::bigint = %s
      AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"""
_WHO = """
    SELECT pid, backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()"""
# Its number may be another's by now, its number with its start may not.
_END = """
    SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
    WHERE pid = %s AND backend_start = %s"""
_END_SECONDS = 5

_Session = psycopg.Connection[tuple[Any, ...]]


class Ownership:
    """One job that this process owns, from `take` to `release`; threads may share it."""

    def __init__(self, connection: ConnectionInfo, kind: Lock, job_id: int) -> None:
        self._connection = connection
        self._what = f"{kind.name.lower()} {job_id}"
        self._keys = _keys(kind, job_id)
        self._session: _Session | None = None
        self._identity: tuple[Any, ...] = ()
        self._taken = False
        self._mutex = threading.Lock()

    def take(self) -> None:
        """Begin to own the job; `Conflict` if somebody else does. In either case `release` ends it."""
        with self._mutex, translated(self._connection):
            self._open()
            if not self._try():
                raise self.conflict()
            self._taken = True

    def conflict(self) -> Conflict:
        """What is said if somebody else owns the job."""
        return Conflict(
            f"another process works on {self._what}", hint="Wait until it ends. A process that died holds nothing."
        )

    def check(self) -> None:
        """Raise `WorkerLost` if the job is not ours any more.

        A session that was lost, because the catalog's server started anew or a firewall forgot it, is
        replaced and the lock taken again, unless somebody else was quicker.
        """
        with self._mutex:
            self._check()

    def keep(self) -> None:
        """Take the job again if the session is lost; what is in the way of that, `check` reports later."""
        with self._mutex:
            # Not while it is only being taken, and not when it has been released.
            if self._taken and self._is_lost():
                with contextlib.suppress(CatalogUnreachable, WorkerLost):
                    self._check()

    def release(self) -> None:
        """End the ownership."""
        with self._mutex:
            self._taken = False
            self._close()

    def _check(self) -> None:
        with translated(self._connection):
            if self._is_held():
                return
            lost = self._identity
            self._close()
            self._open()
            ended = self._session_execute(_END, lost)
            if self._try() or (ended and self._wait()):
                return
        raise WorkerLost(
            f"the session that owned {self._what} was lost, and another process has taken over",
            hint="See what became of it with `pgproof list`, then start it again.",
        )

    def _is_lost(self) -> bool:
        if self._session is None or self._session.closed:
            return True
        # A server says next to nothing unasked but good-bye.
        poll = select.poll()
        poll.register(self._session.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _open(self) -> None:
        self._session = connect(self._connection)
        self._session.autocommit = True
        for statement in _NOTICE_LOST_CLIENTS:
            self._session.execute(statement)
        self._identity = self._session_execute(_WHO) or ()

    def _is_held(self) -> bool:
        try:
            holder = self._session_execute(_LOCKS, self._keys)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            return False
        return holder is not None and holder[0] == self._identity[0]

    def _try(self) -> bool:
        row = self._session_execute("SELECT pg_catalog.pg_try_advisory_lock(%s::int, %s::int)", self._keys)
        return bool(row and row[0])

    def _wait(self) -> bool:
        """Take the lock as soon as our own lost session has given it up."""
        self._session_execute("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (f"{_END_SECONDS}s",))
        try:
            self._session_execute("SELECT pg_catalog.pg_advisory_lock(%s::int, %s::int)", self._keys)
        except errors.LockNotAvailable:
            return False
        return True

    def _session_execute(self, statement: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        if self._session is None:
            raise psycopg.InterfaceError("the session is not open")
        return self._session.execute(statement, values).fetchone()


def is_owned(connection: ConnectionInfo, kind: Lock, job_id: int) -> bool:
    """Whether some living process owns the job."""
    with translated(connection), connect(connection) as session:
        return session.execute(_LOCKS, _keys(kind, job_id)).fetchone() is not None


def lock_class(kind: Lock) -> int:
    """The first key of the locks of that kind; the second is the job's number, cut to `KEY_BITS`."""
    return _NAMESPACE + kind.value


def _keys(kind: Lock, job_id: int) -> tuple[int, int]:
    return lock_class(kind), job_id & KEY_BITS
