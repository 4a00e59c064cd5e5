"""The part of the catalog that knows restore tests."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_

from pgproof.adapters.catalog.found import found
from pgproof.adapters.catalog.models import BackupRow, RestoreTestRow
from pgproof.adapters.catalog.restore_test_rows import restore_test_values, to_restore_test
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.backup import Backup
from pgproof.domain.restore_test import RestoreTest, RestoreTestStatus, RestoreTestStep
from pgproof.services.ports import Position


class RestoreTestRecords(Records):
    """See the port `Catalog`."""

    def create_restore_test(self, backup: Backup, now: datetime) -> RestoreTest:
        """A new running restore test of a backup, at its first step."""
        with self._transactions() as session:
            found(session, BackupRow, backup.id)
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
        with self._transactions() as session:
            return to_restore_test(found(session, RestoreTestRow, test_id))

    def save_restore_test(self, test: RestoreTest) -> None:
        """Store every field."""
        with self._transactions() as session:
            row = found(session, RestoreTestRow, test.id)
            for column, value in restore_test_values(test).items():
                setattr(row, column, value)

    def list_restore_tests(
        self, limit: int = 50, *, backup_id: int | None = None, after: Position | None = None
    ) -> Sequence[RestoreTest]:
        """The newest first; of one backup where it is given."""
        statement = select(RestoreTestRow).order_by(RestoreTestRow.started_at.desc(), RestoreTestRow.id.desc())
        if backup_id is not None:
            statement = statement.where(RestoreTestRow.backup_id == backup_id)
        if after is not None:
            statement = statement.where(tuple_(RestoreTestRow.started_at, RestoreTestRow.id) < (after.at, after.id))
        with self._transactions() as session:
            return [to_restore_test(row) for row in session.scalars(statement.limit(limit))]

    def unfinished_restore_tests(self) -> Sequence[RestoreTest]:
        """All that are `running`, the oldest first."""
        statement = select(RestoreTestRow).where(RestoreTestRow.status == RestoreTestStatus.RUNNING.value)
        with self._transactions() as session:
            rows = session.scalars(statement.order_by(RestoreTestRow.started_at, RestoreTestRow.id))
            return [to_restore_test(row) for row in rows]
