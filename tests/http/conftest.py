"""A whole pgproof behind its HTTP API: real catalog, real storage, real tools."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof.bootstrap import App
from pgproof.domain.database import ConnectionInfo
from pgproof.entrypoints.worker import Worker
from tests.http.world import Api, opened
from tests.servers import Server, to_url


@pytest.fixture
def app(tmp_path: Path, server18: Server, catalog_template: ConnectionInfo) -> Iterator[App]:
    scratch = to_url(server18.connection)
    with opened(tmp_path, server18, catalog_template, BACKUP_TEST_SERVER_URL=scratch) as ready:
        yield ready


@pytest.fixture
def api(app: App) -> Iterator[Api]:
    """An API of the test's own, without a worker: what is queued stays so."""
    with Api.of(app) as ready:
        yield ready


@pytest.fixture
def working_api(app: App, api: Api) -> Iterator[Api]:
    """An API with a worker beside it."""
    worker = Worker(app, at_once=2, shutdown_seconds=1)
    worker.start()
    try:
        yield api
    finally:
        worker.stop()


@pytest.fixture(scope="session")
def shared_api(
    tmp_path_factory: pytest.TempPathFactory, server18: Server, catalog_template: ConnectionInfo
) -> Iterator[Api]:
    """An API for tests that only look, or that are refused."""
    with opened(tmp_path_factory.mktemp("shared"), server18, catalog_template) as app, Api.of(app) as ready:
        yield ready
