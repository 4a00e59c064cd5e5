"""Queries that tell what a database holds, on every version from 13 on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import sql

from pgproof.adapters.postgres.connect import Session, version_of
from pgproof.adapters.postgres.patterns import TablePattern
from pgproof.domain.fingerprint import SequencePosition
from pgproof.domain.properties import DatabaseProperties, Grant, Setting
from pgproof.domain.tuning import ServerMemory
from pgproof.services.ports import Relation

OWN_SCHEMA = "pgproof"
_SEQUENCES_A_QUERY = 100

# What pg_dump dumps of pg_class: nothing of the system's, nothing temporary, no members of extensions.
_DUMPED = """
    n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'
    AND c.relpersistence <> 't'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                    AND d.objid = c.oid AND d.deptype = 'e')
    AND n.nspname IS DISTINCT FROM %(own_schema)s
"""

_TABLES = f"""
    SELECT c.oid, n.nspname, c.relname, pg_catalog.format('%%I.%%I', n.nspname, c.relname),
           COALESCE(pg_catalog.pg_table_size(c.oid), 0), c.relkind = 'p'
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND {_DUMPED}
"""

_MATCHING = f"""
    WITH RECURSIVE meant AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname OPERATOR(pg_catalog.~) %(table)s
          AND CASE WHEN %(schema)s::text IS NULL THEN n.nspname = ANY (%(path)s)
                   ELSE n.nspname OPERATOR(pg_catalog.~) %(schema)s END
        UNION
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN meant ON i.inhparent = meant.oid)
    {_TABLES} AND c.oid IN (SELECT oid FROM meant)
"""

_SEQUENCES = f"""
    SELECT n.nspname, c.relname, pg_catalog.format('%%I.%%I', n.nspname, c.relname), s.seqincrement,
           s.seqcycle
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    WHERE {_DUMPED} ORDER BY 3
"""

_UNREADABLE = f"""
    SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND {_DUMPED}
      AND (NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           OR CASE c.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                             ELSE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
                                  OR pg_catalog.row_security_active(c.oid) END)
    ORDER BY 1
"""

# pg_shdepend leaves out the bootstrap superuser, so owners are asked for as well.
_OWNERS = {
    "pg_class": "relowner", "pg_namespace": "nspowner", "pg_proc": "proowner", "pg_type": "typowner",
    "pg_collation": "collowner", "pg_conversion": "conowner", "pg_event_trigger": "evtowner",
    "pg_foreign_data_wrapper": "fdwowner", "pg_foreign_server": "srvowner", "pg_language": "lanowner",
    "pg_opclass": "opcowner", "pg_operator": "oprowner",
    "pg_opfamily": "opfowner", "pg_publication": "pubowner", "pg_statistic_ext": "stxowner",
    "pg_ts_config": "cfgowner", "pg_ts_dict": "dictowner",
}  # fmt: skip
_OWNERS_OF_ALL = " ".join(
    f"UNION SELECT {owner} FROM pg_catalog.{catalog} WHERE oid >= 16384" for catalog, owner in _OWNERS.items()
)
_ROLES = f"""
    SELECT DISTINCT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid IN (
        SELECT refobjid FROM pg_catalog.pg_shdepend
        WHERE refclassid = 'pg_catalog.pg_authid'::regclass AND dbid = (
            SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        UNION SELECT lomowner FROM pg_catalog.pg_largeobject_metadata
        {_OWNERS_OF_ALL})
    ORDER BY 1
"""

_PROPERTIES = """
    SELECT pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
           d.datcollate, d.datctype, {provider}, {locale}, {rules}, t.spcname, d.datconnlimit,
           pg_catalog.shobj_description(d.oid, 'pg_database'),
           EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public'), d.datistemplate,
           d.datacl IS NULL, d.oid
    FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
    WHERE d.datname = pg_catalog.current_database()
"""
_PROVIDER = "CASE d.datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END"

_SETTINGS = """
    SELECT r.rolname, c.entry FROM pg_catalog.pg_db_role_setting s
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c (entry, position)
    WHERE s.setdatabase = %s AND (s.setrole = 0 OR r.rolname IS NOT NULL)
    ORDER BY r.rolname NULLS FIRST, c.position
"""

_GRANTS = """
    SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
           a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)
    FROM pg_catalog.pg_database d CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) a
    WHERE d.oid = %s
"""


def databases(session: Session) -> Mapping[str, int]:
    """All databases of the server, names to OIDs."""
    return dict(session.execute("SELECT datname, oid FROM pg_catalog.pg_database").fetchall())


def tables(session: Session) -> tuple[Relation, ...]:
    """Every table whose definition a dump of this database carries."""
    return tuple(Relation(*row) for row in session.execute(_TABLES + " ORDER BY 4", _own(session)))


def matching(session: Session, pattern: TablePattern) -> tuple[Relation, ...]:
    """Tables that a pattern means, with their partitions and children."""
    parameters = {
        **_own(session),
        "table": pattern.table,
        "schema": pattern.schema,
        "path": list(session.search_path),
    }
    return tuple(Relation(*row) for row in session.execute(_MATCHING + " ORDER BY 4", parameters))


def unreadable(session: Session) -> tuple[str, ...]:
    """Tables and sequences that our role may not read in full."""
    return tuple(name for (name,) in session.execute(_UNREADABLE, _own(session)))


def may_become(session: Session) -> frozenset[str]:
    """Roles that our role may act as with SET ROLE."""
    right = "SET" if version_of(session).major >= 16 else "MEMBER"
    query = "SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(oid, %s)"
    return frozenset(name for (name,) in session.execute(query, [right]))


def roles(session: Session) -> tuple[str, ...]:
    """Roles that own or are granted something in this database."""
    return tuple(name for (name,) in session.execute(_ROLES))


def extensions(session: Session) -> Mapping[str, str]:
    """Installed extensions with their versions."""
    return dict(session.execute("SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY 1").fetchall())


def scalar(session: Session, query: str) -> Any:
    """The one value of a query that has one."""
    row = session.execute(query).fetchone()
    return row[0] if row else None


def sessions(session: Session, dbname: str) -> int:
    """How many clients are in a database."""
    query = "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    row = session.execute(query, [dbname]).fetchone()
    return int(row[0]) if row else 0


def large_objects(session: Session) -> int:
    """How many there are."""
    return int(scalar(session, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"))


_USER_OBJECTS = """
    SELECT DISTINCT o.type || ' ' || o.identity
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_namespace n ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
    WHERE d.objid >= 16384 AND d.deptype = 'n' AND n.nspname !~ '^pg_'
      AND d.classid <> 'pg_catalog.pg_default_acl'::regclass
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                      WHERE e.classid = d.classid AND e.objid = d.objid AND e.objsubid = 0
                        AND e.deptype IN ('e', 'i'))
      AND n.nspname IS DISTINCT FROM %(own_schema)s
    ORDER BY 1
"""


def user_objects(session: Session) -> tuple[str, ...]:
    """What is here beside what every new database has."""
    return tuple(name for (name,) in session.execute(_USER_OBJECTS, _own(session)))


def lock(session: Session, tables: Sequence[Relation]) -> None:
    """Take the lock that every reader takes, until the transaction ends."""
    names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.Identifier(t.schema, t.table)) for t in tables)
    session.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))


_REWRITTEN = """
    SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%s) AND c.relfilenode <> 0
      AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)
    ORDER BY 1
"""


def rewritten(session: Session, tables: Sequence[Relation]) -> tuple[str, ...]:
    """Tables that were truncated, rewritten or dropped after this session's snapshot: it sees them empty.

    The snapshot shows the file that a table had, the function the file that it has now.
    """
    return tuple(name for (name,) in session.execute(_REWRITTEN, [[table.oid for table in tables]]))


def references(session: Session) -> tuple[tuple[int, int], ...]:
    """Foreign keys, as OIDs of the referencing and of the referenced table."""
    query = "SELECT conrelid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'"
    return tuple((referencing, referenced) for referencing, referenced in session.execute(query))


def memory(session: Session, free: int | None) -> ServerMemory:
    """What the server says of its memory, with what is `free` on its machine if that is known."""
    query = (
        "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')), "
        "pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem'))"
    )
    shared_buffers, maintenance_work_mem = session.execute(query).fetchone() or (0, 0)
    return ServerMemory(shared_buffers, maintenance_work_mem, free)


def lock_capacity(session: Session) -> int:
    """How many locks the server has room for, all sessions together."""
    return int(
        scalar(
            session,
            "SELECT pg_catalog.current_setting('max_locks_per_transaction')::int8 * ("
            "pg_catalog.current_setting('max_connections')::int8"
            " + pg_catalog.current_setting('max_prepared_transactions')::int8)",
        )
    )


def count(session: Session, table: Relation) -> int:
    """Rows of one table alone, without its children's."""
    query = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(table.schema, table.table))
    row = session.execute(query).fetchone()
    return int(row[0]) if row else 0


def sequence_names(session: Session) -> tuple[str, ...]:
    """Every sequence that a dump carries."""
    return tuple(row[2] for row in session.execute(_SEQUENCES, _own(session)))


def holds_catalog(session: Session) -> bool:
    """Whether our own catalog, and not another pgproof's, lives in this database."""
    return session.own_schema is not None


def find_own_schema(session: Session, installation: str | None) -> str | None:
    """The schema of the catalog of that installation, if it is here."""
    if installation is None or not scalar(session, "SELECT pg_catalog.to_regclass('pgproof.installation') IS NOT NULL"):
        return None
    return (
        OWN_SCHEMA if scalar(session, "SELECT id::pg_catalog.text FROM pgproof.installation") == installation else None
    )


def _own(session: Session) -> dict[str, Any]:
    return {"own_schema": session.own_schema}


def sequence_positions(session: Session) -> Mapping[str, SequencePosition]:
    """Where every sequence stands now."""
    found = session.execute(_SEQUENCES, _own(session)).fetchall()
    positions = {}
    for start in range(0, len(found), _SEQUENCES_A_QUERY):
        batch = found[start : start + _SEQUENCES_A_QUERY]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}::int, last_value, is_called FROM {}").format(
                sql.Literal(number), sql.Identifier(schema, sequence)
            )
            for number, (schema, sequence, *_) in enumerate(batch)
        )
        for number, last_value, is_called in session.execute(query):
            _, _, name, increment, cycles = batch[number]
            positions[name] = SequencePosition(last_value, is_called, increment, bounded=not cycles)
    return positions


def properties(session: Session) -> DatabaseProperties:
    """What belongs to the database itself."""
    major = version_of(session).major
    query = _PROPERTIES.format(
        provider=_PROVIDER if major >= 15 else "'libc'",
        locale="d.datlocale" if major >= 17 else "d.daticulocale" if major >= 15 else "NULL",
        rules="d.daticurules" if major >= 16 else "NULL",
    )
    row = session.execute(query).fetchone()
    if row is None:
        raise LookupError("a session always has a current database")
    *plain, default_grants, oid = row
    return replace(
        DatabaseProperties(*plain),
        settings=_settings(session.execute(_SETTINGS, (oid,)).fetchall()),
        grants=None if default_grants else tuple(Grant(*grant) for grant in session.execute(_GRANTS, (oid,))),
    )


def _settings(rows: Sequence[tuple[Any, ...]]) -> tuple[Setting, ...]:
    split = ((role, *entry.partition("=")) for role, entry in rows)
    return tuple(Setting(name, value, role) for role, name, _, value in split)
