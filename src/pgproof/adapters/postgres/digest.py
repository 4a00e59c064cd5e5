"""Content digests: one pass over a table, together with its count, computed by the server.

The digest of a table is ``A:B``, the sums over all rows of `hashtextextended(row::text, seed)` for the seeds 0
and 1. A sum does not depend on the order of the rows, and unlike XOR it notices when equal rows come in
pairs. The row's text is what COPY writes in effect: exact for every type, and the same on every version
under the settings below. What is digested is what an archive carries:

- Columns by name, because a restore may put those of an inheriting table in another order.
- No generated columns: pg_dump leaves their values out, and one that is virtual may fail to compute.
- No materialised views: a restore computes them anew.

Each half misses a change with a chance of 1 in 2^64, both with 1 in 2^128. That is for accidents: whoever
may write rows could construct a collision. The hash depends on the byte order of the server's processor.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pgproof.adapters.postgres.connect import Session
from pgproof.services.ports import Relation

# Whatever changes how a value is written; `jit` would compile 1,600 columns for longer than it takes to read them.
WRITTEN_PLAINLY: Mapping[str, str] = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "search_path": "",
    "jit": "off",
}

_DIGESTS = """
    pg_catalog.concat(COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r.written, 0)), 0), ':',
                      COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(r.written, 1)), 0))
"""

# Yields (oid, statement), the statement (rows, digest). OFFSET 0 keeps the text from being made once for each seed:
# making it is nine tenths of the work.
STATEMENTS = f"""
    SELECT c.oid, pg_catalog.format('
               SELECT pg_catalog.count(*), %s FROM (
                   SELECT ROW(%s)::pg_catalog.text COLLATE pg_catalog."C" AS written
                   FROM ONLY %I.%I AS x OFFSET 0) AS r',
               $digests${_DIGESTS}$digests$, a.columns, n.nspname, c.relname) AS statement
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT pg_catalog.string_agg(pg_catalog.format('x.%I', attname), ', ' ORDER BY attname) AS columns
        FROM pg_catalog.pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS a
"""
_STATEMENTS_OF = STATEMENTS.replace("%", "%%") + "WHERE c.oid = ANY (%s::pg_catalog.oid[])"

# Objects may be larger than a value can be: piece by piece, and again those that filled the last piece.
# $1 is where a piece begins, $2 its length, $3 the objects (NULL: all).
PIECES = f"""
    SELECT {_DIGESTS}, pg_catalog.array_agg(r.oid) FILTER (WHERE r.more)
    FROM (SELECT m.oid, pg_catalog.octet_length(piece) = $2 AS more,
                 ROW(m.oid, $1::pg_catalog.int8, piece)::pg_catalog.text COLLATE pg_catalog."C" AS written
          FROM pg_catalog.pg_largeobject_metadata AS m
          CROSS JOIN LATERAL (SELECT pg_catalog.lo_get(m.oid, $1::pg_catalog.int8, $2) AS piece OFFSET 0) AS p
          WHERE $3::pg_catalog.oid[] IS NULL OR m.oid = ANY ($3::pg_catalog.oid[]) OFFSET 0) AS r
"""
PIECE_BYTES = 1 << 20
_PIECES_OF = PIECES.replace("$1", "%(at)s").replace("$2", "%(length)s").replace("$3", "%(oids)s")


def write_plainly(session: Session) -> None:
    """Fix how this transaction writes values, whatever the database and the role prefer."""
    for name, value in WRITTEN_PLAINLY.items():
        session.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))


def tables(session: Session, wanted: Sequence[Relation]) -> Mapping[str, tuple[int, str]]:
    """Exact row count and content digest of each table alone, without its children's, by name."""
    statements = dict(session.execute(_STATEMENTS_OF, [[table.oid for table in wanted]]).fetchall())
    read = {}
    for table in wanted:
        rows, digest = _one(session, statements[table.oid])
        read[table.name] = (int(rows), str(digest))
    return read


def large_objects(session: Session) -> str:
    """One digest of all large objects."""
    sums = [0, 0]
    at, oids = 0, None
    while True:
        digest, oids = _one(session, _PIECES_OF, {"at": at, "length": PIECE_BYTES, "oids": oids})
        sums = [total + int(part) for total, part in zip(sums, digest.split(":"), strict=True)]
        if not oids:
            return f"{sums[0]}:{sums[1]}"
        at += PIECE_BYTES


def _one(session: Session, query: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    row = session.execute(query.encode() if parameters is None else query, parameters).fetchone()
    if row is None:
        raise LookupError("an aggregate always has a row")
    return row
