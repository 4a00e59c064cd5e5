"""What a backup's globals say about roles, as statements for a server on which nobody logs in as one of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pgproof.domain.statements import pieces

_NAME = r'(?:"(?:[^"]|"")*"|[^\s";]+)'
_CREATE = re.compile(rf"CREATE ROLE ({_NAME})")
_ALTER = re.compile(rf"ALTER ROLE ({_NAME}) WITH (.*)", re.DOTALL)
_MEMBER = re.compile(rf"GRANT ({_NAME}) TO ({_NAME})( WITH .*?)?(?: GRANTED BY {_NAME})?", re.DOTALL)
# Rights count where owners and policies are restored. A login, a password and a date until which it holds do not.
_RIGHTS = re.compile(r"\b(?:NO)?(?:SUPERUSER|INHERIT|CREATEROLE|CREATEDB|REPLICATION|BYPASSRLS)\b")


@dataclass(frozen=True)
class RoleStatement:
    """One statement, and the role that it is about."""

    role: str
    text: str


def role_statements(globals_script: str) -> Iterator[RoleStatement]:
    """Roles, their rights and their memberships, without passwords and without logins, in the script's order."""
    for piece in pieces(globals_script):
        if created := _CREATE.fullmatch(piece):
            yield RoleStatement(_plain(created[1]), f"CREATE ROLE {created[1]} NOLOGIN")
        elif altered := _ALTER.fullmatch(piece):
            rights = _RIGHTS.findall(altered[2].partition(" PASSWORD ")[0])
            yield RoleStatement(_plain(altered[1]), f"ALTER ROLE {altered[1]} WITH {' '.join(rights)} NOLOGIN")
        elif joined := _MEMBER.fullmatch(piece):
            # Who granted it matters to nobody here, and may not grant on a server that he did not make.
            yield RoleStatement(_plain(joined[2]), f"GRANT {joined[1]} TO {joined[2]}{joined[3] or ''}")


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
