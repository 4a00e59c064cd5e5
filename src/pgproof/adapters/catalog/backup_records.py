"""The part of the catalog that knows backups."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.backup_queries import LISTED, TOTALS, count_of, newest_of
from pgproof.adapters.catalog.found import checked_id, found
from pgproof.adapters.catalog.models import BackupRow
from pgproof.adapters.catalog.rows import backup_values, clean, new_backup, to_backup
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.backup import GONE, Backup, BackupOptions, BackupStatus, BackupTrigger, check_transition
from pgproof.domain.errors import Conflict
from pgproof.services.ports import BackupFilter, BackupPage, BackupStats, ListedBackup, Lock

# Whoever asks for the next number gets one above; the sequence never goes back.
_PASS_NUMBER = text(
    "SELECT setval('pgproof.backup_jobs_id_seq', :number) FROM pgproof.backup_jobs_id_seq WHERE last_value < :number"
)


class BackupRecords(Records, ABC):
    """See the port `Catalog`."""

    @abstractmethod
    def own(self, kind: Lock, job_id: int) -> AbstractContextManager[None]:
        """See the port `Catalog`."""

    def create_backup(
        self, database: str, *, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
    ) -> Backup:
        """A new pending backup; its id, and with it its names, come from the catalog."""
        with self._transactions() as session:
            backup = new_backup(_next_backup_id(session), database, storage_url, options, trigger, now)
            session.add(BackupRow(id=backup.id, **backup_values(backup)))
        return backup

    @contextmanager
    def begin_backup(
        self, database: str, *, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
    ) -> Iterator[Backup]:
        """A new running backup, for the length of a `with` block owned; nobody sees it before it is."""
        with self._transactions() as session:
            new_id = _next_backup_id(session)
        with self.own(Lock.BACKUP, new_id):
            pending = new_backup(new_id, database, storage_url, options, trigger, now)
            running = replace(pending, status=BackupStatus.RUNNING, started_at=now)
            with self._transactions() as session:
                session.add(BackupRow(id=new_id, **backup_values(running)))
            yield running

    def adopt_backup(self, backup: Backup) -> Backup:
        """A new row for a backup that was found in a storage; never one in the place of another."""
        with self._transactions() as session:
            if session.scalar(select(BackupRow.id).where(BackupRow.filename == clean(backup.filename))) is not None:
                raise Conflict(
                    f"a backup with the file name {backup.filename} is known already",
                    hint="It is the same backup in another folder, or one of another catalog. Look at both by hand.",
                )
            session.execute(_PASS_NUMBER, {"number": backup.id})
            insertion = insert(BackupRow).on_conflict_do_nothing().returning(BackupRow.id)
            kept = session.scalar(insertion.values(id=backup.id, **backup_values(backup)))
            if kept is not None:
                return backup
            renumbered = replace(backup, id=_next_backup_id(session))
            session.add(BackupRow(id=renumbered.id, **backup_values(renumbered)))
        return renumbered

    def get_backup(self, backup_id: int) -> Backup:
        """The backup of that id."""
        with self._transactions() as session:
            return to_backup(found(session, BackupRow, backup_id))

    def save_backup(self, backup: Backup, *, expected: BackupStatus) -> None:
        """Store every field of a backup whose stored status is `expected`; else `Conflict`."""
        if backup.status != expected:
            check_transition(expected, backup.status)
        statement = (
            update(BackupRow)
            .where(BackupRow.id == checked_id(backup.id, BackupRow), BackupRow.status == expected)
            .values(**backup_values(backup))
            .returning(BackupRow.id)
        )
        with self._transactions() as session:
            if session.scalar(statement) is None:
                stored = found(session, BackupRow, backup.id)
                raise Conflict(
                    f"backup {backup.id} is {stored.status}, not {expected}",
                    hint="Somebody else changed it meanwhile: look at it again.",
                )

    def change_backup(self, backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
        """Store what `change` makes of the stored backup, and return it; nobody changes it in between."""
        with self._transactions() as session:
            row = found(session, BackupRow, backup_id, lock=True)
            stored = to_backup(row)
            changed = change(stored)
            if changed.status != stored.status:
                check_transition(stored.status, changed.status)
            for column, value in backup_values(changed).items():
                setattr(row, column, value)
        return changed

    def list_backups(self, wanted: BackupFilter) -> Sequence[Backup]:
        """The newest first."""
        with self._transactions.reading() as session:
            return [to_backup(row) for row in session.execute(*newest_of(wanted)).all()]

    def backup_page(self, wanted: BackupFilter) -> BackupPage:
        """The same with how many there would be without `limit` and `after`."""
        with self._transactions.reading() as session:
            backups = [ListedBackup(*row) for row in session.execute(*newest_of(wanted, LISTED)).all()]
            return BackupPage(backups, int(session.execute(*count_of(wanted)).scalar_one()))

    def present_backups(self) -> Sequence[Backup]:
        """All that are neither expired nor deleted, the oldest first."""
        statement = select(BackupRow).where(BackupRow.status.not_in(GONE))
        with self._transactions() as session:
            rows = session.scalars(statement.order_by(BackupRow.created_at, BackupRow.id))
            return [to_backup(row) for row in rows]

    def unfinished_deletions(self) -> Sequence[Backup]:
        """All that are being deleted, the oldest deletion first."""
        statement = select(BackupRow).where(BackupRow.deletion_started_at.is_not(None), BackupRow.status.not_in(GONE))
        with self._transactions() as session:
            rows = session.scalars(statement.order_by(BackupRow.deletion_started_at, BackupRow.id))
            return [to_backup(row) for row in rows]

    def backup_stats(self) -> BackupStats:
        """Totals for the overview."""
        with self._transactions.reading() as session:
            total, completed, size, latest = session.execute(TOTALS).one()
        return BackupStats(int(total), int(completed), int(size), latest)


def _next_backup_id(session: Session) -> int:
    number: int = session.scalars(select(func.nextval("pgproof.backup_jobs_id_seq"))).one()
    return number
