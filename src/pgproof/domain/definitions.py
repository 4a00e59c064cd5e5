"""What a schema dump says about each object, and in what two such dumps differ.

Order and comments do not count. The same definition may be spelled in two ways: PostgreSQL writes
``'a'::varchar::text`` once as a cast of an array and, when it has read that, as casts of its elements; other major
versions qualify names and name constraints otherwise. A definition of the same words is the same definition.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pgproof.domain.fingerprint import Difference
from pgproof.domain.secret import without_url_passwords
from pgproof.domain.statements import pieces

KIND = "definition"

_HEADER = re.compile(r"-- Name: (.*); Type: (.*); Schema: (.*); Owner: ?(.*)")
_DEFAULT = re.compile(r"SET (default_\w+) = (.*)", re.DOTALL)
_ACCESS_METHOD = "default_table_access_method"
_WITH_ACCESS_METHOD = frozenset({"TABLE", "MATERIALIZED VIEW"})
# What pg_restore counts among the definitions and pg_dump among the rows.
_ROWS = frozenset({"TABLE DATA", "MATERIALIZED VIEW DATA", "SEQUENCE SET", "STATISTICS DATA", "BLOBS"})
_UNORDERED = ("ACL ", "DEFAULT ACL ")
# From 15 on, what new databases give to PUBLIC there differs, and a dump tells only what differs from that.
_PUBLIC = ("SCHEMA public", "ACL SCHEMA public", "COMMENT SCHEMA public")

_NAME = r'(?:"(?:[^"]|"")*"|\w+)'
_TYPE = rf"{_NAME}(?:\.{_NAME})*(?: varying| precision)?(?:\(\d+(?:,\d+)?\))?(?: with(?:out)? time zone)?(?:\[\])*"
_WORD = re.compile(
    rf"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|(?P<cast>::{_TYPE})|[\w$]+|[^\s\w()]""",
    re.DOTALL,
)
_SHOWN = 200

Definitions = Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """How many definitions were held against each other, how many of them are only spelled otherwise, the rest."""

    compared: int
    respelled: int
    differences: tuple[Difference, ...]


def parse(script: str) -> Definitions:
    """The definition of every object in a script, by its kind and name."""
    found: dict[str, list[str]] = defaultdict(list)
    kind, key = "", ""
    defaults: dict[str, str] = {}
    for piece in pieces(script):
        if header := _HEADER.fullmatch(piece):
            name, kind, schema, _ = header.groups()
            key = f"{kind} {name}" if schema == "-" else f"{kind} {schema}.{name}"
        elif piece.startswith("--"):
            continue
        elif default := _DEFAULT.fullmatch(piece):
            defaults[default[1]] = default[2]
        elif key and kind not in _ROWS:
            found[key].append(piece + _access_method(kind, piece, defaults))
    unordered = {name: sorted(statements) for name, statements in found.items() if name.startswith(_UNORDERED)}
    return {name: ";\n".join(statements) for name, statements in (found | unordered).items()}


def compare(expected: Definitions, actual: Definitions, *, same_version: bool) -> Comparison:
    """Hold what came back to what an archive defines, object by object.

    Of a dump that another major version of PostgreSQL wrote only what exists is compared, not how it is written.
    """
    names = sorted(expected.keys() | actual.keys())
    if not same_version:
        names = [name for name in names if name not in _PUBLIC]
    differences, respelled = [], 0
    for name in names:
        before, after = expected.get(name), actual.get(name)
        if before is None or after is None:
            differences.append(Difference(KIND, name, before and _shown(before), after and _shown(after)))
        elif before == after:
            continue
        elif not same_version or _words(before) == _words(after):
            respelled += 1
        else:
            differences.append(Difference(KIND, name, *_first_difference(before, after)))
    return Comparison(len(names), respelled, tuple(differences))


def _access_method(kind: str, statement: str, defaults: Mapping[str, str]) -> str:
    """What a table takes from the setting before it. A partitioned one has no rows and takes nothing."""
    takes = kind in _WITH_ACCESS_METHOD and statement.startswith("CREATE") and "PARTITION BY" not in statement
    return f"\nUSING {defaults[_ACCESS_METHOD]}" if takes and _ACCESS_METHOD in defaults else ""


def _words(definition: str) -> list[str]:
    """The words without casts and parentheses, sorted: columns of an inheriting table may change places."""
    return sorted(found[0] for found in _WORD.finditer(definition) if not found["cast"])


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """The first lines in which two definitions differ."""
    old, new = before.splitlines(), after.splitlines()
    length = max(len(old), len(new))
    pairs = zip(old + [""] * (length - len(old)), new + [""] * (length - len(new)), strict=True)
    different = next(((one, other) for one, other in pairs if one != other), (before, after))
    return _shown(different[0]), _shown(different[1])


def _shown(text: str) -> str:
    # Before it is cut: some definitions hold passwords for other servers.
    line = without_url_passwords(" ".join(text.split()))
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
