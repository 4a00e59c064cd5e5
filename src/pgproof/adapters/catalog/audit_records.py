"""The part of the catalog that keeps the audit trail."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from pgproof.adapters.catalog.access_models import AuditRow
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.audit import AuditEntry
from pgproof.services.ports.access import AuditFilter, NewAuditEntry

_LARGEST_ID = 2**63 - 1


class AuditRecords(Records):
    """See the port `AuditRecords`."""

    def add_entry(self, entry: NewAuditEntry) -> AuditEntry:
        """Store an entry for good."""
        row = AuditRow(
            at=entry.at,
            **clean(
                {
                    "actor": entry.actor,
                    "action": entry.action,
                    "object": entry.object,
                    "outcome": entry.outcome,
                    "address": entry.address,
                    "request_id": entry.request_id,
                    "details": dict(entry.details),
                }
            ),
        )
        with self._transactions() as session:
            session.add(row)
            session.flush()
            return _to_entry(row)

    def list_entries(self, wanted: AuditFilter) -> Sequence[AuditEntry]:
        """The newest first."""
        with self._transactions() as session:
            return [_to_entry(row) for row in session.scalars(_chosen(wanted))]


def _chosen(wanted: AuditFilter) -> Select[Any]:
    statement = select(AuditRow)
    for column, value in (
        (AuditRow.actor, wanted.actor),
        (AuditRow.action, wanted.action),
        (AuditRow.object, wanted.object),
    ):
        if value is not None:
            statement = statement.where(column == clean(value))
    if wanted.cursor is not None:
        statement = statement.where(AuditRow.id < max(0, min(wanted.cursor, _LARGEST_ID)))
    if wanted.since is not None:
        statement = statement.where(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AuditRow.at < wanted.until)
    return statement.order_by(AuditRow.id.desc()).limit(wanted.limit)


def _to_entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        object=row.object,
        outcome=row.outcome,
        address=row.address,
        request_id=row.request_id,
        details=row.details,
    )
