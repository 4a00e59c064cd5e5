"""Readiness, looked at no more often than needed: anybody may ask, and looking writes to the storage.

A storage or a catalog may hang. Then whoever asks is told so, and does not hold a thread that others need.
"""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from pgproof.services.overview import Readiness

_KEPT = 5.0  # seconds
_PATIENCE = 2.0  # seconds for the one who looks
_NOT_READY = Readiness(ready=False, checks=())


class ReadinessCache:
    """Answers of the last seconds count for all who ask; of several at once one looks.

    Who has waited for that one for `patience` seconds is told that nothing is ready; so are all after, at once.
    """

    def __init__(self, kept: float = _KEPT, patience: float = _PATIENCE, now: Callable[[], float] = monotonic) -> None:
        self._kept = kept
        self._patience = patience
        self._hangs = False
        self._now = now
        self._mutex = Lock()
        self._last: tuple[float, Readiness] | None = None

    def read(self, look: Callable[[], Readiness]) -> Readiness:
        """What `look` says, or said a moment ago."""
        if not self._mutex.acquire(timeout=0 if self._hangs else self._patience):
            self._hangs = True
            return _NOT_READY
        try:
            if self._last is None or self._now() - self._last[0] >= self._kept:
                self._last = self._now(), look()
            return self._last[1]
        finally:
            self._hangs = False
            self._mutex.release()
