"""The same request twice is done once."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from pgproof.domain.errors import Conflict, InvalidInput
from pgproof.services.ports import Clock
from pgproof.services.ports.idempotency import EarlierRequest, IdempotencyRecords, KeyedRequest

_KEPT = timedelta(days=1)
_LOOKS = 40
_LOOK_SECONDS = 0.25


class IdempotencyService:
    """Keys are a caller's own, and kept for a day. `pause` waits for some seconds."""

    def __init__(self, records: IdempotencyRecords, clock: Clock, pause: Callable[[float], None]) -> None:
        self._records = records
        self._clock = clock
        self._pause = pause

    def once(self, request: KeyedRequest, do: Callable[[], Mapping[str, Any]]) -> tuple[Mapping[str, Any], bool]:
        """What `do` returns, and whether it was done now; for a request that was answered before, that answer.

        What `do` raises gives the key free. Raises `InvalidInput` if the key was used for another request, and
        `Conflict` if the first one does not come to its end within some seconds: it may have died halfway, and then
        nobody knows whether it was done.
        """
        for look in range(_LOOKS + 1):
            earlier = self._claim(request)
            if earlier is None:
                return self._do(request, do), True
            if earlier.sha256 != request.sha256:
                raise InvalidInput(
                    "the idempotency key was used for another request",
                    hint="Use a new key for a new request, and the same body for the same key.",
                )
            if earlier.answer is not None:
                return earlier.answer, False
            if look < _LOOKS:
                self._pause(_LOOK_SECONDS)
        raise Conflict(
            "the first request with this idempotency key has not been answered yet",
            hint="Look whether its job is there; if not, ask again with another key.",
        )

    def _claim(self, request: KeyedRequest) -> EarlierRequest | None:
        now = self._clock.now()
        return self._records.claim_key(request, now, forget_before=now - _KEPT)

    def _do(self, request: KeyedRequest, do: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            answer = do()
        except BaseException:
            self._records.release_key(request)
            raise
        self._records.settle_key(request, answer)
        return answer
