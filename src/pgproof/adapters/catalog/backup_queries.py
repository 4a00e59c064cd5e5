"""Which backups a filter means, how many those are, and the totals: all of it from indexes and counts.

A statement is made once for each set of conditions, and run with other values each time: to put one together takes
longer than to have it answered.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Executable, Select, and_, bindparam, func, select, tuple_

from pgproof.adapters.catalog.api_models import BackupCountRow
from pgproof.adapters.catalog.models import BackupRow
from pgproof.adapters.catalog.rows import clean
from pgproof.domain.backup import GONE, USABLE
from pgproof.services.ports import BackupFilter, ListedBackup

_Columns = tuple[ColumnElement[Any], ...]
_ALL: _Columns = tuple(column for column in BackupRow.__table__.columns if column.name != BackupRow.search.name)
# In the order of the fields.
LISTED: _Columns = tuple(BackupRow.__table__.columns[field.name] for field in fields(ListedBackup))
_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "status": BackupRow.status == bindparam("status"),
    "database": BackupRow.database == bindparam("database"),
    "trigger_source": BackupRow.trigger_source == bindparam("trigger_source"),
    "words": BackupRow.search.op("@@")(func.to_tsquery("simple", bindparam("words"))),
}
_AFTER = tuple_(BackupRow.created_at, BackupRow.id) < tuple_(
    bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=BigInteger)
)
_COUNTS: Mapping[str, ColumnElement[bool]] = {
    "status": BackupCountRow.status == bindparam("status"),
    "database": BackupCountRow.database == bindparam("database"),
    "trigger_source": BackupCountRow.trigger_source == bindparam("trigger_source"),
}
_USABLE_COUNT = and_(BackupCountRow.status.in_(USABLE), BackupCountRow.being_deleted.is_(False))
_LATEST = select(func.max(BackupRow.completed_at)).where(
    BackupRow.status.in_(USABLE), BackupRow.deletion_started_at.is_(None)
)
# As the generated column `search` has it.
_NO_WORD = re.compile(r"[!-/:-@\[-`{-~\s]+")

# What is there, what of it is usable, the bytes of that, and when the last of it was completed.
TOTALS = select(
    func.coalesce(func.sum(BackupCountRow.backups).filter(BackupCountRow.status.not_in(GONE)), 0),
    func.coalesce(func.sum(BackupCountRow.backups).filter(_USABLE_COUNT), 0),
    func.coalesce(func.sum(BackupCountRow.bytes).filter(_USABLE_COUNT), 0),
    _LATEST.scalar_subquery(),
)


def newest_of(wanted: BackupFilter, columns: _Columns = _ALL) -> tuple[Executable, dict[str, Any]]:
    """The backups that a filter means, the newest first, from its place in the list on: a statement and its values."""
    values = _values(wanted)
    statement = _newest(columns, frozenset(values), later=wanted.after is not None)
    if wanted.after is not None:
        values |= {"after_at": wanted.after.at, "after_id": wanted.after.id}
    return statement, {**values, "most": wanted.limit}


def count_of(wanted: BackupFilter) -> tuple[Executable, dict[str, Any]]:
    """The number of backups that a filter means. Only a text makes PostgreSQL look at each of them."""
    values = _values(wanted)
    return _count(frozenset(values)), values


def _values(wanted: BackupFilter) -> dict[str, Any]:
    """What the filter asks for, by the names of the conditions."""
    found = {
        "status": wanted.status,
        "database": None if wanted.database is None else clean(wanted.database),
        "trigger_source": wanted.trigger_source,
    }
    asked = {name: value for name, value in found.items() if value is not None}
    return asked if wanted.text is None else {**asked, "words": _query(wanted.text)}


@cache
def _newest(columns: _Columns, names: frozenset[str], *, later: bool) -> Select[Any]:
    statement = select(*columns).where(*(_CONDITIONS[name] for name in sorted(names)))
    if later:
        statement = statement.where(_AFTER)
    most: ColumnElement[int] = bindparam("most", type_=BigInteger)
    return statement.order_by(BackupRow.created_at.desc(), BackupRow.id.desc()).limit(most)


@cache
def _count(names: frozenset[str]) -> Select[Any]:
    if "words" in names:
        return select(func.count()).select_from(BackupRow).where(*(_CONDITIONS[name] for name in sorted(names)))
    total = func.coalesce(func.sum(BackupCountRow.backups), 0)
    return select(total).where(*(_COUNTS[name] for name in sorted(names)))


def _query(text: str) -> str | None:
    """A query of PostgreSQL's text search; ``None``, which nothing matches, for a text without a word."""
    words = [word for word in _NO_WORD.split(clean(text)) if word]
    # Neither a quote nor a backslash is left in a word.
    return " & ".join(f"'{word}':*" for word in words) if words else None
