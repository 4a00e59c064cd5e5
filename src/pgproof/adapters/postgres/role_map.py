"""Owners and grants for other roles than those of the backup.

pg_restore cannot rename roles, so it restores without owners and grants, and the statements that it left out
are run afterwards with the roles replaced. Nothing is searched and replaced in free text: an owner's statement
is what a script with owners has more than one without, and in a statement only those words are replaced that
stand where SQL has a role.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from psycopg import sql

# Entries whose statements name roles; all others do so only by their owner.
NAMING_ROLES = frozenset({"ACL", "DEFAULT ACL", "POLICY", "USER MAPPING"})
# Entries that are rows: no statement of theirs names a role.
ROWS = frozenset({"TABLE DATA", "BLOBS", "MATERIALIZED VIEW DATA"})

_TOKEN = re.compile(
    r"""
    (?P<text>[eE]?'(?:[^'\\]|''|\\.)*')
  | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<name>"(?:[^"]|"")*" | [^\W\d][\w$]*)
  | (?P<space>\s+ | --[^\n]*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LEADS_TO_ROLES = frozenset({"TO", "FROM", "AUTHORIZATION", "BY"})
_FOR_ROLE = ("CREATE USER MAPPING", "ALTER DEFAULT PRIVILEGES")


def owner_statements(with_owners: Iterable[str], without: Iterable[str]) -> Iterator[str]:
    """The statements that the first script's lines have more than the second's."""
    others = iter(without)
    other = next(others, None)
    for line in with_owners:
        if line == other or (other is not None and _kind_of(line) == _kind_of(other) != ""):
            other = next(others, None)
        elif line.strip():
            yield line


def _kind_of(line: str) -> str:
    """The kind of a line that differs between two scripts for other reasons: a comment, a key of psql's."""
    return next((start for start in ("-- ", "\\restrict ", "\\unrestrict ") if line.startswith(start)), "")


def statements(script: str) -> Iterator[str]:
    """The statements of a script, without its comments and psql's own commands."""
    script = "\n".join(line for line in script.split("\n") if not line.startswith(("\\restrict", "\\unrestrict")))
    collected = ""
    for token in _TOKEN.finditer(script):
        if token["space"]:
            collected += " " if collected else ""
            continue
        collected += token[0]
        if token[0] == ";":
            yield collected
            collected = ""


def replace_roles(statement: str, roles: Mapping[str, str]) -> str:
    """A statement of an owner, a grant, a policy or a user mapping, for other roles."""
    replaced = []
    depth, awaited, listed = 0, False, False  # a role comes next; one has come, and after a comma another may
    for token in _TOKEN.finditer(statement):
        word = token[0]
        if token["other"]:
            depth += {"(": 1, ")": -1}.get(word, 0)
            awaited, listed = listed and word == ",", False
        elif token["name"] and depth == 0:
            if awaited and word.upper() != "ROLE":
                word, awaited, listed = _replaced(word, roles), False, True
            else:
                awaited, listed = awaited or _leads_to_role(word, statement), False
        replaced.append(word)
    return "".join(replaced)


def _leads_to_role(word: str, statement: str) -> bool:
    upper = word.upper()
    return upper in _LEADS_TO_ROLES or (upper == "FOR" and statement.startswith(_FOR_ROLE))


def _replaced(word: str, roles: Mapping[str, str]) -> str:
    name = word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()
    new = roles.get(name)
    return word if new is None else sql.Identifier(new).as_string()
