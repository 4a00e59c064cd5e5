"""A cleanup whose process is killed at a moment of its first deletion. Run as `python -m tests.e2e.killed_cleanup`."""

import os
import signal
import sys
from typing import Any

from pgproof.bootstrap import open_app
from pgproof.services.expiry import ExpiryService
from pgproof.services.ports import Storage
from pgproof.settings import load_settings


class KillingStorage:
    """The real storage, until so many objects are gone; "all" is after the last of them."""

    def __init__(self, storage: Storage, moment: str) -> None:
        self._storage = storage
        self._left = None if moment == "all" else int(moment)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def delete(self, key: str) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._storage.delete(key)
        if self._left is not None:
            self._left -= 1

    def discard_unfinished(self, prefix: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main(moment: str) -> None:
    with open_app(load_settings()) as app:
        service = ExpiryService(
            catalog=app.catalog,
            storage=KillingStorage(app.storage, moment),
            server=app.server,
            databases=app.databases,
            clock=app.clock,
            policy=app.settings.retention_policy,
            max_share=1,
        )
        service.sweep(service.plan(app.clock.now()))


if __name__ == "__main__":
    main(*sys.argv[1:])
