"""Which tables a backup takes with their rows, in a snapshot that shows all of them as they are."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pgproof.domain.backup import BackupOptions
from pgproof.domain.database import Database
from pgproof.domain.errors import DumpFailed, PrivilegeMissing
from pgproof.services.ports import DatabaseFacts, PostgresServer, Relation, Snapshot

_ATTEMPTS = 3
_SHOWN = 5


@dataclass(frozen=True)
class Selection:
    """The tables of one backup: those with rows, and those of which the definition alone is kept.

    `needed` were to be left out, but a foreign key of a table with rows refers to them.
    """

    facts: DatabaseFacts
    with_rows: tuple[Relation, ...]
    excluded: tuple[Relation, ...]
    needed: tuple[Relation, ...] = ()

    @property
    def schema_only(self) -> frozenset[str]:
        """Names of all tables that come back without rows; a partitioned table has none of its own."""
        parents = (table.name for table in self.facts.tables if table.parent)
        return frozenset([*parents, *(table.name for table in self.excluded)])

    @property
    def bytes_expected(self) -> int:
        """An estimate of what the dump will write."""
        return sum(table.size for table in self.with_rows)


@contextmanager
def steady_snapshot(
    server: PostgresServer,
    database: Database,
    unwanted: Sequence[str],
    log: Callable[[str], None],
) -> Iterator[tuple[Snapshot, Selection]]:
    """A snapshot whose tables are kept, and the selection in it.

    A table that is truncated or rewritten between the snapshot and the lock looks empty in the snapshot: then
    a new snapshot is taken. Raises `DumpFailed` if that goes on, `PrivilegeMissing` for tables that cannot be
    read. `unwanted` are patterns of tables whose rows stay behind.
    """
    for _ in range(_ATTEMPTS):
        with server.open_snapshot(database.connection) as snapshot:
            selection = _select(snapshot, unwanted)
            _check_readable(selection, database)
            snapshot.hold(selection.with_rows)
            changed = snapshot.rewritten(selection.with_rows)
            if not changed:
                for table in selection.needed:
                    log(f"the rows of {table.name} are taken after all: a foreign key refers to them")
                yield snapshot, selection
                return
            log(f"taking a new snapshot: {', '.join(changed[:_SHOWN])} was rewritten meanwhile")
    raise rewritten_error(changed)


def rewritten_error(changed: Sequence[str]) -> DumpFailed:
    """The error for tables that the snapshot would show empty."""
    return DumpFailed(
        f"{', '.join(changed[:_SHOWN])} was truncated or rewritten while the dump began",
        hint="Such a table looks empty to the dump, so this was not kept as a backup. Try again when it is at rest.",
        facts={"tables": list(changed)},
    )


def unwanted_patterns(
    options: BackupOptions, log_tables: Sequence[str], cache_tables: Sequence[str]
) -> tuple[str, ...]:
    """Patterns of the tables whose rows stay behind."""
    return (
        *(() if options.include_logs else log_tables),
        *(() if options.include_cache else cache_tables),
    )


def _select(snapshot: Snapshot, unwanted: Sequence[str]) -> Selection:
    facts = snapshot.facts
    matching = snapshot.matching(unwanted)
    without = _without_referenced({table.oid for table in matching}, snapshot.references() if matching else ())
    return Selection(
        facts=facts,
        with_rows=tuple(table for table in facts.tables if not table.parent and table.oid not in without),
        excluded=tuple(table for table in matching if not table.parent and table.oid in without),
        needed=tuple(table for table in matching if not table.parent and table.oid not in without),
    )


def _without_referenced(excluded: set[int], references: Sequence[tuple[int, int]]) -> set[int]:
    """`excluded` without those that a table with rows refers to, and those that they refer to in turn."""
    remaining = set(excluded)
    while needed := {to for by, to in references if to in remaining and by not in remaining}:
        remaining -= needed
    return remaining


def _check_readable(selection: Selection, database: Database) -> None:
    names = {table.name for table in selection.excluded}
    unreadable = [name for name in selection.facts.unreadable if name not in names]
    if not unreadable:
        return
    listed = ", ".join(unreadable[:_SHOWN]) + (" ..." if len(unreadable) > _SHOWN else "")
    role = database.connection.user or "our role"
    raise PrivilegeMissing(
        f"{role} may not read {len(unreadable)} of the tables and sequences of {database.connection}: {listed}",
        hint=f'Run there: GRANT pg_read_all_data TO "{role}"; (on PostgreSQL 13: GRANT SELECT on each of them; '
        "tables with row security need BYPASSRLS as well)",
        facts={"unreadable": unreadable},
    )
