"""`Idempotency-Key`: a request that is sent twice, because an answer was lost, is done once."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel

from pgproof.entrypoints.http.context import Context
from pgproof.services.ports.idempotency import KeyedRequest

REPLAYED = {"Idempotent-Replayed": "true"}

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="The same key with the same body gives the same answer for a day, and the work is done once.",
        examples=["3f0c6a0e-8f8d-4f5f-9d0f-6c1a2b3c4d5e"],
    ),
]


def once(
    context: Context, key: str | None, call: str, body: BaseModel, do: Callable[[], Mapping[str, Any]]
) -> tuple[Mapping[str, Any], bool]:
    """What `do` returns, and whether it was done now. Without a key it is done each time."""
    if key is None:
        return do(), True
    # As it is meant, not as it is written: order of fields and white space do not count.
    text = f"{call}\n{body.model_dump_json()}"
    request = KeyedRequest(context.actor, key, hashlib.sha256(text.encode()).hexdigest())
    return context.app.idempotency.once(request, do)
