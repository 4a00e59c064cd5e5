"""What an archive says that it holds, and which of it a chosen set of tables and schemas needs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pgproof.domain.errors import Conflict, NotFound

TABLE_DATA = "TABLE DATA"
_TABLE_CLASS = 1259  # the OID of pg_class: PostgreSQL's own, the same on every server

# Entries that are nothing without the table or other object that they depend on, and always go with it.
_BELONGING = frozenset(
    {
        "ACL", "CHECK CONSTRAINT", "COMMENT", "CONSTRAINT", "DEFAULT", "INDEX", "INDEX ATTACH",
        "MATERIALIZED VIEW DATA", "POLICY", "PUBLICATION TABLE", "ROW SECURITY", "RULE", "SECURITY LABEL",
        "SEQUENCE OWNED BY", "SEQUENCE SET", "STATISTICS", "STATISTICS DATA", "TABLE ATTACH", TABLE_DATA, "TRIGGER",
    }
)  # fmt: skip
# Of these it is right to leave one out when something that it needs is not chosen.
_OPTIONAL = frozenset({"FK CONSTRAINT", "PUBLICATION TABLE", "TABLE ATTACH", "INDEX ATTACH"})
# What a chosen table may bring along unasked: everything but rows of other tables.
_NEVER_PULLED = frozenset({"TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW"})
_SETUP = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH"})


@dataclass(frozen=True)
class Entry:
    """One entry: its number in the archive, the catalog and OID of the object, its kind, and what it needs.

    `label` is what pg_restore prints after the kind: schema, name, owner.
    """

    dump_id: int
    catalog: int
    oid: int
    kind: str
    label: str
    needs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.label}"


@dataclass(frozen=True)
class TableOfContents:
    """All entries in the order in which pg_restore takes them."""

    entries: tuple[Entry, ...]

    @property
    def tables(self) -> frozenset[int]:
        """OIDs of the tables whose rows the archive carries."""
        return frozenset(entry.oid for entry in self.entries if entry.kind == TABLE_DATA)

    @cached_property
    def _by_id(self) -> Mapping[int, Entry]:
        return {entry.dump_id: entry for entry in self.entries}

    @cached_property
    def _needed_by(self) -> Mapping[int, list[Entry]]:
        needed_by: dict[int, list[Entry]] = {}
        for entry in self.entries:
            for dump_id in entry.needs:
                needed_by.setdefault(dump_id, []).append(entry)
        return needed_by

    def select(self, tables: Mapping[int, str]) -> tuple[int, ...]:
        """Numbers of the entries that these tables (OID to name) need, in their order.

        With a table come its rows, indexes, constraints, triggers, grants and sequences, and the types,
        functions and schemas that it uses. Foreign keys come where both tables are chosen. Raises `NotFound`
        for a table that the archive does not hold, `Conflict` where one needs a table that is not chosen.
        """
        chosen = {entry.dump_id for entry in self.entries if entry.catalog == _TABLE_CLASS and entry.oid in tables}
        self._check_found(chosen, tables)
        selected = self._closed(chosen)
        setup = {entry.dump_id for entry in self.entries if entry.kind in _SETUP}
        return tuple(entry.dump_id for entry in self.entries if entry.dump_id in selected | setup)

    def _check_found(self, chosen: set[int], tables: Mapping[int, str]) -> None:
        found = {self._by_id[dump_id].oid for dump_id in chosen}
        missing = sorted(name for oid, name in tables.items() if oid not in found)
        if missing:
            raise NotFound(
                f"the archive holds no table {', '.join(missing)}", hint="`pgproof show ID` lists what it holds."
            )

    def _closed(self, chosen: set[int]) -> set[int]:
        """`chosen` with all that belongs to it and all that it needs, and nothing twice."""
        selected: set[int] = set()
        open_ends = list(chosen)
        while open_ends:
            dump_id = open_ends.pop()
            if dump_id in selected:
                continue
            selected.add(dump_id)
            entry = self._by_id[dump_id]
            open_ends += self._needs_of(entry, chosen)
            open_ends += [one.dump_id for one in self._needed_by.get(dump_id, ()) if one.kind in _BELONGING - _OPTIONAL]
        return selected | {entry.dump_id for entry in self._possible(selected)}

    def _needs_of(self, entry: Entry, chosen: set[int]) -> Iterator[int]:
        for dump_id in entry.needs:
            needed = self._by_id.get(dump_id)
            if needed is None:
                continue
            if needed.kind in _NEVER_PULLED and dump_id not in chosen:
                raise Conflict(
                    f"{entry} needs {needed}, which was not chosen",
                    hint="Choose that one too, or restore the whole backup into a new database.",
                )
            yield dump_id

    def _possible(self, selected: set[int]) -> Iterable[Entry]:
        """Optional entries whose every need is met."""
        for entry in self.entries:
            known = [dump_id for dump_id in entry.needs if dump_id in self._by_id]
            if entry.kind in _OPTIONAL and known and all(dump_id in selected for dump_id in known):
                yield entry
