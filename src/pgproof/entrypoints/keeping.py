"""Staying the owner of what this process works on, while the catalog's server comes and goes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pgproof.services.ports import Catalog

_KEEP_SECONDS = 1.0


@contextmanager
def keeping(catalog: Catalog) -> Iterator[None]:
    """A catalog whose server starts anew does not make others take this process for dead."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(_KEEP_SECONDS):
            catalog.keep_owned()

    thread = threading.Thread(target=keep, name="ownership", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
