"""Connections to the catalog's database."""

from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine

from pgproof.adapters.catalog.liveness import LivenessCheck
from pgproof.adapters.libpq import parameters
from pgproof.domain.database import ConnectionInfo

_APPLICATION = "pgproof catalog"
_DEFAULTS: dict[str, Any] = {
    "application_name": "pgproof catalog",
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # keepalives do not count while something sent is not acknowledged
}
# More than the threads of the HTTP server, so that none of them waits for another, nor for a worker beside them.
MOST_SESSIONS = 30
TRANSACTIONAL = "READ COMMITTED"
_LONGEST_WAIT = 10  # seconds for a session of the pool
_IDLE_SESSION_TIMEOUT_SINCE = 14_00_00


def connect(connection: ConnectionInfo) -> "psycopg.Connection[tuple[Any, ...]]":
    """An open session in UTC that no time limit of the server ends. Raises psycopg's errors."""
    session = psycopg.connect(autocommit=True, **parameters(connection, _DEFAULTS))
    try:
        session.execute("SET TIME ZONE 'UTC'")
        session.execute("SET datestyle = 'ISO'")
        session.execute("SET idle_in_transaction_session_timeout = 0")
        if session.info.server_version >= _IDLE_SESSION_TIMEOUT_SINCE:
            session.execute("SET idle_session_timeout = 0")
        session.autocommit = False
    except BaseException:
        session.close()
        raise
    return session


def driver_session(opened: Connection) -> "psycopg.Connection[Any]":
    """The driver's own session below one of SQLAlchemy's."""
    session = opened.connection.driver_connection
    if not isinstance(session, psycopg.Connection):
        raise TypeError(f"not a session of psycopg: {session!r}")
    return session


def make_engine(connection: ConnectionInfo) -> Engine:
    """A pool of sessions; the first one opens when it is needed.

    Each statement is a transaction of its own, unless the `isolation_level` of the options is `TRANSACTIONAL`: that way
    round, what is asked for most has nothing to set before and after it.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        # Not a URL: socket folders and passwords come through as they are, and no URL can be logged.
        creator=lambda: connect(connection),
        pool_size=MOST_SESSIONS,
        max_overflow=0,
        pool_timeout=_LONGEST_WAIT,
        pool_use_lifo=True,  # a rush over, what it has opened stays idle
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        hide_parameters=True,
    )
    LivenessCheck().watch(engine)
    return engine
