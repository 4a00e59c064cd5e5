"""The queue's own tables: Procrastinate brings them, the catalog's schema holds them.

A new catalog gets the whole schema of the installed Procrastinate. Its migrations have names that sort by version;
which of them a catalog has is recorded, so that a newer Procrastinate's are run when it first meets the catalog.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from pgproof.domain.errors import ConfigurationError

_INSIDE = "SET LOCAL search_path TO pgproof"
_OUTSIDE = "SET LOCAL search_path TO DEFAULT"
_APPLIED = "SELECT name FROM pgproof.queue_migrations"
_RECORD = "INSERT INTO pgproof.queue_migrations (name) VALUES (%s)"

_Session = psycopg.Connection[Any]


def bundled() -> list[str]:
    """Names of the migrations that the installed Procrastinate brings, in their order."""
    return sorted(path.name for path in (_folder() / "migrations").glob("*.sql"))


def missing(session: _Session) -> list[str]:
    """Those of them that a catalog does not have."""
    applied = {name for (name,) in session.execute(_APPLIED).fetchall()}
    return [name for name in bundled() if name not in applied]


def create(session: _Session) -> None:
    """Make the queue's tables in a new catalog, within the transaction of the session."""
    _run(session, _folder() / "schema.sql")
    _record(session, bundled())


def bring_up_to_date(session: _Session) -> None:
    """Run the migrations that a catalog lacks, within the transaction of the session."""
    for name in missing(session):
        _run(session, _folder() / "migrations" / name)
        _record(session, [name])


def _run(session: _Session, script: Path) -> None:
    session.execute(_INSIDE)
    # Without parameters, so that it may hold many statements, and percent signs.
    session.execute(script.read_text(encoding="utf-8").encode())
    session.execute(_OUTSIDE)


def _record(session: _Session, names: list[str]) -> None:
    with session.cursor() as cursor:
        cursor.executemany(_RECORD, [(name,) for name in names])


def _folder() -> Path:
    # Found without importing it: a start on an up-to-date catalog only wants the names.
    spec = find_spec("procrastinate")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the Python package procrastinate is not installed", hint="Install pgproof with all that it requires."
        )
    return Path(spec.origin).parent / "sql"
