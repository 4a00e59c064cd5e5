"""The catalog port on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from pgproof.adapters.catalog.backup_records import BackupRecords
from pgproof.adapters.catalog.database_records import DatabaseRecords
from pgproof.adapters.catalog.log_records import LogRecords
from pgproof.adapters.catalog.models import InstallationRow
from pgproof.adapters.catalog.ownership import Ownership, is_owned
from pgproof.adapters.catalog.restore_records import RestoreRecords
from pgproof.adapters.catalog.restore_test_records import RestoreTestRecords
from pgproof.adapters.catalog.transactions import Transactions
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import WorkerLost
from pgproof.services.ports import Lock, Seal


class PostgresCatalog(DatabaseRecords, BackupRecords, RestoreRecords, RestoreTestRecords, LogRecords):
    """The record of databases, backups and restores; `prepare_catalog` makes its tables.

    It connects when it is first asked. Threads may share it; `close` ends its idle sessions.
    """

    def __init__(self, connection: ConnectionInfo, seal: Seal) -> None:
        self.transactions = Transactions(connection)
        super().__init__(self.transactions, seal)
        self._owned: dict[tuple[Lock, int], Ownership] = {}

    def close(self) -> None:
        """End the sessions of the pool."""
        self.transactions.close()

    def installation(self) -> str:
        """What tells this catalog from every other."""
        with self._transactions() as session:
            return str(session.scalars(select(InstallationRow.id)).one())

    @contextmanager
    def own(self, kind: Lock, job_id: int) -> Iterator[None]:
        """Own a job for the length of a `with` block; `Conflict` if somebody else does."""
        ownership = Ownership(self.transactions.connection, kind, job_id)
        # Its session may be lost, then the server would let a second thread of ours have the job.
        if self._owned.setdefault((kind, job_id), ownership) is not ownership:
            raise ownership.conflict()
        try:
            ownership.take()
            yield
        finally:
            del self._owned[kind, job_id]
            ownership.release()

    def check_owned(self, kind: Lock, job_id: int) -> None:
        """Raise `WorkerLost` unless we still own the job."""
        ownership = self._owned.get((kind, job_id))
        if ownership is None:
            raise WorkerLost(f"nobody here owns {kind.name.lower()} {job_id}", hint="Start it again.")
        ownership.check()

    def keep_owned(self) -> None:
        """Take again what this process owns and whose session was lost."""
        for ownership in list(self._owned.values()):
            ownership.keep()

    def is_owned(self, kind: Lock, job_id: int) -> bool:
        """Whether some living process owns the job."""
        return is_owned(self.transactions.connection, kind, job_id)
