"""Table patterns as pg_dump takes them, for the server to match.

The rules are those of psql's "Patterns": https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pgproof.domain.errors import InvalidInput


@dataclass(frozen=True)
class TablePattern:
    """Anchored regular expressions; `schema` is ``None`` for "whatever the search path finds"."""

    schema: str | None
    table: str


def parse(pattern: str) -> TablePattern:
    """Translate one pattern. Raises `InvalidInput` for one with too many dots or an open quote."""
    parts = [""]
    quoted = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == '"':
            if quoted and pattern[position + 1 : position + 2] == '"':
                parts[-1] += '"'
                position += 1
            else:
                quoted = not quoted
        elif character == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += _quoted(character) if quoted else _bare(character)
        position += 1
    if quoted or len(parts) > 2 or not parts[-1]:
        raise InvalidInput(
            f"{pattern!r} is not a table pattern",
            hint='Write a table as pg_dump takes it: logs, audit.*, or "Odd.Name" in double quotes.',
        )
    schema = f"^({parts[0]})$" if len(parts) == 2 else None
    return TablePattern(schema, f"^({parts[-1]})$")


def exact(schema: str, table: str) -> str:
    """The pattern that means one table and nothing else."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))


def parse_all(patterns: Sequence[str]) -> tuple[TablePattern, ...]:
    """Translate every pattern of a list."""
    return tuple(parse(pattern) for pattern in patterns)


_SPECIAL = frozenset("|*+?()[]{}.^$\\")


def _bare(character: str) -> str:
    return {"*": ".*", "?": ".", "$": r"\$"}.get(character, character.lower())


def _quoted(character: str) -> str:
    return "\\" + character if character in _SPECIAL else character
