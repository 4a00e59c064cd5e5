"""Makes the strange database on a server, with everything that the server can hold."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from pgproof.domain.database import ConnectionInfo
from tests.servers import Server, connect

SQL = Path(__file__).parent / "sql"
VERSIONS = (15, 16, 17, 18)
TABLESPACE = "strange Spaçe"
HOME = 'strange "home"'
OWNER = "strange_owner"

# Statements that fail on a server that cannot hold a file of `sql/capable`.
CAPABLE = {
    "icu": "CREATE COLLATION pg_temp.probe (PROVIDER = icu, LOCALE = 'de')",
    "lz4": "SET default_toast_compression = lz4",
    "xml": "SELECT '<a/>'::xml",
    "extensions": "DO $$BEGIN IF (SELECT count(*) FROM pg_available_extensions WHERE name IN ('hstore', 'citext', "
    "'btree_gist', 'pg_trgm', 'pgcrypto', 'postgres_fdw', 'file_fdw')) < 7 THEN RAISE 'not all there'; END IF; END$$",
    "vector": "DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN "
    "RAISE 'not there'; END IF; END$$",
}

_SUBSCRIPTIONS = """
    SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def make(server: Server, *, capable: bool = True) -> ConnectionInfo:
    """Make the strange database. Without `capable`: only what every server of that version can hold."""
    prepare(server)
    name = f"Strange \"database\"; -- 'nämé' {uuid.uuid4().hex[:8]}"
    place = create_empty(server, name)
    for file in files(server.major):
        run(place, file)
    for part in CAPABLE:
        if capable and can(server, part):
            run(place, SQL / "capable" / f"{part}.sql")
    _set_properties(server, place.dbname)
    run(place, SQL / "settings.sql")
    return place


def prepare(server: Server) -> None:
    """The roles and the tablespaces, unless they are there."""
    run(server.connection, SQL / "roles.sql")
    found = {name for (name,) in server.sql(server.connection, "SELECT spcname FROM pg_tablespace")}
    for name in (TABLESPACE, HOME):
        if name not in found:
            statement = sql.SQL("CREATE TABLESPACE {} OWNER {} LOCATION ''")
            made = statement.format(sql.Identifier(name), sql.Identifier(OWNER))
            server.sql(server.connection, "SET allow_in_place_tablespaces = on", made)


def create_empty(server: Server, name: str) -> ConnectionInfo:
    """An empty database like the strange one, in a tablespace of its own."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {} TABLESPACE {}").format(
        sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(HOME)
    )
    server.sql(server.connection, statement)
    return server.connection.to_database(name)


def files(major: int) -> Iterator[Path]:
    """The files for a server of that major version, in their order."""
    for version in VERSIONS:
        if version <= major:
            yield from sorted((SQL / str(version)).glob("*.sql"))


def run(place: ConnectionInfo, file: Path) -> None:
    """Run one file in one transaction."""
    with connect(place, options="-c default_transaction_read_only=off") as session:
        try:
            session.execute(file.read_bytes())
        except psycopg.Error as error:
            error.add_note(f"in {file.relative_to(SQL)}")
            raise


def can(server: Server, part: str) -> bool:
    """Whether a server can hold a part of `sql/capable`."""
    with connect(server.connection, autocommit=False) as session:
        try:
            session.execute(CAPABLE[part].encode())
        except psycopg.Error:
            return False
        finally:
            session.rollback()
    return True


def _set_properties(server: Server, name: str) -> None:
    """What belongs to the database itself. The settings are those that change how values are written."""
    statements = [
        "COMMENT ON DATABASE {} IS 'it''s a \"strange\" one; -- ünïcödé'",
        "ALTER DATABASE {} CONNECTION LIMIT 50",
        'ALTER DATABASE {} SET search_path = "$user", \'Strange Schema.with "quotes"; -- and dots\', strange, public',
        "ALTER DATABASE {} SET DateStyle = 'German, DMY'",
        "ALTER DATABASE {} SET IntervalStyle = 'sql_standard'",
        "ALTER DATABASE {} SET TimeZone = 'Asia/Kathmandu'",
        "ALTER DATABASE {} SET extra_float_digits = -5",
        "ALTER DATABASE {} SET array_nulls = off",
        "ALTER DATABASE {} SET quote_all_identifiers = on",
        "ALTER DATABASE {} SET bytea_output = 'escape'",
        "ALTER DATABASE {} SET default_text_search_config = 'strange.search'",
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        "ALTER DATABASE {} SET default_table_access_method = 'strange_heap'",
        "ALTER DATABASE {} SET \"strange.custom\" = 'it''s \"custom\", a\\b'",
        "ALTER DATABASE {} SET \"strange.Empty\" = ''",
        "ALTER DATABASE {} SET temp_tablespaces = '', 'strange Spaçe'",
        "ALTER DATABASE {} SET statement_timeout = '20min'",
        "ALTER ROLE strange_reader IN DATABASE {} SET search_path = 'a, b', \"C\"",
        'ALTER ROLE "Strange ""quoted"" röle; --" IN DATABASE {} SET work_mem = \'5MB\'',
        "ALTER ROLE postgres IN DATABASE {} SET IntervalStyle = 'iso_8601'",
        "REVOKE ALL ON DATABASE {} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {} TO strange_reader",
        "GRANT CREATE, TEMPORARY ON DATABASE {} TO strange_chain_a WITH GRANT OPTION",
        "SET SESSION AUTHORIZATION strange_chain_a",
        "GRANT CREATE ON DATABASE {} TO strange_chain_b WITH GRANT OPTION",
        "SET SESSION AUTHORIZATION strange_chain_b",
        'GRANT CREATE ON DATABASE {} TO strange_chain_c, "Strange ""quoted"" röle; --"',
    ]
    quoted = sql.Identifier(name)
    # default_text_search_config is checked only where it is set: from within the database.
    place = server.connection.to_database(name)
    server.sql(place, *(sql.SQL(statement).format(quoted) for statement in statements))


def drop(server: Server, name: str) -> None:
    """Drop a database, if it is there, with its subscriptions: PostgreSQL does not drop those."""
    exists = sql.SQL("SELECT 1 FROM pg_database WHERE datname = {}").format(sql.Literal(name))
    if not server.sql(server.connection, exists):
        return
    place = server.connection.to_database(name)
    for (subscription,) in server.sql(place, _SUBSCRIPTIONS):
        quoted = sql.Identifier(subscription)
        server.sql(
            place,
            "SET default_transaction_read_only = off",
            sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(quoted),
            sql.SQL("DROP SUBSCRIPTION {}").format(quoted),
        )
    server.drop_database(name)
