"""A whole pgproof per test: catalog, storage, services, wired as a user gets them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog

from pgproof.bootstrap import App, open_app
from pgproof.services.ports import Progress
from pgproof.settings import load_settings
from tests.e2e.command_line import CommandLine, filled
from tests.servers import Server, to_url


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.lines: list[str] = []
        self.last = Progress()

    def step(self, name: str) -> None:
        self.steps.append(str(name))

    def progress(self, progress: Progress) -> None:
        self.last = progress

    def log(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make_app(tmp_path: Path, server18: Server) -> Iterator[Callable[..., App]]:
    """Open an application with settings of its own; the catalog is a new database of the test server."""
    catalog = server18.create_database()
    with ExitStack() as stack:

        def make(**settings: str) -> App:
            environment = {
                "BACKUP_HOME": str(tmp_path / "home"),
                "BACKUP_DIR": str(tmp_path / "backups"),
                "BACKUP_CATALOG_URL": to_url(catalog),
                "BACKUP_LOCK_WAIT_SECONDS": "3",
                **settings,
            }
            return stack.enter_context(open_app(load_settings(environment, directory=tmp_path)))

        yield make


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    return make_app()


@pytest.fixture
def pgproof(server18: Server, tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, server18, filled(server18))


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
