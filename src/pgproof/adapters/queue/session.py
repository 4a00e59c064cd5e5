"""Procrastinate's statements over one session that threads share."""

import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import psycopg
from procrastinate.connector import BaseConnector
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from pgproof.adapters.queue.names import IN_OUR_SCHEMA, session_parameters
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogError, CatalogUnreachable
from pgproof.domain.secret import without_secrets

_Result = TypeVar("_Result")
_Rows = list[DictRow]


class SharedSession(BaseConnector):
    """A connector for asking: it connects when it is first used, and anew when its session was lost."""

    def __init__(self, connection: ConnectionInfo) -> None:
        self._connection = connection
        self._session: psycopg.Connection[DictRow] | None = None
        self._mutex = threading.Lock()

    def get_sync_connector(self) -> BaseConnector:
        """This one."""
        return self

    def execute_query(self, query: Any, **arguments: Any) -> None:
        """Run a statement that has no result."""
        self._execute(query, arguments)

    def execute_query_one(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """The one row of a statement."""
        return self._execute(query, arguments)[0]

    def execute_query_all(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """All rows of a statement."""
        return self._execute(query, arguments)

    # Procrastinate offers some questions to event loops alone. Here they end without ever waiting for one.

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """The same, for `at_once`."""
        self.execute_query(query, **arguments)

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """The same, for `at_once`."""
        return self.execute_query_all(query, **arguments)

    def close(self) -> None:
        """End the session."""
        with self._mutex:
            if self._session is not None:
                self._session.close()
                self._session = None

    def _execute(self, query: Any, arguments: dict[str, Any]) -> _Rows:
        values = {name: _adapted(value) for name, value in arguments.items()}
        with self._mutex:
            try:
                return self._rows(query, values)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise self._unreachable(error) from error
            except psycopg.errors.RaiseException as error:
                raise EntryGone(str(error)) from error
            except psycopg.Error as error:
                raise CatalogError(
                    f"the queue in the catalog {self._connection} answered: {self._said(error)}",
                    hint="See the log of the catalog's server.",
                ) from error

    def _rows(self, query: Any, values: dict[str, Any]) -> _Rows:
        had_one = self._session is not None
        try:
            return self._fetch(query, values)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self._session = None
            if not had_one:
                raise
        return self._fetch(query, values)  # it may have been lost long ago

    def _fetch(self, query: Any, values: dict[str, Any]) -> _Rows:
        if self._session is None:
            self._session = psycopg.connect(
                **session_parameters(self._connection), autocommit=True, row_factory=dict_row
            )
            self._session.execute(IN_OUR_SCHEMA)
        cursor = self._session.execute(query, values)
        return cursor.fetchall() if cursor.description else []

    def _unreachable(self, error: psycopg.Error) -> CatalogUnreachable:
        return CatalogUnreachable(
            f"unable to reach the queue in the catalog {self._connection}: {self._said(error)}",
            hint="Check that its server runs, and BACKUP_CATALOG_URL with user and password.",
        )

    def _said(self, error: psycopg.Error) -> str:
        return without_secrets(" ".join(str(error).split()), self._connection.password)


class EntryGone(CatalogError):
    """Procrastinate refused, because the entry is not there any more, or not as it was."""


def at_once(question: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of a coroutine that never waits."""
    try:
        question.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    question.close()
    raise RuntimeError("the coroutine waits for an event loop")


def _adapted(value: Any) -> Any:
    match value:
        case dict():
            return Jsonb(value)
        case list():
            return [_adapted(item) for item in value]
        case tuple():
            return tuple(_adapted(item) for item in value)
    return value
