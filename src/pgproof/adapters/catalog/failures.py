"""What the catalog's server and driver say, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogError, CatalogUnreachable, ConfigurationError, Conflict, PgproofError
from pgproof.domain.secret import without_secrets

_GONE = ("08", "57P", "53300")


@contextmanager
def translated(connection: ConnectionInfo) -> Iterator[None]:
    """Turn the driver's and SQLAlchemy's errors into ours, with the password masked."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, psycopg.Error) else None
        raise _translate(cause, str(error.orig), connection) from error
    except psycopg.Error as error:
        raise _translate(error, str(error), connection) from error
    except PoolTimeout as error:
        raise CatalogUnreachable(
            "every session to the catalog is busy", hint="Try again in some seconds; the service has too much to do."
        ) from error
    except SQLAlchemyError as error:
        raise _translate(None, str(error), connection) from error


def _translate(cause: psycopg.Error | None, words: str, connection: ConnectionInfo) -> PgproofError:
    said = without_secrets(" ".join(words.split()), connection.password)
    state = (cause.sqlstate if cause else None) or ""
    match cause:
        case errors.UniqueViolation():
            return Conflict(f"the catalog holds this already: {said}")
        case errors.UndefinedTable() | errors.InvalidSchemaName() | errors.UndefinedColumn():
            return ConfigurationError(
                f"the catalog {connection} lacks what this pgproof needs: {said}",
                hint="Let only one version of pgproof use a catalog; any command of the newest one upgrades it.",
            )
        case errors.InsufficientPrivilege():
            return _not_allowed(connection, said)
        case psycopg.OperationalError() | psycopg.InterfaceError() if not state or state.startswith(_GONE):
            return unreachable(connection, said)
    return CatalogError(f"the catalog {connection} answered: {said}", hint="See the log of the catalog's server.")


def _not_allowed(connection: ConnectionInfo, said: str) -> ConfigurationError:
    role = '"' + connection.user.replace('"', '""') + '"'
    return ConfigurationError(
        f"the role {role} may not do this in the catalog {connection}: {said}",
        hint="Use the role that made the catalog; or as a superuser run there: CREATE SCHEMA IF NOT EXISTS pgproof;"
        f" ALTER SCHEMA pgproof OWNER TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA pgproof TO {role};"
        f" GRANT ALL ON ALL SEQUENCES IN SCHEMA pgproof TO {role};",
    )


def unreachable(connection: ConnectionInfo, said: str) -> CatalogUnreachable:
    """No session with the catalog's server."""
    return CatalogUnreachable(
        f"unable to reach the catalog {connection}: {said}",
        hint="Check that its server runs, and BACKUP_CATALOG_URL with user and password.",
    )
