"""Roles for a server of our own: as a backup's globals describe them, and bare ones for the rest."""

from collections.abc import Iterable, Sequence

import psycopg
from psycopg import sql

from pgproof.adapters.postgres.connect import Session
from pgproof.domain.role_statements import RoleStatement

_ROLES = "SELECT rolname FROM pg_catalog.pg_roles"


def create(session: Session, statements: Iterable[RoleStatement], names: Iterable[str]) -> Sequence[str]:
    """Run statements about roles, then make those of `names` that are still missing, without a login.

    Statements about roles that are there already, our own first of all, are passed over. What the server
    refuses is told and keeps nothing else from being made.
    """
    there = {name for (name,) in session.execute(_ROLES)}
    refused = []
    for statement in statements:
        if statement.role in there:
            continue
        try:
            # As pg_dumpall has written it into a backup whose checksum was proven.
            session.execute(statement.text.encode())
        except psycopg.Error as error:
            refused.append(f"{statement.text}: {error.diag.message_primary}")
    there = {name for (name,) in session.execute(_ROLES)}
    for name in sorted(set(names) - there):
        session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    return refused
