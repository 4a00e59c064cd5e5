"""The part of the catalog that keeps the logs of jobs."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text

from pgproof.adapters.catalog.forgetting import FORGET_LOGS
from pgproof.adapters.catalog.models import LogRow
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.transactions import Records
from pgproof.services.ports import Lock


class LogRecords(Records):
    """See the port `Catalog`."""

    def append_log(self, kind: Lock, job_id: int, lines: Sequence[str], now: datetime) -> None:
        """Add lines to the log of a backup or a restore."""
        if lines:
            with self._transactions() as session:
                session.add(LogRow(kind=kind.name.lower(), job_id=job_id, logged_at=now, lines=clean(list(lines))))

    def read_log(self, kind: Lock, job_id: int) -> Sequence[str]:
        """The log's lines in their order."""
        statement = select(LogRow.lines).where(LogRow.kind == kind.name.lower(), LogRow.job_id == job_id)
        with self._transactions() as session:
            return [line for lines in session.scalars(statement.order_by(LogRow.id)) for line in lines]

    def forget_logs(self, before: datetime, limit: int) -> int:
        """Forget logs of backups that are gone, and of their restore tests."""
        with self._transactions() as session:
            return int(session.scalars(text(FORGET_LOGS), {"before": before, "limit": limit}).one())
