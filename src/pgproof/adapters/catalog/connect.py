"""Connections to the catalog's database."""

from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine

from pgproof.adapters.libpq import own_defaults
from pgproof.domain.database import ConnectionInfo

_APPLICATION = "pgproof catalog"
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # keepalives do not count while something sent is not acknowledged
}
_IDLE_SESSION_TIMEOUT_SINCE = 14_00_00


def connect(connection: ConnectionInfo) -> "psycopg.Connection[tuple[Any, ...]]":
    """An open session in UTC that no time limit of the server ends. Raises psycopg's errors."""
    given = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.user,
        "password": connection.password.reveal() if connection.password else "",
        "dbname": connection.dbname,
        "application_name": _APPLICATION,
        "client_encoding": "utf8",
        **_DEFAULTS,
        **connection.options,
    }
    said: dict[str, Any] = {name: value for name, value in given.items() if value}
    session = psycopg.connect(autocommit=True, **{**own_defaults(said), **said})
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


def make_engine(connection: ConnectionInfo) -> Engine:
    """A small pool of sessions; the first one opens when it is needed."""
    return create_engine(
        "postgresql+psycopg://",
        # Not a URL: socket folders and passwords come through as they are, and no URL can be logged.
        creator=lambda: connect(connection),
        pool_size=2,
        max_overflow=8,
        pool_pre_ping=True,
        hide_parameters=True,
    )
