"""What an archive says that it holds, and which of it a chosen set of tables and schemas needs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pgproof.domain.errors import Conflict, NotFound

TABLE_DATA = "TABLE DATA"
_TABLE_CLASS = 1259  # the OID of pg_class: PostgreSQL's own, the same on every server

# Entries that are nothing without the table or other object that they depend on, and always go with it.
_BELONGING = frozenset(
    {
        "ACL", "CHECK CONSTRAINT", "COMMENT", "CONSTRAINT", "DEFAULT", "INDEX", "MATERIALIZED VIEW DATA", "POLICY",
        "ROW SECURITY", "RULE", "SECURITY LABEL", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "STATISTICS",
        "STATISTICS DATA", TABLE_DATA, "TRIGGER",
    }
)  # fmt: skip
_DESCRIBING = frozenset({"ACL", "COMMENT", "SECURITY LABEL"})
_HOLDERS = frozenset({"TABLE", "FOREIGN TABLE", "SEQUENCE", "MATERIALIZED VIEW", "CONSTRAINT", "INDEX"})
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
class DumpOrigin:
    """What a dump says about itself; empty where it says nothing. `created_at` is the clock of its machine."""

    dbname: str = ""
    server_version: str = ""
    client_version: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class TableOfContents:
    """All entries in the order in which pg_restore takes them, and what the archive says about its origin."""

    entries: tuple[Entry, ...]
    origin: DumpOrigin = DumpOrigin()

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
        """Numbers of the entries that these tables (OID to name) need in an empty database, in their order.

        With a table come its rows, indexes, constraints, triggers, grants and sequences, and the types,
        functions and schemas that it uses. Foreign keys come where both tables are chosen. Raises `NotFound`
        for a table that the archive does not hold, `Conflict` where one needs a table that is not chosen.
        """
        chosen = self._chosen(tables)
        selected = self._closed(chosen, self._prerequisites(chosen))
        selected |= {entry.dump_id for entry in self._optional(lambda needed: needed <= selected)}
        return self._in_order(selected)

    def select_own(self, tables: Mapping[int, str], owners: Iterable[str]) -> tuple[int, ...]:
        """Numbers of the entries that belong to these tables, for a database that holds all they use.

        `owners` are the roles that may stand at the end of a label. Raises `NotFound`.
        """
        chosen = self._chosen(tables)
        selected = self._closed(chosen, lambda _: ())
        names = {_without_owner(self._by_id[dump_id].label, owners) + " " for dump_id in chosen}
        selected |= {
            entry.dump_id
            for entry in self._optional(lambda needed: bool(needed & selected))
            if any(f"{entry.label} ".startswith(name) for name in names) or entry.kind == "INDEX ATTACH"
        }
        return self._in_order(selected)

    def _in_order(self, selected: set[int]) -> tuple[int, ...]:
        setup = {entry.dump_id for entry in self.entries if entry.kind in _SETUP}
        return tuple(entry.dump_id for entry in self.entries if entry.dump_id in selected | setup)

    def _chosen(self, tables: Mapping[int, str]) -> set[int]:
        chosen = {entry.dump_id for entry in self.entries if entry.catalog == _TABLE_CLASS and entry.oid in tables}
        found = {self._by_id[dump_id].oid for dump_id in chosen}
        missing = sorted(name for oid, name in tables.items() if oid not in found)
        if missing:
            raise NotFound(
                f"the archive holds no table {', '.join(missing)}", hint="`pgproof show ID` lists what it holds."
            )
        return chosen

    def _closed(self, chosen: set[int], prerequisites: Callable[[Entry], Iterable[int]]) -> set[int]:
        """`chosen` with all that belongs to it and all its prerequisites, and nothing twice."""
        selected: set[int] = set()
        open_ends = list(chosen)
        while open_ends:
            dump_id = open_ends.pop()
            if dump_id in selected:
                continue
            selected.add(dump_id)
            open_ends += prerequisites(self._by_id[dump_id])
            # What is only used, such as a schema, brings its description along, not all that lies in it.
            going_along = _BELONGING if self._by_id[dump_id].kind in _HOLDERS else _DESCRIBING
            open_ends += [one.dump_id for one in self._needed_by.get(dump_id, ()) if one.kind in going_along]
        return selected

    def _prerequisites(self, chosen: set[int]) -> Callable[[Entry], Iterable[int]]:
        def needs_of(entry: Entry) -> Iterator[int]:
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

        return needs_of

    def _optional(self, met: Callable[[set[int]], bool]) -> Iterator[Entry]:
        for entry in self.entries:
            if entry.kind in _OPTIONAL:
                known = {dump_id for dump_id in entry.needs if dump_id in self._by_id}
                if known and met(known):
                    yield entry


def _without_owner(label: str, owners: Iterable[str]) -> str:
    for owner in sorted(owners, key=len, reverse=True):
        if label.endswith(f" {owner}"):
            return label.removesuffix(f" {owner}")
    return label
