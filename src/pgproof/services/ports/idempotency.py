"""The record of requests that carry an idempotency key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class KeyedRequest:
    """A request with an idempotency key. `sha256` tells it from any other that bears the same key."""

    caller: str
    key: str
    sha256: str


@dataclass(frozen=True)
class EarlierRequest:
    """What was asked with a key before; without an `answer` that is still under way."""

    sha256: str
    answer: Mapping[str, Any] | None


class IdempotencyRecords(Protocol):
    """Every method is one short transaction."""

    def claim_key(self, request: KeyedRequest, now: datetime, *, forget_before: datetime) -> EarlierRequest | None:
        """Have the key; ``None`` says that it was free. Of two at the same time one gets it.

        Keys from before `forget_before` count as free.
        """

    def settle_key(self, request: KeyedRequest, answer: Mapping[str, Any]) -> None:
        """Keep the answer for whoever asks again."""

    def release_key(self, request: KeyedRequest) -> None:
        """Give a key free whose request came to nothing."""
