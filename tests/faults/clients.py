"""Clients of a database that is swapped under them: each tries again when refused, and writes down what it saw."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from pgproof.domain.database import ConnectionInfo
from tests.servers import Server, connect

PATIENCE = 120  # seconds until something that must happen counts as not happening
SCHEMA = (
    "CREATE TABLE mark (word text)",
    "INSERT INTO mark VALUES ('restored')",
    "CREATE TABLE log (client int, number int, PRIMARY KEY (client, number))",
)
NOW_LIVE = "UPDATE mark SET word = 'live'"


class Seen(NamedTuple):
    """One thing that the server has acknowledged: in which database, the client's number for it, and when."""

    mark: str
    number: int
    at: float


@dataclass
class Client:
    """An application. `use` is what it does with a session, until that breaks or it is told to stop."""

    number: int
    place: ConnectionInfo
    stop: threading.Event
    use: Callable[["Client", psycopg.Connection[Any]], None]
    seen: list[Seen] = field(default_factory=list)
    refused: int = 0
    tried: int = 0

    def run(self) -> None:
        """Connect, use, and begin again when the session breaks or none is to be had."""
        while not self.stop.is_set():
            try:
                with connect(self.place, connect_timeout=PATIENCE) as session:
                    self.use(self, session)
            except psycopg.OperationalError:
                self.refused += 1

    def note(self, row: tuple[Any, ...] | None) -> None:
        """Write down what the server has just acknowledged."""
        assert row is not None
        self.seen.append(Seen(row[0], self.tried, time.monotonic()))

    @property
    def phases(self) -> list[str]:
        """The databases that it was in, one after the other."""
        return [mark for mark, _ in groupby(self.seen, key=lambda seen: seen.mark)]

    def pause(self, mark: str) -> float:
        """Seconds from the last answer before it first got to a database to the first one from there."""
        first = next(index for index, seen in enumerate(self.seen) if seen.mark == mark)
        return self.seen[first].at - self.seen[first - 1].at


def keep_writing(client: Client, session: psycopg.Connection[Any]) -> None:
    """A pool's session: one short transaction after the other. What was not acknowledged is not tried again."""
    while not client.stop.is_set():
        client.tried += 1
        insert = "INSERT INTO public.log VALUES (%s, %s) RETURNING (SELECT word FROM public.mark)"
        client.note(session.execute(insert, [client.number, client.tried]).fetchone())
        client.stop.wait(0.1)


def look_and_leave(client: Client, session: psycopg.Connection[Any]) -> None:
    """A client that reconnects in a tight loop."""
    client.tried += 1
    client.note(session.execute("SELECT word FROM public.mark").fetchone())


@contextmanager
def running(
    number: int, place: ConnectionInfo, use: Callable[[Client, psycopg.Connection[Any]], None]
) -> Iterator[Sequence[Client]]:
    """So many clients at work, for the length of a `with` block; each has been served at least once."""
    stop = threading.Event()
    clients = [Client(one, place, stop, use) for one in range(number)]
    threads = [threading.Thread(target=client.run, name=f"client {client.number}") for client in clients]
    try:
        for thread in threads:
            thread.start()
        wait_until(lambda: all(client.seen for client in clients), "some client was never served")
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for_all(clients: Sequence[Client], phases: Sequence[str]) -> None:
    """Until every client has been where it should be, in this order."""
    wait_until(lambda: all(client.phases == phases for client in clients), f"some client did not see {phases}")


def wait_until(condition: Callable[[], object], otherwise: str) -> None:
    """Wait for what must come to pass, however slow the machine is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def sessions(server: Server, dbname: str) -> int:
    """How many clients are in a database now."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{dbname}' AND backend_type = 'client backend'"
    return int(server.sql(server.connection, query)[0][0])
