"""What `pg_restore --list` says.

An entry is ``<dump id>; <catalog oid> <object oid> <type> <schema> <name> <owner>``; names may hold anything,
so only the leading numbers and the type are read. See TOC entries in pg_backup_archiver.c, PrintTOCSummary.
"""

import re
from collections.abc import Iterable

from pgproof.services.ports import TableOfContents

_ENTRY = re.compile(r"^(\d+); (\d+) (\d+) (.*)$")
_TABLE_DATA = "TABLE DATA "


def parse(lines: Iterable[str]) -> TableOfContents:
    """Read the listing. Lines that continue a name with a line break in it are passed over."""
    tables = set()
    entries = 0
    for line in lines:
        found = _ENTRY.match(line)
        if not found:
            continue
        entries += 1
        if found[4].startswith(_TABLE_DATA):
            tables.add(int(found[3]))
    return TableOfContents(frozenset(tables), entries)
