"""What `pg_restore --list --verbose` says.

An entry is ``<dump id>; <catalog oid> <object oid> <kind> <schema> <name> <owner>``, and after it may come a
line ``;\tdepends on: <dump id> ...``. See PrintTOCSummary() in pg_backup_archiver.c. Schema, name and owner
may hold spaces and line breaks, so nothing is decided by them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pgproof.domain.table_of_contents import DumpOrigin, Entry, TableOfContents

_ENTRY = re.compile(r"^(\d+); (\d+) (\d+) (.*)$")
_ORIGIN = re.compile(
    r"^; +(?P<what>Archive created at|dbname:|Dumped from database version:|Dumped by pg_dump version:) (?P<value>.*)$"
)
_FIELDS = {
    "dbname:": "dbname",
    "Dumped from database version:": "server_version",
    "Dumped by pg_dump version:": "client_version",
}
_NEEDS = re.compile(r"^;\tdepends on:((?: \d+)+)$")

# Kinds of more than one word; the longest that fits is meant. A kind that is missing here is read as its first
# word, which nothing depends on.
_LONG_KINDS = sorted(
    (
        "ACCESS METHOD", "BLOB METADATA", "CHECK CONSTRAINT", "DATABASE PROPERTIES", "DEFAULT ACL", "EVENT TRIGGER",
        "FK CONSTRAINT", "FOREIGN DATA WRAPPER", "FOREIGN SERVER", "FOREIGN TABLE", "INDEX ATTACH", "LARGE OBJECT",
        "MATERIALIZED VIEW", "MATERIALIZED VIEW DATA", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURAL LANGUAGE",
        "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "ROW SECURITY", "SECURITY LABEL", "SEQUENCE OWNED BY",
        "SEQUENCE SET", "SHELL TYPE", "STATISTICS DATA", "SUBSCRIPTION TABLE", "TABLE ATTACH", "TABLE DATA",
        "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE",
        "USER MAPPING",
    ),
    key=len,
    reverse=True,
)  # fmt: skip


def parse(lines: Iterable[str]) -> TableOfContents:
    """Read the listing. Lines that continue a name with a line break in it are passed over."""
    entries: list[Entry] = []
    said: dict[str, str] = {}
    for line in lines:
        if not entries and (origin := _ORIGIN.match(line)):
            said.setdefault(origin["what"], origin["value"])
        elif found := _ENTRY.match(line):
            kind = _kind(found[4])
            label = found[4].removeprefix(kind).strip()
            entries.append(Entry(int(found[1]), int(found[2]), int(found[3]), kind, label))
        elif entries and (needs := _NEEDS.match(line)):
            entries[-1] = replace(entries[-1], needs=tuple(int(number) for number in needs[1].split()))
    return TableOfContents(tuple(entries), _origin(said))


def _origin(said: Mapping[str, str]) -> DumpOrigin:
    known = {_FIELDS[what]: value for what, value in said.items() if what in _FIELDS}
    return DumpOrigin(**known, created_at=_moment(said.get("Archive created at", "")))


def _moment(text: str) -> datetime | None:
    """The archive holds its machine's wall clock and no zone: it is read as UTC."""
    try:
        return datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _kind(rest: str) -> str:
    for kind in _LONG_KINDS:
        if rest.startswith(kind + " "):
            return kind
    return rest.partition(" ")[0]


def render_list(dump_ids: Iterable[int]) -> str:
    """A list of entries as `pg_restore --use-list` takes it."""
    return "".join(f"{dump_id};\n" for dump_id in dump_ids)
