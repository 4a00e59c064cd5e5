"""Who works on a job notices when the job is no longer its own."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogUnreachable, Conflict, WorkerLost
from pgproof.domain.secret import Secret
from pgproof.services.ports import Lock
from tests.servers import Server

SEAL = FernetSeal(Secret("a secret of the tests"))


class Firewall:
    """Stands before a server, and can forget its clients without telling the server."""

    def __init__(self, server: ConnectionInfo) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.inside = replace(server, host="127.0.0.1", port=self._listener.getsockname()[1])

    def forget(self) -> None:
        """Break every connection on the client's side; the server's side stays open."""
        for client, _ in self._pairs:
            _shut(client)

    def close(self) -> None:
        _shut(self._listener)
        for pair in self._pairs:
            for end in pair:
                _shut(end)
        for thread in self._threads:
            thread.join()
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._server.host, self._server.port))
                self._pairs.append((client, server))
                for source, target in ((client, server), (server, client)):
                    self._threads.append(threading.Thread(target=_pump, args=(source, target)))
                    self._threads[-1].start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def firewall(catalog_connection: ConnectionInfo) -> Iterator[Firewall]:
    made = Firewall(catalog_connection)
    yield made
    made.close()


def end_all_sessions(server: Server, place: ConnectionInfo) -> None:
    """What a restart of the catalog's server does to its clients."""
    server.sql(
        server.connection,
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{place.dbname}'",
    )


def test_a_session_that_was_lost_is_replaced_and_the_job_stays_ours(
    catalog: PostgresCatalog, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    with catalog.own(Lock.RESTORE, 1):
        end_all_sessions(server18, catalog_connection)
        assert not catalog.is_owned(Lock.RESTORE, 1)
        catalog.check_owned(Lock.RESTORE, 1)
        assert catalog.is_owned(Lock.RESTORE, 1)
        catalog.check_owned(Lock.RESTORE, 1)
    assert not catalog.is_owned(Lock.RESTORE, 1)


def test_a_job_that_another_process_took_meanwhile_is_lost(
    catalog: PostgresCatalog, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    other = PostgresCatalog(catalog_connection, SEAL)
    with catalog.own(Lock.RESTORE, 1):
        end_all_sessions(server18, catalog_connection)
        with other.own(Lock.RESTORE, 1):
            for _ in range(2):
                with pytest.raises(WorkerLost, match="restore 1"):
                    catalog.check_owned(Lock.RESTORE, 1)
            other.check_owned(Lock.RESTORE, 1)
        assert not catalog.is_owned(Lock.RESTORE, 1)
        catalog.check_owned(Lock.RESTORE, 1)


def test_our_own_forgotten_session_does_not_keep_us_from_the_job(firewall: Firewall, catalog: PostgresCatalog) -> None:
    ours = PostgresCatalog(firewall.inside, SEAL)
    with ours.own(Lock.BACKUP, 1):
        firewall.forget()
        assert catalog.is_owned(Lock.BACKUP, 1), "the server has not noticed"
        ours.check_owned(Lock.BACKUP, 1)
        assert catalog.is_owned(Lock.BACKUP, 1)
        with pytest.raises(Conflict), catalog.own(Lock.BACKUP, 1):
            pass
    assert not catalog.is_owned(Lock.BACKUP, 1)
    ours.close()


def test_without_a_catalog_nobody_knows_and_later_it_is_known_again(
    catalog: PostgresCatalog, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    with catalog.own(Lock.BACKUP, 1):
        server18.sql(server18.connection, f'ALTER DATABASE "{catalog_connection.dbname}" ALLOW_CONNECTIONS false')
        end_all_sessions(server18, catalog_connection)
        with pytest.raises(CatalogUnreachable):
            catalog.check_owned(Lock.BACKUP, 1)
        server18.sql(server18.connection, f'ALTER DATABASE "{catalog_connection.dbname}" ALLOW_CONNECTIONS true')
        catalog.check_owned(Lock.BACKUP, 1)
        assert catalog.is_owned(Lock.BACKUP, 1)


def test_a_second_thread_of_ours_gets_no_job_whose_session_was_lost(
    catalog: PostgresCatalog, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    with catalog.own(Lock.BACKUP, 1):
        end_all_sessions(server18, catalog_connection)
        with pytest.raises(Conflict), catalog.own(Lock.BACKUP, 1):
            pass
        catalog.check_owned(Lock.BACKUP, 1)
