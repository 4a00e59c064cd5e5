"""What both ends of the queue call things."""

from typing import Any

from psycopg import sql

from pgproof.adapters.libpq import parameters
from pgproof.domain.database import ConnectionInfo

TASK = "pgproof"
ARGUMENT = "job_id"
# Where the catalog's migrations put Procrastinate's tables; its statements name them without a schema.
IN_OUR_SCHEMA = sql.SQL("SET search_path TO pgproof")

_DEFAULTS: dict[str, Any] = {
    "application_name": "pgproof queue",
    "connect_timeout": "15",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def session_parameters(connection: ConnectionInfo) -> dict[str, Any]:
    """What the driver needs for a session of the queue."""
    return parameters(connection, _DEFAULTS)
