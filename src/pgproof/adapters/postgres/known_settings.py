"""Settings of a database on a server that may not know them: it may be older or newer than the one they come from."""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgproof.adapters.postgres.alter import set_setting
from pgproof.adapters.postgres.connect import Session
from pgproof.domain.properties import Setting

# A parameter that there is not, one that is not set so, a name or a value that this server does not take.
_UNKNOWN = (
    psycopg.errors.UndefinedObject,
    psycopg.errors.CantChangeRuntimeParam,
    psycopg.errors.InvalidName,
    psycopg.errors.InvalidParameterValue,
)


def apply(session: Session, name: str, settings: Sequence[Setting]) -> Mapping[Setting, str]:
    """Set all that the server knows, within the transaction that is open; the others with what it says of them."""
    unknown: dict[Setting, str] = {}
    for setting in settings:
        try:
            with session.transaction():
                session.execute(set_setting(sql.Identifier(name), setting))
        except _UNKNOWN as error:
            unknown[setting] = str(error.diag.message_primary)
    return unknown
