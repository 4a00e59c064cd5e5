"""Sessions on protected servers: opened, freed of the server's limits, and their errors translated."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pgproof.adapters.libpq import own_defaults
from pgproof.adapters.postgres.commands import conninfo
from pgproof.domain.database import CONNECTION_OPTIONS, ConnectionInfo, ServerVersion
from pgproof.domain.errors import (
    ANSWERED,
    AuthenticationFailed,
    DatabaseMissing,
    DumpFailed,
    InvalidInput,
    PgproofError,
    PostgresError,
    PrivilegeMissing,
    ServerUnreachable,
)
from pgproof.domain.secret import Secret, without_secrets, without_url_passwords
from pgproof.domain.wording import in_quotes


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A session whose search path is empty: nobody's objects can stand before PostgreSQL's own.

    Whoever may create objects in a database could otherwise have our role run them (CVE-2018-1058).
    `search_path` is what the role would have found, `own_schema` where our catalog lies, if it lies here.
    """

    search_path: tuple[str, ...] = ()
    own_schema: str | None = None


_CONNECT_SECONDS = "15"
_CANCEL_POLL_SECONDS = 0.1
_SERVERS_OWN_WORD = "FATAL"  # libpq's own messages have no such word
# A limit that an administrator set for applications must not end a dump; the versions that know each.
_LIMITS = {
    "statement_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
    "idle_session_timeout": 14,
    "transaction_timeout": 17,
}


def parse_url(url: str) -> ConnectionInfo:
    """A `postgresql://` URL or libpq connection string. Raises `InvalidInput`."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise InvalidInput(
            "the database's URL does not parse",
            hint="Write postgresql://user:password@host:5432/name; percent-encode special characters.",
        ) from error
    dbname = str(parts.pop("dbname", "") or parts.get("user") or "")
    if not dbname:
        raise InvalidInput("the database's URL names no database", hint="End it in /NAME.")
    unknown = sorted(name for name in parts if name not in CONNECTION_OPTIONS | {"host", "port", "user", "password"})
    if unknown:
        raise InvalidInput(
            f"the database's URL has options that cannot be passed on: {', '.join(unknown)}",
            hint="Remove them.",
        )
    if "service" in parts and {"host", "hostaddr"} & parts.keys():
        # libpq would send the password of the service there, and whoever may name hosts may not read that.
        raise InvalidInput(
            "the database's URL names a service and a host",
            hint="Leave the host out: the service says where its server is.",
        )
    password = parts.get("password")
    return ConnectionInfo(
        dbname=dbname,
        host=str(parts.get("host") or ""),
        port=_port(parts.get("port")),
        user=str(parts.get("user") or ""),
        password=Secret(str(password)) if password else None,
        options={name: str(parts[name]) for name in CONNECTION_OPTIONS & parts.keys()},
    )


def _port(text: object) -> int:
    try:
        return int(str(text or 5432))
    except ValueError as error:
        raise InvalidInput(f"{in_quotes(str(text))} is not a port", hint="Name one server and one port.") from error


@contextmanager
def connect(connection: ConnectionInfo, *, lock_wait_seconds: int = 0) -> Iterator[Session]:
    """An autocommit session for the length of a `with` block."""
    patient = replace(connection, options={"connect_timeout": _CONNECT_SECONDS, **connection.options})
    with translated(connection):
        said = conninfo(patient, with_password=True)
        session = Session.connect(
            said,
            autocommit=True,
            **{**own_defaults(conninfo_to_dict(said)), "client_encoding": "utf8", "application_name": "pgproof"},
        )
        with session:
            # SET looks up no names, so it may come before the search path is ours; under a limit nothing else may.
            _lift_limits(session)
            _empty_search_path(session)
            _set_up(session, lock_wait_seconds)
            yield session


@contextmanager
def cancelled_by(session: Session, event: Event) -> Iterator[None]:
    """Cancel whatever query runs in the block as soon as `event` is set."""
    left = Event()

    def wait() -> None:
        while not left.is_set():
            if event.wait(_CANCEL_POLL_SECONDS):
                with suppress(psycopg.Error):  # what cannot be reached any more needs no cancelling
                    session.cancel_safe()
                return

    thread = Thread(target=wait, name="cancel query", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()


def run_all(connection: ConnectionInfo, statements: Sequence[str]) -> None:
    """Run statements that a tool has written, in one transaction."""
    with connect(connection) as session, session.transaction():
        for statement in statements:
            session.execute(statement.encode())


def version_of(session: Session) -> ServerVersion:
    """The server's version."""
    return ServerVersion(session.info.server_version)


def _empty_search_path(session: Session) -> None:
    # Both names are PostgreSQL's own whatever the search path is.
    found = session.execute("SELECT pg_catalog.current_schemas(false)").fetchone()
    session.search_path = tuple(found[0]) if found else ()
    session.execute("SELECT pg_catalog.set_config('search_path', '', false)")


def _lift_limits(session: Session) -> None:
    major = version_of(session).major
    for name, since in _LIMITS.items():
        if major >= since:
            session.execute(sql.SQL("SET {} = 0").format(sql.Identifier(name)))


def _set_up(session: Session, lock_wait_seconds: int) -> None:
    session.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(lock_wait_seconds * 1000)))
    session.execute("SET default_transaction_read_only = off")
    session.execute("SET DateStyle = 'ISO'")  # psycopg reads no other
    session.execute("SET quote_all_identifiers = off")  # names are recorded, and compared later
    # Rows that a policy hides are rows that a backup lacks: fail instead, as pg_dump does.
    session.execute("SET row_security = off")


@contextmanager
def translated(connection: ConnectionInfo) -> Iterator[None]:
    """Turn psycopg's errors into ours, with the password masked."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error, connection) from error


def _translate(error: psycopg.Error, connection: ConnectionInfo) -> PgproofError:
    text = without_url_passwords(without_secrets(" ".join(str(error).split()), connection.password))
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return PrivilegeMissing(
                f"the role {in_quotes(connection.user)} may not do this in {connection}: {text}",
                hint="Grant it what is missing; `pgproof doctor` lists what a backup and a restore need.",
            )
        case psycopg.errors.InvalidCatalogName():
            return _missing(connection)
        case psycopg.errors.QueryCanceled():
            return PostgresError(
                f"{connection} did not answer in time: {text}",
                hint="See pg_stat_activity for what it waits for, then try again.",
            )
        case psycopg.errors.CharacterNotInRepertoire():
            return PostgresError(
                f"{connection} holds a name that is not valid UTF-8: {text}",
                hint="Its encoding is SQL_ASCII, which says nothing about its bytes: rename what has such a name.",
            )
        case psycopg.errors.LockNotAvailable():
            return DumpFailed(
                f"a table of {connection} is locked by another session: {text}",
                hint="End that session or wait, then try again; BACKUP_LOCK_WAIT_SECONDS sets how long we wait.",
            )
        case psycopg.errors.DiskFull():
            return PostgresError(
                f"the server of {connection} has no space left: {text}",
                hint="Make room on the server's disk.",
            )
        case psycopg.OperationalError() if _is_lost(error):
            return _connection_error(text, connection)
    return PostgresError(f"{connection} answered: {text}", hint="See the server's log.")


def _is_lost(error: psycopg.Error) -> bool:
    # psycopg calls much of what a server may answer operational: an object in the wrong state, a limit.
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def _connection_error(text: str, connection: ConnectionInfo) -> PgproofError:
    # A refused connection carries no SQLSTATE through libpq, so its words must do.
    if "authentication failed" in text or "no password supplied" in text or "pg_hba.conf" in text:
        return AuthenticationFailed(
            f"{connection.address} refused the role {in_quotes(connection.user)}: {text}",
            hint="Correct user or password where they come from (BACKUP_POSTGRES_USER and BACKUP_POSTGRES_PASSWORD, "
            "or the URL; for a registered database: pgproof database update NAME URL), or the server's pg_hba.conf.",
        )
    if "role" in text and "does not exist" in text:
        return AuthenticationFailed(
            f"{connection.address} has no role {in_quotes(connection.user)}",
            hint="Check the user name, or create the role.",
        )
    if "database" in text and "does not exist" in text:
        return _missing(connection)
    return ServerUnreachable(
        f"unable to reach server {connection.address}: {text}",
        hint="Check that it runs, that host and port are right, and that no firewall stands in between.",
        facts={ANSWERED: True} if _SERVERS_OWN_WORD in text else None,
    )


def _missing(connection: ConnectionInfo) -> DatabaseMissing:
    place = [f"--host={connection.host}"] if connection.host else []
    place += [f"--port={connection.port}", *([f"--username={connection.user}"] if connection.user else [])]
    return DatabaseMissing(
        f"there is no database {connection}",
        hint=f"Check the name; this shows what the server has: {shlex.join(['psql', *place, '--list'])}",
    )
