"""Requests as argument vectors and environments: pure, so that a test can read every one.

No password ever stands in an argument vector, where every user of the machine could read it. What the
caller's environment says about PostgreSQL (PGHOST and the like) never reaches a tool.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import make_conninfo

from pgproof.adapters.postgres.patterns import exact
from pgproof.adapters.postgres.process import Command
from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo
from pgproof.services.ports import ClientTools, DumpRequest, Relation, RestoreRequest

# PostgreSQL's names of encodings that Python calls otherwise.
_CODEC_NAMES = {"LATIN": "latin", "WIN": "cp", "ISO_8859_": "iso8859_", "KOI8": "koi8_", "SQL_ASCII": "utf-8"}
_CODECS = re.compile(r"^(LATIN|WIN|ISO_8859_|KOI8|SQL_ASCII)(.*)$")

# What a database may be set to and a load cannot have: read only, 'NULL' in arrays as a word, and names that
# the server stores in quotes.
_LOADING = {"default_transaction_read_only": "off", "array_nulls": "on", "quote_all_identifiers": "off"}
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
    arguments += [
        f"--exclude-table-data={_in_encoding(_pattern(table), request.encoding)}" for table in request.excluded_data
    ]
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


def list_pre_data(tools: ClientTools, archive: Path, base: Mapping[str, str]) -> Command:
    """pg_restore --list of what comes before any row, without grants: they come after everything."""
    return _command(tools, "pg_restore", None, base, "--list", "--section=pre-data", "--no-acl", str(archive))


def read_through(tools: ClientTools, staged: Path, base: Mapping[str, str]) -> Command:
    """pg_restore that writes nowhere: it ends with an error where the archive is not whole."""
    return _command(tools, "pg_restore", None, base, "--exit-on-error", "--file=/dev/null", str(staged))


def restore(
    tools: ClientTools, request: RestoreRequest, base: Mapping[str, str], *, entry_list: Path | None
) -> Command:
    """pg_restore into an existing, empty database; the first error ends it."""
    place = request.connection.with_settings({**_LOADING, **request.settings})
    arguments = [
        "--exit-on-error",
        "--verbose",
        "--no-password",
        f"--jobs={request.jobs}",
        f"--dbname={conninfo(place, with_password=False)}",
        *_restore_options(request, entry_list),
    ]
    return _command(tools, "pg_restore", place, base, *arguments)


def restore_script(
    tools: ClientTools,
    request: RestoreRequest,
    base: Mapping[str, str],
    *,
    entry_list: Path | None,
    one_transaction: bool,
) -> Command:
    """pg_restore to stdout, as a script: with one COMMIT of its own, at the end, or with none."""
    whole = ["--single-transaction"] if one_transaction else []
    arguments = ["--verbose", "--file=-", *whole, *_restore_options(request, entry_list)]
    return _command(tools, "pg_restore", None, base, *arguments)


def psql(tools: ClientTools, request: RestoreRequest, base: Mapping[str, str]) -> Command:
    """psql that reads a script from stdin and ends at the first error."""
    place = request.connection.with_settings({**_LOADING, **request.settings})
    arguments = [
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
        f"--dbname={conninfo(place, with_password=False)}",
    ]
    return _command(tools, "psql", place, base, *arguments)


def _restore_options(request: RestoreRequest, entry_list: Path | None) -> list[str]:
    flags = {
        "--no-owner": request.no_owner,
        "--no-acl": request.no_acl,
        "--no-tablespaces": request.no_tablespaces,
    }
    chosen = [flag for flag, wanted in flags.items() if wanted]
    listed = [f"--use-list={entry_list}"] if entry_list else []
    return [*chosen, *listed, str(request.staged)]


def _in_encoding(pattern: str, encoding: str) -> str:
    """pg_dump reads patterns as bytes in the database's encoding; the odd characters stand for such bytes."""
    codec = _CODECS.sub(lambda found: f"{_CODEC_NAMES[found[1]]}{found[2]}", encoding, count=1)
    try:
        return pattern.encode(codec).decode("utf-8", "surrogateescape")
    except (LookupError, UnicodeEncodeError):
        return pattern  # the read-back finds it out if pg_dump understands something else


def _pattern(table: Relation) -> str:
    return exact(table.schema, table.table)


def _schema_pattern(schema: str) -> str:
    return '"' + schema.replace('"', '""') + '"'
