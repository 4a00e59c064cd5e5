"""Procrastinate's statements from an event loop that does not end when the catalog is away for a while."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import psycopg
import psycopg_pool
from procrastinate import PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException

from pgproof.adapters.queue.names import IN_OUR_SCHEMA, session_parameters
from pgproof.domain.database import ConnectionInfo

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_AGAIN_SECONDS = 1.0
_CONNECT_SECONDS = 5.0


class PatientConnector(PsycopgConnector):
    """Asks again until the catalog answers, or until somebody `gave_up`.

    Otherwise a catalog that starts anew would end the worker, and an entry whose job has ended would be taken for
    ever. A question that was answered, and whose answer was lost, is asked twice: what that may leave taken is
    found by whoever looks after stalled jobs.
    """

    def __init__(self, connection: ConnectionInfo, gave_up: threading.Event) -> None:
        super().__init__(
            # A session for each question: nothing is kept that could be lost.
            pool_factory=psycopg_pool.AsyncNullConnectionPool,
            kwargs=session_parameters(connection),
            configure=_configure,
            timeout=_CONNECT_SECONDS,
        )
        self._gave_up = gave_up

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Run a statement that has no result."""
        call = super().execute_query_async
        await self._patiently(lambda: call(query, **arguments))

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """The one row of a statement."""
        call = super().execute_query_one_async
        return await self._patiently(lambda: call(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """All rows of a statement."""
        call = super().execute_query_all_async
        return await self._patiently(lambda: call(query, **arguments))

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Hear of new entries; without that they are found a few seconds later."""
        call = super().listen_notify
        names = list(channels)
        await self._patiently(lambda: call(on_notification, names))

    async def _patiently(self, ask: Callable[[], Awaitable[_Result]]) -> _Result:
        while True:
            try:
                return await ask()
            except ConnectorException as error:
                if not _is_away(error) or self._gave_up.is_set():
                    raise
                _log.debug("the queue is away: %s", error.__cause__)
            await asyncio.sleep(_AGAIN_SECONDS)


def _is_away(error: ConnectorException) -> bool:
    return isinstance(error.__cause__, psycopg.OperationalError | psycopg.InterfaceError)


async def _configure(session: "psycopg.AsyncConnection[Any]") -> None:
    await session.execute(IN_OUR_SCHEMA)
    await session.commit()
