"""Whether the storage can be written to, looked at now and then and never waited for too long."""

import threading
from collections.abc import Iterator
from datetime import datetime

from pgproof.domain.alert import QUIET, REMIND_AFTER, Alert, AlertKey, AlertKind, Condition
from pgproof.domain.errors import PgproofError
from pgproof.domain.wording import size
from pgproof.services.ports import Clock, Storage

_EVERY = 600.0  # seconds: a look writes, reads and deletes an object
_PATIENCE = 60.0
_LITTLE_SPACE = 1024**3
_HINT = "Nothing can be backed up until that is mended: pgproof doctor tells more."


class StorageWatch:
    """One look runs at a time, in a thread of its own: a network file system may keep it for ever.

    It is waited for `patience` seconds. `host` is this machine: on another one the storage may be well.
    """

    def __init__(self, storage: Storage, clock: Clock, host: str, patience: float = _PATIENCE) -> None:
        self._storage = storage
        self._host = host
        self._clock = clock
        self._patience = patience
        self._thread: threading.Thread | None = None
        self._begun_at = 0.0
        self._problem: PgproofError | None = None
        self._free: int | None = None

    def conditions(self, needed: int) -> Iterator[Condition]:
        """What is wrong with the storage, which should have room for `needed` bytes and some more."""
        self._look_now_and_then()
        if self._thread is not None and self._thread.is_alive():
            yield Condition(
                self._key("answer"), f"the storage {self._storage.url} does not answer on {self._host}", _HINT
            )
        elif self._problem is not None:
            yield Condition(
                self._key("answer"), f"the storage cannot be used on {self._host}: {self._problem.detail}", _HINT
            )
        elif self._free is not None and self._free < max(needed, _LITTLE_SPACE):
            yield Condition(
                self._key("space"),
                f"only {size(self._free)} are free in the storage {self._storage.url}",
                "Make room before the next backup: pgproof cleanup --dry-run shows what could go.",
            )

    def can_judge(self, alert: Alert, now: datetime) -> bool:
        """Whether an alert about the storage may be over as far as this machine knows.

        Another machine's is left to it, unless it has ceased to remind of it.
        """
        ours = alert.key.about.endswith(f" on {self._host}")
        return ours or alert.told_at is None or now - alert.told_at > REMIND_AFTER + QUIET

    def _key(self, about: str) -> AlertKey:
        return AlertKey(AlertKind.STORAGE, about=f"{about} on {self._host}")

    def _look_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if self._thread is not None and (self._thread.is_alive() or now - self._begun_at < _EVERY):
            return
        self._begun_at = now
        self._thread = threading.Thread(target=self._look, name="storage watch", daemon=True)
        self._thread.start()
        self._thread.join(self._patience)

    def _look(self) -> None:
        try:
            self._storage.check()
            self._free, self._problem = self._storage.free_bytes(), None
        except PgproofError as error:
            self._problem = error
