"""What a database still needs after pg_restore: statistics, and indexes that a parallel restore left invalid."""

import psycopg
from psycopg import sql

from pgproof.adapters.postgres.connect import Session

_ANALYZABLE = """
    SELECT n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
    ORDER BY c.relkind = 'p', 3
"""

# The deepest first: an index that becomes valid may be the last that the one above it lacked.
_INVALID = """
    SELECT n.nspname, c.relname, cn.nspname, cc.relname, pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'I'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = c.oid LIMIT 1) AS h
    JOIN pg_catalog.pg_class cc ON cc.oid = h.inhrelid
    JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace
    WHERE NOT i.indisvalid
    ORDER BY (SELECT pg_catalog.count(*) FROM pg_catalog.pg_partition_ancestors(c.oid)) DESC, 5
"""
_STILL_INVALID = """
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'I'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid
"""


def analyze(session: Session) -> tuple[str, ...]:
    """Collect the statistics of every table that lets us; the others are told with the server's reason."""
    try:
        session.execute("ANALYZE")
    except psycopg.Error as error:
        _raise_if_over(session, error)
    else:
        return ()
    left_out = []
    for schema, table, name in session.execute(_ANALYZABLE).fetchall():
        try:
            session.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))
        except psycopg.Error as error:
            _raise_if_over(session, error)
            left_out.append(f"{name}: {error.diag.message_primary}")
    return tuple(left_out)


def validate_indexes(session: Session) -> tuple[str, ...]:
    """Have the server look again at each invalid index of a partitioned table; those that became valid.

    Attaching what is attached changes nothing else. An index of which partitions lack theirs stays invalid.
    """
    invalid = session.execute(_INVALID).fetchall()
    for schema, index, part_schema, part, _ in invalid:
        session.execute(
            sql.SQL("ALTER INDEX {} ATTACH PARTITION {}").format(
                sql.Identifier(schema, index), sql.Identifier(part_schema, part)
            )
        )
    still = {name for (name,) in session.execute(_STILL_INVALID)} if invalid else set()
    return tuple(name for *_, name in invalid if name not in still)


def _raise_if_over(session: Session, error: psycopg.Error) -> None:
    if session.broken or isinstance(error, psycopg.errors.QueryCanceled):
        raise error
