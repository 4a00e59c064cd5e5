"""In what two databases differ: definitions, every value, positions, large objects, and the databases themselves.

Nothing here is the product's own code, so that no defect can hide behind itself.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg import sql

from pgproof.domain.database import ConnectionInfo
from tests.servers import connect

Record = Mapping[str, str]
Portrait = Mapping[str, Record]

# Written in full, whatever the database or the role says about them.
_SETTINGS = {
    "search_path": "",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "row_security": "off",
    "quote_all_identifiers": "off",
}
_USER_SCHEMAS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'"


def portrait(bin_folder: Path, place: ConnectionInfo) -> Portrait:
    """All that two equal databases on servers of one version have in common."""
    with connect(place) as session:
        return {
            **content(place),
            "definition": schema(bin_folder, place),
            "state": _states(session),
            "database": _database(session),
        }


def content(place: ConnectionInfo) -> Portrait:
    """What two databases of equal content have in common, on servers of any version."""
    with connect(place) as session:
        return {"rows": _rows(session), "sequence": _sequences(session), "large object": _large_objects(session)}


def differences(expected: Portrait, actual: Portrait) -> list[str]:
    """One line for each thing that is missing, new, or otherwise; empty if the two are equal."""
    return [
        f"{kind} {key}:\n  - {expected[kind].get(key)}\n  + {actual[kind].get(key)}"
        for kind in expected
        for key in sorted(expected[kind].keys() | actual[kind].keys())
        if expected[kind].get(key) != actual[kind].get(key)
    ]


def schema(bin_folder: Path, place: ConnectionInfo) -> Record:
    """The definitions as pg_dump writes them, each under its heading."""
    target = f"host={place.host} port={place.port} user={place.user} dbname='{_escaped(place.dbname)}'"
    environment = {"PGPASSWORD": place.password.reveal()} if place.password else {}
    done = subprocess.run(
        [bin_folder / "pg_dump", "--schema-only", "--no-password", "--dbname", target],
        env={
            **environment,
            "PATH": os.defpath,
            "LC_ALL": "C.UTF-8",
            "PGTZ": "UTC",
            "PGOPTIONS": "-c quote_all_identifiers=off",
        },
        check=True,
        capture_output=True,
    )
    return blocks(done.stdout.decode())


def blocks(dump: str) -> Record:
    """A plain dump as statements by heading, without what differs between two equal databases.

    Order does not count; defaults that SET statements between the blocks establish are noted in each table.
    """
    found: dict[str, str] = {}
    settings: dict[str, str] = {}
    for block in re.split(r"\n--\n(?=-- Name: )", dump)[1:]:
        heading, _, body = block.partition("\n--\n")
        body = body.partition("\n--\n-- PostgreSQL database dump complete")[0]
        for setting in re.findall(r"^SET default_\w+ = .*;$", body, re.MULTILINE):
            settings[setting.split()[1]] = setting
        body = re.sub(r"^SET default_\w+ = .*;\n", "", body, flags=re.MULTILINE)
        text = _one_spelling(body.strip())
        # A SET stands at the end of the block before the one that it is for, so each block may begin anew.
        key = heading.removeprefix("-- ")
        while key in found:
            key += "'"
        found[key] = text + (f"\n-- {sorted(settings.values())}" if "CREATE TABLE" in body else "")
    return found


_ELEMENT = r"'(?:[^']|'')*'::[a-z ]+"
_CAST_ARRAY = re.compile(rf"\(ARRAY\[({_ELEMENT}(?:, {_ELEMENT})*)\]\)::(\w+)\[\]")


def _one_spelling(statement: str) -> str:
    """Undo a change of spelling: PostgreSQL writes a cast of an array and reads it as casts of its elements."""

    def by_element(match: "re.Match[str]") -> str:
        elements = re.findall(_ELEMENT, match[1])
        return "ARRAY[" + ", ".join(f"({element})::{match[2]}" for element in elements) + "]"

    return _CAST_ARRAY.sub(by_element, statement)


def _rows(session: Any) -> Record:
    """The rows of every table and materialised view, each alone: number and digest of its sorted text."""
    _set(session)
    # A virtual column is no value that is stored, and computing it may fail.
    stored = "attnum > 0 AND NOT attisdropped AND attgenerated <> 'v'"
    query = f"""
        SELECT n.nspname, c.relname, c.relkind, ARRAY(
            SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND {stored} ORDER BY attname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND (c.relkind = 'r' OR c.relispopulated) AND {_USER_SCHEMAS}
    """
    found = {}
    for schema_name, table, kind, columns in session.execute(query).fetchall():
        copy = sql.SQL("COPY (SELECT {} FROM {} {}) TO STDOUT").format(
            sql.SQL(", ").join(sql.Identifier(column) for column in columns),
            sql.SQL("ONLY" if kind == "r" else ""),
            sql.Identifier(schema_name, table),
        )
        lines = _lines(session, copy) if columns else _count(session, schema_name, table)
        found[f"{schema_name}.{table}"] = f"{len(lines)} rows, {hashlib.sha256(b''.join(sorted(lines))).hexdigest()}"
    return found


def _lines(session: Any, copy: sql.Composed) -> list[bytes]:
    with session.cursor().copy(copy) as source:
        return [bytes(line) for line in source]


def _count(session: Any, schema_name: str, table: str) -> list[bytes]:
    query = sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema_name, table))
    return [b""] * int(session.execute(query).fetchone()[0])


def _sequences(session: Any) -> Record:
    query = f"""
        SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {_USER_SCHEMAS}
    """
    found = {}
    for schema_name, name in session.execute(query).fetchall():
        position = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema_name, name))
        found[f"{schema_name}.{name}"] = str(session.execute(position).fetchone())
    return found


def _large_objects(session: Any) -> Record:
    query = "SELECT oid, lo_get(oid) FROM pg_catalog.pg_largeobject_metadata"
    return {str(oid): f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()}" for oid, data in session.execute(query)}


def _states(session: Any) -> Record:
    """What pg_dump restores and does not write into a schema dump."""
    _set(session)
    queries = {
        "materialised view": "SELECT oid::regclass::text, relispopulated FROM pg_class WHERE relkind = 'm'",
        "index": "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indexrelid >= 16384 "
        "AND indrelid NOT IN (SELECT oid FROM pg_class WHERE relkind = 't')",
        "constraint": "SELECT conrelid::regclass || '.' || contypid::regtype || '.' || conname, convalidated "
        "FROM pg_constraint WHERE oid >= 16384",
        "extension": "SELECT extname, extnamespace::regnamespace::text FROM pg_extension",
    }
    return {f"{kind} {key}": str(value) for kind, query in queries.items() for key, value in session.execute(query)}


def _database(session: Any) -> Record:
    """The row of pg_database, with names in place of OIDs, and what is set for it."""
    query = """
        SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datdba', 'dattablespace', 'datlastsysoid', 'datfrozenxid',
                                   'datminmxid']
            || jsonb_build_object('owner', datdba::regrole, 'comment', shobj_description(oid, 'pg_database'),
                   'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace),
                   'settings', (SELECT jsonb_object_agg(setrole::regrole, setconfig)
                                FROM pg_db_role_setting WHERE setdatabase = d.oid))
        FROM pg_database d WHERE datname = current_database()
    """
    _set(session)
    (row,) = session.execute(query).fetchone()
    return {key: str(value) for key, value in row.items()}


def _set(session: Any) -> None:
    for name, value in _SETTINGS.items():
        session.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
