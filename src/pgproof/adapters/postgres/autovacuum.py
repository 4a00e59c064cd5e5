"""A load with autovacuum kept away from what is loaded, table by table, and then let in as the archive says.

The tables' own storage parameters are used: they go with the database, should it be dropped half loaded, and no
other database of the server notices anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from pgproof.adapters.postgres.connect import Session
from pgproof.domain.table_of_contents import Entry, TableOfContents

_PARAMETER = "autovacuum_enabled"
_EVENT_TRIGGER = "EVENT TRIGGER"

# Partitioned tables have no such parameter. What is not ours to alter belongs to an extension, and is small.
_TABLES = """
    SELECT n.nspname, c.relname, c.relkind = 'm', COALESCE(c.reloptions, '{}'), COALESCE(t.reloptions, '{}')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
    WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384 AND n.nspname !~ '^pg_'
      AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
    ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Stages:
    """Numbers of entries: `definitions` before any row, then nearly all, then `last` what would hear of our changes."""

    definitions: tuple[int, ...]
    most: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True)
class Held:
    """A table, or a materialised `view`, with its storage parameters before it was changed."""

    schema: str
    name: str
    view: bool
    options: tuple[str, ...] = ()
    toast_options: tuple[str, ...] = ()


def stages(contents: TableOfContents, pre_data: frozenset[int], entries: Sequence[int] | None) -> Stages:
    """Divide the chosen entries. Event triggers come last anyway, so that nothing of a restore sets them off."""
    wanted = None if entries is None else frozenset(entries)
    chosen = [entry for entry in contents.entries if wanted is None or entry.dump_id in wanted]
    triggers = {entry.dump_id for entry in chosen if entry.kind == _EVENT_TRIGGER}

    def is_last(entry: Entry) -> bool:
        return entry.dump_id in triggers or any(needed in triggers for needed in entry.needs)

    return Stages(
        definitions=tuple(one.dump_id for one in chosen if one.dump_id in pre_data),
        most=tuple(one.dump_id for one in chosen if one.dump_id not in pre_data and not is_last(one)),
        last=tuple(one.dump_id for one in chosen if one.dump_id not in pre_data and is_last(one)),
    )


def hold(session: Session) -> Sequence[Held]:
    """Keep autovacuum away from every table; what they were before."""
    tables = [
        Held(schema, name, view, tuple(options), tuple(toast))
        for schema, name, view, options, toast in session.execute(_TABLES).fetchall()
    ]
    for table in tables:
        session.execute(keep_away(table))
    return tables


def release(session: Session, tables: Sequence[Held]) -> None:
    """Let every table have the storage parameters that it had."""
    for table in tables:
        session.execute(give_back(table))


def keep_away(table: Held) -> sql.Composed:
    """The statement that does it for one table and what belongs to it."""
    return sql.SQL("{} SET (autovacuum_enabled = false, toast.autovacuum_enabled = false)").format(_alter(table))


def give_back(table: Held) -> sql.Composed:
    """The statement that brings back the parameters, in the order in which they were."""
    parts = [*_changes(table.options, sql.SQL("")), *_changes(table.toast_options, sql.SQL("toast."))]
    return sql.SQL("{} {}").format(_alter(table), sql.SQL(", ").join(parts))


def _alter(table: Held) -> sql.Composed:
    kind = sql.SQL("ALTER MATERIALIZED VIEW {}" if table.view else "ALTER TABLE {}")
    return kind.format(sql.Identifier(table.schema, table.name))


def _changes(options: Sequence[str], prefix: sql.SQL) -> Iterator[sql.Composable]:
    """RESET our own parameter; where the table had one, RESET and SET all, since one that is set anew comes last."""
    pairs = [(name, value) for name, _, value in (option.partition("=") for option in options)]
    had_one = any(name == _PARAMETER for name, _ in pairs)
    names = [name for name, _ in pairs] if had_one else [_PARAMETER]
    reset = sql.SQL(", ").join(prefix + sql.Identifier(name) for name in names)
    yield sql.SQL("RESET ({})").format(reset)
    if had_one:
        values = sql.SQL(", ").join(
            prefix + sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in pairs
        )
        yield sql.SQL("SET ({})").format(values)
