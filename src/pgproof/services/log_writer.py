"""Lines on their way into the catalog, in a thread of their own: nobody who logs ever waits for the catalog."""

import threading
from collections.abc import Callable, Sequence

from pgproof.domain.errors import PgproofError

WAITING_LIMIT = 10_000  # lines
_FLUSH_LINES = 500
_FLUSH_SECONDS = 2.0
_RETRY_SECONDS = 15.0


class LogWriter:
    """Hands lines to `store` every few seconds, in their order.

    While `store` fails the lines wait. There is room for so many; beyond that the oldest go, and a line in
    their place says how many.
    """

    def __init__(self, store: Callable[[Sequence[str]], None]) -> None:
        self._store = store
        self._waiting: list[str] = []
        self._lost = 0
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, line: str) -> None:
        """Take one line; any thread may, and none waits."""
        with self._lock:
            self._waiting.append(line)
            self._forget_the_oldest()
            if len(self._waiting) >= _FLUSH_LINES:
                self._due.set()

    def finish(self) -> tuple[int, PgproofError | None]:
        """Write what waits, once; the number of lines that are lost for good, and why."""
        self._ending.set()
        self._due.set()
        self._thread.join()
        failure = self._flush()
        return (self._lost + len(self._waiting) if failure else 0), failure

    def _run(self) -> None:
        while not self._ending.is_set():
            self._due.wait(_FLUSH_SECONDS)
            self._due.clear()
            if not self._ending.is_set() and self._flush() is not None:
                self._ending.wait(_RETRY_SECONDS)

    def _flush(self) -> PgproofError | None:
        with self._lock:
            lines, self._waiting = self._waiting, []
            lost, self._lost = self._lost, 0
        if not lines:
            return None
        mark = [f"({lost} lines were lost here: the catalog was away)"] if lost else []
        try:
            self._store([*mark, *lines])
        except PgproofError as failure:
            with self._lock:
                self._waiting[:0] = lines
                self._lost += lost
                self._forget_the_oldest()
            return failure
        return None

    def _forget_the_oldest(self) -> None:
        excess = len(self._waiting) - WAITING_LIMIT
        if excess > 0:
            del self._waiting[:excess]
            self._lost += excess
