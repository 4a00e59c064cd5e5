"""The part of the catalog that knows restore tests."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.models import BackupRow, RestoreTestRow
from pgproof.adapters.catalog.restore_test_rows import restore_test_values, to_restore_test
from pgproof.domain.backup import Backup
from pgproof.domain.errors import NotFound
from pgproof.domain.restore_test import RestoreTest, RestoreTestStatus, RestoreTestStep

_LARGEST_ID = 2**63 - 1


class RestoreTestRecords(ABC):
    """See the port `Catalog`."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Session]:
        """One short transaction, its errors translated."""

    def create_restore_test(self, backup: Backup, now: datetime) -> RestoreTest:
        """A new running restore test of a backup, at its first step."""
        with self._transaction() as session:
            if session.get(BackupRow, backup.id) is None:
                raise NotFound(
                    f"the catalog has no backup {backup.id}",
                    hint="`pgproof list` shows all backups with their numbers.",
                )
            test = RestoreTest(
                id=session.scalars(select(func.nextval("pgproof.restore_tests_id_seq"))).one(),
                backup_id=backup.id,
                database=backup.database,
                status=RestoreTestStatus.RUNNING,
                step=RestoreTestStep.PREFLIGHT,
                started_at=now,
            )
            session.add(RestoreTestRow(id=test.id, **restore_test_values(test)))
        return test

    def get_restore_test(self, test_id: int) -> RestoreTest:
        """The restore test of that id."""
        with self._transaction() as session:
            return to_restore_test(_found(session, test_id))

    def save_restore_test(self, test: RestoreTest) -> None:
        """Store every field."""
        with self._transaction() as session:
            row = _found(session, test.id)
            for column, value in restore_test_values(test).items():
                setattr(row, column, value)

    def list_restore_tests(self, limit: int = 50, *, backup_id: int | None = None) -> Sequence[RestoreTest]:
        """The newest first; of one backup where it is given."""
        statement = select(RestoreTestRow).order_by(RestoreTestRow.started_at.desc(), RestoreTestRow.id.desc())
        if backup_id is not None:
            statement = statement.where(RestoreTestRow.backup_id == backup_id)
        with self._transaction() as session:
            return [to_restore_test(row) for row in session.scalars(statement.limit(limit))]

    def unfinished_restore_tests(self) -> Sequence[RestoreTest]:
        """All that are `running`, the oldest first."""
        statement = select(RestoreTestRow).where(RestoreTestRow.status == RestoreTestStatus.RUNNING.value)
        with self._transaction() as session:
            rows = session.scalars(statement.order_by(RestoreTestRow.started_at, RestoreTestRow.id))
            return [to_restore_test(row) for row in rows]


def _found(session: Session, test_id: int) -> RestoreTestRow:
    row = session.get(RestoreTestRow, test_id) if 0 < test_id <= _LARGEST_ID else None
    if row is None:
        raise NotFound(
            f"the catalog has no restore test {test_id}",
            hint="`pgproof show ID` lists the restore tests of a backup.",
        )
    return row
