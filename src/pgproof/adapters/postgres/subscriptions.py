"""Subscriptions that stand in the way: PostgreSQL drops no database that has one."""

from psycopg import sql

from pgproof.adapters.postgres.connect import Session


def exist_in(session: Session, database: int) -> bool:
    """Whether a database, by its OID, subscribes to anything: PostgreSQL drops no such database."""
    query = "SELECT FROM pg_catalog.pg_subscription WHERE subdbid = %s"
    return session.execute(query, [database]).rowcount > 0


def drop_all(session: Session, database: int) -> None:
    """Drop the subscriptions of the session's database, if it is the one of that OID.

    Their slots stay with the publishers: the database that took this one's place may subscribe by the same.
    """
    query = """
        SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
        WHERE d.oid = %s AND d.datname = pg_catalog.current_database()
    """
    for (name,) in session.execute(query, [database]).fetchall():
        for statement in (
            "ALTER SUBSCRIPTION {} DISABLE",
            "ALTER SUBSCRIPTION {} SET (slot_name = NONE)",
            "DROP SUBSCRIPTION {}",
        ):
            session.execute(sql.SQL(statement).format(sql.Identifier(name)))
