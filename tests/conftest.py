"""Fixtures for all tests. A server starts when the first test asks for it."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.revisions import upgrade
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.secret import Secret
from tests.servers import Server, debian_server, run_server, wheel_server

# No test asserts a wall-clock time, and a shared machine is slow now and then.
settings.register_profile("pgproof", deadline=None)
settings.load_profile("pgproof")

# A shell lets what runs in its background ignore these, and whatever a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
    signal.signal(_number, signal.SIG_DFL)

# What a developer has set for psql must not lead a test to another server.
for _name in [name for name in os.environ if name.startswith(("PG", "BACKUP_", "POSTGRES_"))]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def server15() -> Iterator[Server]:
    """Debian's PostgreSQL 15."""
    with run_server(debian_server()) as running:
        yield running


@pytest.fixture(scope="session")
def server16() -> Iterator[Server]:
    """The wheel's PostgreSQL 16."""
    with run_server(wheel_server(16)) as running:
        yield running


@pytest.fixture(scope="session")
def server18() -> Iterator[Server]:
    """The wheel's PostgreSQL 18."""
    with run_server(wheel_server(18)) as running:
        yield running


@pytest.fixture(scope="session", params=["server15", "server16", "server18"], ids=["pg15", "pg16", "pg18"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the three servers in turn."""
    running: Server = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="session")
def catalog_template(server18: Server) -> ConnectionInfo:
    """A database with the catalog's newest schema, to be cloned."""
    template = server18.create_database("catalog_template")
    upgrade(template)
    return template


@pytest.fixture
def catalog_connection(server18: Server, catalog_template: ConnectionInfo) -> Iterator[ConnectionInfo]:
    """A catalog database of the test's own."""
    clone = server18.create_database(template=catalog_template.dbname)
    yield clone
    server18.drop_database(clone.dbname)


@pytest.fixture
def catalog(catalog_connection: ConnectionInfo) -> Iterator[PostgresCatalog]:
    """A catalog of the test's own, empty."""
    opened = PostgresCatalog(catalog_connection, FernetSeal(Secret("a secret of the tests")))
    yield opened
    opened.close()
