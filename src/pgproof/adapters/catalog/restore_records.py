"""The part of the catalog that knows restores."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_

from pgproof.adapters.catalog.found import found
from pgproof.adapters.catalog.models import BackupRow, RestoreRow
from pgproof.adapters.catalog.rows import clean, restore_values, to_restore
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.backup import Backup
from pgproof.domain.errors import Conflict
from pgproof.domain.restore import (
    Restore,
    RestoreOptions,
    RestoreStatus,
    new_restore,
)
from pgproof.services.ports import Position

_UNFINISHED = (RestoreStatus.RUNNING.value, RestoreStatus.UNDOING.value)
_KEEPING = (RestoreStatus.COMPLETED.value, RestoreStatus.UNDONE.value)


class RestoreRecords(Records):
    """See the port `Catalog`."""

    def create_restore(self, backup: Backup, dbname: str, options: RestoreOptions, now: datetime) -> Restore:
        """A new running restore at its first step, with the names of its databases."""
        with self._transactions() as session:
            found(session, BackupRow, backup.id)
            new_id = session.scalars(select(func.nextval("pgproof.restore_jobs_id_seq"))).one()
            restore = new_restore(new_id, backup, dbname, options, now)
            session.add(RestoreRow(id=new_id, **restore_values(restore)))
        return restore

    def get_restore(self, restore_id: int) -> Restore:
        """The restore of that id."""
        with self._transactions() as session:
            return to_restore(found(session, RestoreRow, restore_id))

    def save_restore(self, restore: Restore, *, expected: RestoreStatus | None = None) -> None:
        """Store every field; where a status is `expected`, of a restore whose stored status it is, else `Conflict`."""
        with self._transactions() as session:
            row = found(session, RestoreRow, restore.id, lock=True)
            if expected is not None and row.status != expected:
                raise Conflict(
                    f"restore {restore.id} is {row.status}, not {expected}",
                    hint="Somebody else changed it meanwhile: look at it again.",
                )
            for column, value in restore_values(restore).items():
                setattr(row, column, value)

    def list_restores(
        self, limit: int = 50, *, database: str | None = None, after: Position | None = None
    ) -> Sequence[Restore]:
        """The newest first; only those of the backups of one database where that is given."""
        statement = select(RestoreRow).order_by(RestoreRow.created_at.desc(), RestoreRow.id.desc())
        if database is not None:
            statement = statement.where(RestoreRow.database == clean(database))
        if after is not None:
            statement = statement.where(tuple_(RestoreRow.created_at, RestoreRow.id) < (after.at, after.id))
        with self._transactions() as session:
            return [to_restore(row) for row in session.scalars(statement.limit(limit))]

    def unfinished_restores(self) -> Sequence[Restore]:
        """All that are `running` or `undoing`, the oldest first."""
        statement = select(RestoreRow).where(RestoreRow.status.in_(_UNFINISHED))
        with self._transactions() as session:
            rows = session.scalars(statement.order_by(RestoreRow.created_at, RestoreRow.id))
            return [to_restore(row) for row in rows]

    def keeping_restores(self) -> Sequence[Restore]:
        """All that keep a database beside the live one and have an undo window, the oldest first."""
        statement = select(RestoreRow).where(
            RestoreRow.undo_until.is_not(None),
            RestoreRow.databases_dropped_at.is_(None),
            RestoreRow.status.in_(_KEEPING),
        )
        with self._transactions() as session:
            rows = session.scalars(statement.order_by(RestoreRow.created_at, RestoreRow.id))
            return [restore for row in rows if (restore := to_restore(row)).kept_database is not None]
