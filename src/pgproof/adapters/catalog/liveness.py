"""Whether a session of the pool still lives, asked before anybody relies on it.

A server that ends a session says so and closes the connection, which the socket tells at once. Only what nobody tells
takes a question and its answer: that something between here and there has forgotten the connection.
"""

from collections.abc import Callable
from select import POLLIN, poll
from time import monotonic
from typing import Any, Protocol

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

# Seconds after it was last taken from the pool for which the socket's word counts. None forgets that soon.
TRUSTED = 1.0
_TAKEN = "pgproof taken at"
_QUESTION = "SELECT 1"


class Askable(Protocol):
    """What is needed of the driver's session, which is in autocommit."""

    def fileno(self) -> int:
        """The number of its socket. Raises `psycopg.Error` if it is closed."""

    def execute(self, query: str) -> Any:
        """Run a statement. Raises `psycopg.Error`."""


class LivenessCheck:
    """`clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock

    def watch(self, engine: Engine) -> None:
        """Check every session that the engine takes from its pool; if one is dead, the pool opens all anew."""

        def check(session: Any, record: Any, _proxy: Any) -> None:
            if not self.lives(session, record.info):
                raise InvalidatePoolError

        event.listen(engine, "checkout", check)

    def lives(self, session: Askable, notes: dict[Any, Any]) -> bool:
        """Whether it can be used. `notes` are kept with the session, and empty for one that is new."""
        now = self._clock()
        before = notes.get(_TAKEN)
        notes[_TAKEN] = now
        if before is None:
            return True
        try:
            if now - before >= TRUSTED or _has_news(session):
                session.execute(_QUESTION)
        except psycopg.Error:
            return False
        return True


def _has_news(session: Askable) -> bool:
    """Whether its socket has something to read that nobody asked for, if only the end."""
    polled = poll()
    polled.register(session.fileno(), POLLIN)
    return bool(polled.poll(0))
