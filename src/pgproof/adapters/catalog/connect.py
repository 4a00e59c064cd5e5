"""Connections to the catalog's database."""

from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine

from pgproof.domain.database import ConnectionInfo

_APPLICATION = "pgproof catalog"
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_IDLE_SESSION_TIMEOUT_SINCE = 14_00_00


def connect(connection: ConnectionInfo) -> "psycopg.Connection[tuple[Any, ...]]":
    """An open session in UTC that no time limit of the server ends. Raises psycopg's errors."""
    password = connection.password.reveal() if connection.password else None
    session = psycopg.connect(
        host=connection.host or None,
        port=connection.port,
        user=connection.user or None,
        password=password,
        dbname=connection.dbname,
        application_name=_APPLICATION,
        client_encoding="utf8",
        autocommit=True,
        **{**_DEFAULTS, **connection.options},
    )
    try:
        session.execute("SET TIME ZONE 'UTC'")
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
