"""Requests as argument vectors and environments: pure, so that a test can read every one.

No password ever stands in an argument vector, where every user of the machine could read it. What the
caller's environment says about PostgreSQL (PGHOST and the like) never reaches a tool.
"""

from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import make_conninfo

from pgproof.adapters.postgres.patterns import exact
from pgproof.adapters.postgres.process import Command
from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo
from pgproof.services.ports import ClientTools, DumpRequest, Relation

_FORMAT_FLAG = {ArchiveFormat.CUSTOM: "--format=custom", ArchiveFormat.DIRECTORY: "--format=directory"}


def conninfo(connection: ConnectionInfo, *, with_password: bool) -> str:
    """A libpq connection string, quoted by libpq's rules."""
    password = connection.password.reveal() if with_password and connection.password else None
    return make_conninfo(
        "",
        dbname=connection.dbname,
        host=connection.host or None,
        port=connection.port,
        user=connection.user or None,
        password=password,
        **connection.options,
    )


def environment(base: Mapping[str, str], connection: ConnectionInfo | None) -> dict[str, str]:
    """What a tool gets of `base`, with messages in English so that progress can be read from them."""
    kept = {name: value for name, value in base.items() if not name.startswith(("PG", "BACKUP_", "POSTGRES_"))}
    kept |= {"LC_ALL": "C.UTF-8", "LC_MESSAGES": "C", "LANGUAGE": "C", "PGAPPNAME": "pgproof"}
    if "PGPASSFILE" in base:
        kept["PGPASSFILE"] = base["PGPASSFILE"]
    if connection is not None and connection.password is not None:
        kept["PGPASSWORD"] = connection.password.reveal()
    return kept


def _command(
    tools: ClientTools, name: str, connection: ConnectionInfo | None, base: Mapping[str, str], *arguments: str
) -> Command:
    secrets = (connection.password,) if connection is not None and connection.password is not None else ()
    return Command((str(tools.folder / name), *arguments), environment(base, connection), secrets)


def dump(tools: ClientTools, request: DumpRequest, base: Mapping[str, str], into: Path | None) -> Command:
    """pg_dump without compression of its own: to stdout, or for the directory format `into` a new folder."""
    arguments = [
        _FORMAT_FLAG[request.format],
        "--compress=0",
        "--verbose",
        "--no-password",
        f"--snapshot={request.snapshot}",
        f"--lock-wait-timeout={request.lock_wait_seconds * 1000}",
        f"--dbname={conninfo(request.connection, with_password=False)}",
    ]
    if into is not None:
        arguments += [f"--jobs={request.jobs}", f"--file={into}"]
    arguments += [f"--exclude-table-data={_pattern(table)}" for table in request.excluded_data]
    arguments += [f"--exclude-schema={_schema_pattern(schema)}" for schema in request.excluded_schemas]
    return _command(tools, "pg_dump", request.connection, base, *arguments)


def dump_globals(
    tools: ClientTools, connection: ConnectionInfo, base: Mapping[str, str], *, passwords: bool
) -> Command:
    """pg_dumpall for roles and tablespaces."""
    arguments = ["--globals-only", "--no-password", f"--dbname={conninfo(connection, with_password=False)}"]
    if not passwords:
        arguments.append("--no-role-passwords")
    return _command(tools, "pg_dumpall", connection, base, *arguments)


def list_contents(tools: ClientTools, archive: Path | None, base: Mapping[str, str]) -> Command:
    """pg_restore --list, from a file or from stdin."""
    return _command(tools, "pg_restore", None, base, "--list", "--verbose", *([str(archive)] if archive else []))


def restore(
    tools: ClientTools, staged: Path, connection: ConnectionInfo, base: Mapping[str, str], *, jobs: int
) -> Command:
    """pg_restore into an existing, empty database; the first error ends it."""
    return _command(
        tools,
        "pg_restore",
        connection,
        base,
        "--exit-on-error",
        "--verbose",
        "--no-password",
        f"--jobs={jobs}",
        f"--dbname={conninfo(connection, with_password=False)}",
        str(staged),
    )


def _pattern(table: Relation) -> str:
    return exact(table.schema, table.table)


def _schema_pattern(schema: str) -> str:
    return '"' + schema.replace('"', '""') + '"'
