"""Short transactions on the catalog: what every part of it works with."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.connect import TRANSACTIONAL, make_engine
from pgproof.adapters.catalog.failures import translated
from pgproof.domain.database import ConnectionInfo


class Transactions:
    """Calling it opens one; it commits at the end of its `with` block, and rolls back on an error.

    It connects when it is first called. Threads may share it; `close` ends its idle sessions.
    """

    def __init__(self, connection: ConnectionInfo) -> None:
        self.connection = connection
        self._engine = make_engine(connection)
        self._transactional = self._engine.execution_options(isolation_level=TRANSACTIONAL)

    @contextmanager
    def __call__(self) -> Iterator[Session]:
        """One short transaction. What the server and the driver raise comes out as errors of ours."""
        with translated(self.connection), Session(self._transactional) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """For single statements that change nothing: without a transaction around them, and with plain rows instead of
        objects; each of the two would cost more than the statements do.
        """
        with translated(self.connection), self._engine.connect() as session:
            yield session

    def close(self) -> None:
        """End the sessions of the pool."""
        self._engine.dispose()


class Records:
    """A part of the catalog."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
