"""Which backups a filter means, how many those are, and the totals: all of it from indexes and counts."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select, and_, false, func, select, tuple_

from pgproof.adapters.catalog.api_models import BackupCountRow
from pgproof.adapters.catalog.models import BackupRow
from pgproof.adapters.catalog.rows import clean
from pgproof.domain.backup import GONE, USABLE
from pgproof.services.ports import BackupFilter

# As the generated column `search` has it.
_NO_WORD = re.compile(r"[!-/:-@\[-`{-~\s]+")


def _chosen(wanted: BackupFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions of a filter, without its place in the list."""
    if wanted.status is not None:
        yield BackupRow.status == wanted.status
    if wanted.database is not None:
        yield BackupRow.database == clean(wanted.database)
    if wanted.trigger_source is not None:
        yield BackupRow.trigger_source == wanted.trigger_source
    if wanted.text is not None:
        yield _has_words(wanted.text)


def newest_of(wanted: BackupFilter) -> Select[Any]:
    """The backups that a filter means, the newest first, from its place in the list on."""
    statement = select(BackupRow).where(*_chosen(wanted))
    if wanted.after is not None:
        last = (wanted.after.at, wanted.after.id)
        statement = statement.where(tuple_(BackupRow.created_at, BackupRow.id) < last)
    return statement.order_by(BackupRow.created_at.desc(), BackupRow.id.desc()).limit(wanted.limit)


def count_of(wanted: BackupFilter) -> Executable:
    """The number of backups that a filter means. Only a text makes PostgreSQL look at each of them."""
    if wanted.text is not None:
        return select(func.count()).select_from(BackupRow).where(*_chosen(wanted))
    statement = select(func.coalesce(func.sum(BackupCountRow.backups), 0))
    if wanted.status is not None:
        statement = statement.where(BackupCountRow.status == wanted.status)
    if wanted.database is not None:
        statement = statement.where(BackupCountRow.database == clean(wanted.database))
    if wanted.trigger_source is not None:
        statement = statement.where(BackupCountRow.trigger_source == wanted.trigger_source)
    return statement


def totals() -> Executable:
    """What is there, what of it is usable, the bytes of that, and when the last of it was completed."""
    usable = and_(BackupCountRow.status.in_(USABLE), BackupCountRow.being_deleted.is_(False))
    latest = select(func.max(BackupRow.completed_at)).where(
        BackupRow.status.in_(USABLE), BackupRow.deletion_started_at.is_(None)
    )
    return select(
        func.coalesce(func.sum(BackupCountRow.backups).filter(BackupCountRow.status.not_in(GONE)), 0),
        func.coalesce(func.sum(BackupCountRow.backups).filter(usable), 0),
        func.coalesce(func.sum(BackupCountRow.bytes).filter(usable), 0),
        latest.scalar_subquery(),
    )


def _has_words(text: str) -> ColumnElement[bool]:
    words = [word for word in _NO_WORD.split(clean(text)) if word]
    if not words:
        return false()
    # Neither a quote nor a backslash is left in a word.
    query = " & ".join(f"'{word}':*" for word in words)
    return BackupRow.search.op("@@")(func.to_tsquery("simple", query))
