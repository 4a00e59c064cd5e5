"""The audit trail."""

from collections.abc import Mapping, Sequence
from typing import Any

from pgproof.domain.audit import DONE, AuditEntry, as_name, without_secret_values
from pgproof.domain.errors import InvalidInput
from pgproof.services.ports import Clock
from pgproof.services.ports.access import AuditFilter, AuditRecords, NewAuditEntry

MOST_LISTED = 1_000


class AuditTrail:
    """Who did what. It is only ever added to: the catalog itself refuses to change or remove an entry."""

    def __init__(self, records: AuditRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    def record(
        self,
        actor: str,
        action: str,
        *,
        object: str = "",  # noqa: A002 - the trail's own word
        outcome: str = DONE,
        address: str | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """Add an entry. What sounds secret among the details is masked, and passwords in URLs everywhere."""
        return self._records.add_entry(
            NewAuditEntry(
                at=self._clock.now(),
                actor=as_name(actor),
                action=action,
                object=as_name(object),
                outcome=outcome,
                address=address,
                request_id=request_id,
                details=without_secret_values(details or {}),
            )
        )

    def list(self, wanted: AuditFilter) -> Sequence[AuditEntry]:
        """The newest first. For more, ask again with the last id as the cursor."""
        if not 0 < wanted.limit <= MOST_LISTED:
            raise InvalidInput(
                f"{wanted.limit} entries cannot be listed at once", hint=f"Ask for 1 to {MOST_LISTED:,} entries."
            )
        return self._records.list_entries(wanted)
