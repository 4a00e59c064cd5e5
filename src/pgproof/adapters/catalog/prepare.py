"""Make a catalog ready for use: its database, then its tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import errors, sql

from pgproof.adapters.catalog.connect import connect
from pgproof.adapters.catalog.failures import translated, unreachable
from pgproof.adapters.catalog.revisions import HEAD, is_current, steps_between, stored_revision, upgrade
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogUnreachable, ConfigurationError


@dataclass(frozen=True)
class CatalogUpgrade:
    """From which revision (``None``: there was no catalog) to which, and the steps, each with what it brought."""

    place: str
    before: str | None
    after: str
    steps: Sequence[str]


_MAINTENANCE_DATABASES = ("postgres", "template1")
# UTF8 whatever the server's default is; C fits every encoding, and no text here is sorted for people.
_CREATE = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"


def prepare_catalog(connection: ConnectionInfo) -> None:
    """Create the catalog's database where there is none, and bring its tables to the newest revision.

    Processes may do so at the same moment. Raises `CatalogUnreachable`, and `ConfigurationError` where the
    role may not, or where a newer pgproof has used the catalog.
    """
    try:
        current = is_current(connection)
    except CatalogUnreachable:
        # A refused connection carries no SQLSTATE, so whether the database exists must be asked elsewhere.
        if _is_missing(connection):
            _create(connection)
        current = is_current(connection)  # if it is there by now, another process was quicker
    if not current:
        upgrade(connection)


def describe_upgrade(connection: ConnectionInfo) -> CatalogUpgrade:
    """`prepare_catalog`, and what it has done."""
    try:
        before = stored_revision(connection)
    except CatalogUnreachable:
        before = None  # whether it is missing or away, `prepare_catalog` finds out
    prepare_catalog(connection)
    return CatalogUpgrade(str(connection), before, HEAD, steps_between(before))


def _maintenance(connection: ConnectionInfo) -> "psycopg.Connection[tuple[object, ...]] | None":
    for name in _MAINTENANCE_DATABASES:
        try:
            return connect(connection.to_database(name))
        except psycopg.Error:
            continue
    return None


def _is_missing(connection: ConnectionInfo) -> bool:
    session = _maintenance(connection)
    if session is None:
        return False
    with session:
        row = session.execute("SELECT FROM pg_database WHERE datname = %s", [connection.dbname]).fetchone()
    return row is None


def _create(connection: ConnectionInfo) -> None:
    statement = sql.SQL(_CREATE).format(sql.Identifier(connection.dbname))
    session = _maintenance(connection)
    if session is None:
        raise unreachable(connection, "its server stopped answering")
    with translated(connection), session:
        session.autocommit = True
        try:
            session.execute(statement)
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return  # another process was quicker
        except errors.InsufficientPrivilege as error:
            role = sql.Identifier(connection.user or session.info.user).as_string(session)
            raise ConfigurationError(
                f"there is no database {connection} for the catalog, and the role {role} may not create it",
                hint=f"As a superuser of that server, run: {statement.as_string(session)} OWNER {role};",
            ) from error
