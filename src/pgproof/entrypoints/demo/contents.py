"""What a database holds, counted and hashed by the demonstration itself: it does not take pgproof's word."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pgproof.adapters.libpq import own_defaults
from pgproof.domain.database import ConnectionInfo

_RELATIONS = """
    SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    ORDER BY 1, 2
"""
_CONTENT = """
    SELECT count(*), md5(coalesce(string_agg(md5(line), '' ORDER BY line COLLATE "C"), ''))
    FROM (SELECT relation::text AS line FROM {} AS relation) AS lines
"""


@dataclass(frozen=True)
class TableContent:
    """How many rows a table or view has, and a checksum over all of them in sorted order."""

    rows: int
    checksum: str


Contents = Mapping[str, TableContent]


@contextmanager
def connected(place: ConnectionInfo) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """An autocommit session that is closed at the end: a swap waits for nobody."""
    said: dict[str, Any] = {"host": place.host, "port": place.port, "user": place.user, "dbname": place.dbname}
    if place.password:
        said["password"] = place.password.reveal()
    with psycopg.connect(autocommit=True, **{**own_defaults(said), **said}) as session:
        yield session


def contents(place: ConnectionInfo) -> Contents:
    """Rows and checksum of every table and view, by schema and name."""
    found = {}
    with connected(place) as session:
        session.execute("SET TIME ZONE 'UTC'")
        for schema, name in session.execute(_RELATIONS).fetchall():
            row = session.execute(sql.SQL(_CONTENT).format(sql.Identifier(schema, name))).fetchone()
            if row is not None:
                found[f"{schema}.{name}"] = TableContent(*row)
    return found


def differing(expected: Contents, actual: Contents) -> list[str]:
    """The tables and views that are not the same in both, each with what is different."""
    return [
        f"{name}: expected {_told(expected.get(name))}, found {_told(actual.get(name))}"
        for name in sorted(expected.keys() | actual.keys())
        if expected.get(name) != actual.get(name)
    ]


def _told(content: TableContent | None) -> str:
    return "no such table" if content is None else f"{content.rows} rows ({content.checksum[:8]})"
