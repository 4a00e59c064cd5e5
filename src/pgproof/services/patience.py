"""Waiting for a catalog that is away: its server starts anew, a firewall forgets a session."""

from collections.abc import Callable
from typing import TypeVar

from pgproof.domain.errors import CatalogUnreachable
from pgproof.services.ports import Clock

_Result = TypeVar("_Result")
_LOOK_SECONDS = 1.0


class Patience:
    """Asks again for so many seconds; what is asked must do no harm when it is done twice. `pause` waits."""

    def __init__(self, clock: Clock, pause: Callable[[float], None], seconds: float) -> None:
        self._clock = clock
        self._pause = pause
        self._seconds = seconds

    def __call__(self, ask: Callable[[], _Result], ended: Callable[[], bool] = lambda: False) -> _Result:
        """What the catalog answers. Raises `CatalogUnreachable` when the time is up, or when it `ended`."""
        deadline = self._clock.monotonic() + self._seconds
        while True:
            try:
                return ask()
            except CatalogUnreachable:
                if ended() or self._clock.monotonic() >= deadline:
                    raise
            self._pause(_LOOK_SECONDS)


def impatient(ask: Callable[[], _Result], _ended: Callable[[], bool] = lambda: False) -> _Result:
    """Ask once."""
    return ask()
