"""What pg_dump writes and no pg_restore brings back.

An exclusion constraint on a partitioned table (PostgreSQL 17 and newer) is dumped once for the table and once for each
partition, then `ALTER INDEX ... ATTACH PARTITION` is to tie them together. The server refuses that: it compares the
definitions of two such indexes as if they always differed (CompareIndexInfo() in catalog/index.c, seen on 18.4).
"""

from pgproof.adapters.postgres.connect import Session

_EXCLUSIONS = """
    SELECT pg_catalog.format('exclusion constraint %%I on the partitioned table %%I.%%I',
                             x.conname, n.nspname, c.relname)
    FROM pg_catalog.pg_constraint x
    JOIN pg_catalog.pg_class c ON c.oid = x.conrelid AND c.relkind = 'p'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE x.contype = 'x' AND x.conparentid = 0 AND n.nspname IS DISTINCT FROM %s
      AND EXISTS (SELECT FROM pg_catalog.pg_constraint part WHERE part.conparentid = x.oid)
    ORDER BY 1
"""


def find(session: Session) -> tuple[str, ...]:
    """What of the session's database is of that kind, for people."""
    return tuple(name for (name,) in session.execute(_EXCLUSIONS, [session.own_schema]))
