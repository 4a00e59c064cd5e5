"""Privileges on a database as they were, each granted by whoever granted it.

A superuser's GRANT counts as the owner's. So a grant that a role passed on is repeated as that role, as
pg_dump does for everything inside of a database; otherwise a later REVOKE ... CASCADE would miss it.
"""

from collections.abc import Iterator, Sequence

from psycopg import sql

from pgproof.domain.properties import Grant


def statements(
    database: sql.Identifier, grants: Sequence[Grant], owner: str, may_become: frozenset[str]
) -> Iterator[sql.Composed]:
    """GRANT statements, for one transaction. What nobody may grant as its grantor becomes the owner's grant."""
    for grant in in_order(grants, owner):
        chained = grant.grantor != owner and grant.grantor in may_become
        if chained:
            yield sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(grant.grantor))
        yield _grant(database, grant)
        if chained:
            yield sql.SQL("SET LOCAL ROLE NONE").format()


def in_order(grants: Sequence[Grant], owner: str) -> Sequence[Grant]:
    """The same grants, each after the one that gave its grantor the right to it."""
    waiting = list(grants)
    ordered: list[Grant] = []
    while waiting:
        may_grant = {(grant.grantee, grant.privilege) for grant in ordered if grant.grantable}
        ready = [grant for grant in waiting if grant.grantor == owner or (grant.grantor, grant.privilege) in may_grant]
        if not ready:
            return [*ordered, *waiting]
        ordered += ready
        waiting = [grant for grant in waiting if grant not in ready]
    return ordered


def _grant(database: sql.Identifier, grant: Grant) -> sql.Composed:
    grantee = sql.SQL("PUBLIC") if grant.grantee is None else sql.Identifier(grant.grantee)
    option = sql.SQL(" WITH GRANT OPTION") if grant.grantable else sql.SQL("")
    return sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
        sql.SQL(_privilege(grant.privilege)), database, grantee, option
    )


def _privilege(name: str) -> str:
    # From the catalog of a server, but it becomes a keyword: only those that databases have.
    if name not in ("CREATE", "CONNECT", "TEMPORARY"):
        raise ValueError(f"{name!r} is not a privilege of databases")
    return name
