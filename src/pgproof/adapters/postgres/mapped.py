"""A restore for other roles: what pg_restore is to leave out, and what is to be run afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pgproof.adapters.postgres.role_map import NAMING_ROLES, ROWS, owner_statements, replace_roles, statements
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.services.ports import RestoreRequest

Write = Callable[[RestoreRequest], str]


def split(request: RestoreRequest, contents: TableOfContents, write: Write) -> tuple[RestoreRequest, Sequence[str]]:
    """The request without anything that names a role, and the statements that name the new ones.

    `write` has pg_restore write the script of a request.
    """
    wanted = None if request.entries is None else set(request.entries)
    chosen = [entry for entry in contents.entries if wanted is None or entry.dump_id in wanted]
    owned = tuple(entry.dump_id for entry in chosen if entry.kind not in NAMING_ROLES | ROWS)
    naming = tuple(entry.dump_id for entry in chosen if entry.kind in NAMING_ROLES)
    plain = replace(request, role_map={}, entries=owned, no_acl=False)
    afterwards: list[str] = []
    if not request.no_owner:
        with_owners, without = (write(replace(plain, no_owner=left_out)).split("\n") for left_out in (False, True))
        afterwards += owner_statements(with_owners, without)
    if not request.no_acl:
        afterwards += _naming(write(replace(plain, entries=naming, no_owner=True)))
    kept = tuple(entry.dump_id for entry in chosen if entry.kind not in NAMING_ROLES)
    bare = replace(request, role_map={}, entries=kept, no_owner=True, no_acl=True)
    return bare, [replace_roles(statement, request.role_map) for statement in afterwards]


def _naming(script: str) -> Sequence[str]:
    starts = (
        "GRANT ",
        "REVOKE ",
        "ALTER DEFAULT",
        "CREATE POLICY",
        "CREATE USER MAPPING",
        "SET SESSION",
        "RESET SESSION",
    )
    return [statement for statement in statements(script) if statement.startswith(starts)]
