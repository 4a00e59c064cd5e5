"""The part of the catalog that knows idempotency keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from pgproof.adapters.catalog.api_models import IdempotencyRow
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.transactions import Records
from pgproof.services.ports.idempotency import EarlierRequest, KeyedRequest


class PostgresIdempotencyRecords(Records):
    """See the port `IdempotencyRecords`."""

    def claim_key(self, request: KeyedRequest, now: datetime, *, forget_before: datetime) -> EarlierRequest | None:
        """Have the key; ``None`` says that it was free."""
        mine = insert(IdempotencyRow).values(
            caller=clean(request.caller), key=request.key, request_sha256=request.sha256, created_at=now
        )
        with self._transactions() as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < forget_before))
            # Waits for another one that is just doing the same, and then sees it.
            claimed = session.scalar(mine.on_conflict_do_nothing().returning(IdempotencyRow.id))
            if claimed is not None:
                return None
            row = session.execute(
                select(IdempotencyRow.request_sha256, IdempotencyRow.answer).where(*_of(request))
            ).one_or_none()
        # Gone again at once: its request came to nothing, and whoever asks next gets the key.
        return EarlierRequest(request.sha256, None) if row is None else EarlierRequest(*row)

    def settle_key(self, request: KeyedRequest, answer: Mapping[str, Any]) -> None:
        """Keep the answer for whoever asks again."""
        with self._transactions() as session:
            session.execute(update(IdempotencyRow).where(*_of(request)).values(answer=clean(dict(answer))))

    def release_key(self, request: KeyedRequest) -> None:
        """Give a key free whose request came to nothing."""
        with self._transactions() as session:
            session.execute(delete(IdempotencyRow).where(*_of(request)))


def _of(request: KeyedRequest) -> tuple[Any, Any]:
    return IdempotencyRow.caller == clean(request.caller), IdempotencyRow.key == request.key
