"""`pgproof worker` as a process: signals, sudden death, groups."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgproof.bootstrap import App, open_app
from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.job import Job, JobStatus
from pgproof.entrypoints.cli.exit_codes import BAD_USAGE
from pgproof.settings import load_settings
from tests.servers import Server, to_url
from tests.slow_tools import SlowTools, slow_tools

LONG = 60.0


@pytest.fixture
def slow(tmp_path: Path, server18: Server) -> SlowTools:
    return slow_tools(server18.bin, tmp_path / "slow")


@pytest.fixture
def environment(tmp_path: Path, server18: Server, slow: SlowTools) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(server18.create_database()),
        "BACKUP_PG_BIN": str(slow.folder),
        "BACKUP_SHUTDOWN_SECONDS": "60",
        "BACKUP_SECRET_KEY": "a key of the tests, long enough",
        "BACKUP_LOG_LEVEL": "info",
    }


@pytest.fixture
def app(environment: dict[str, str], tmp_path: Path, server18: Server) -> Iterator[App]:
    with open_app(load_settings(environment, directory=tmp_path)) as opened:
        for name in ("shop", "bakery"):
            place = server18.create_database()
            server18.sql(place, "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 5) FROM generate_series(1, 2000) i")
            opened.databases.add(name, to_url(place), "near" if name == "bakery" else "default")
        yield opened


class Process:
    """A worker, and what it has said so far."""

    def __init__(self, environment: dict[str, str], folder: Path, number: int, *words: str) -> None:
        self._log = folder / f"worker-{number}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pgproof", "worker", *words],
                env=environment,
                cwd=folder,
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> int:
        assert self.ends_within(LONG), self.said
        return self._process.returncode

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + LONG
        while "taking jobs" not in self.said:
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)


Start = Callable[..., Process]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def run(*words: str) -> Process:
        started.append(Process(environment, tmp_path, len(started), *words))
        return started[-1]

    yield run
    for worker in started:
        worker.kill()


def back_up(app: App, database: str = "shop") -> Job:
    return app.jobs.request_backup(database, BackupOptions(), BackupTrigger.MANUAL_API, by="test")[1]


def status(app: App, job: Job) -> BackupStatus:
    assert job.subject_id is not None
    return app.catalog.get_backup(job.subject_id).status


def tools_of(folder: Path) -> list[int]:
    """Processes that run the slow pg_dump of this test."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if process.name.isdigit() and str(folder).encode() in words and b"pg_dump" in words:
            found.append(int(process.name))
    return found


def test_sigterm_lets_a_backup_finish(app: App, start: Start, slow: SlowTools) -> None:
    worker, job = start(), back_up(app)
    slow.wait_until_begun()
    worker.signal(signal.SIGTERM)
    assert not worker.ends_within(1)
    slow.go()
    assert worker.end() == 0
    assert app.jobs.get(job.id).status is JobStatus.SUCCEEDED
    assert "taking jobs of the group default, 2 jobs at a time" in worker.said
    assert "taking no more jobs" in worker.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_hands_the_backup_back(
    app: App, start: Start, slow: SlowTools, tmp_path: Path, number: signal.Signals
) -> None:
    worker, job = start(), back_up(app)
    slow.wait_until_begun()
    worker.signal(number)
    assert not worker.ends_within(0.5)  # two that come at the same moment are one
    worker.signal(number)
    assert worker.end() == 0
    waiting = app.jobs.get(job.id)
    assert (waiting.status, waiting.attempt) == (JobStatus.QUEUED, 0)
    assert status(app, job) is BackupStatus.PENDING
    assert [path for path in (tmp_path / "backups").rglob("*") if path.is_file()] == []
    assert tools_of(slow.folder) == []
    assert app.queue.taken() == []
    slow.go()
    start()
    assert app.jobs.wait(job.id, LONG).status is JobStatus.SUCCEEDED


def test_what_a_killed_worker_had_is_done_by_another(app: App, start: Start, slow: SlowTools, tmp_path: Path) -> None:
    worker, job = start(), back_up(app)
    slow.wait_until_begun()
    worker.kill()
    slow.go()
    start()
    ended = app.jobs.wait(job.id, LONG)
    assert (ended.status, ended.attempt) == (JobStatus.SUCCEEDED, 2)
    assert status(app, job) is BackupStatus.COMPLETED
    assert len(list((tmp_path / "backups").rglob("manifest.json"))) == 1
    assert any("its worker died" in line for line in app.jobs.log(job.id))


@pytest.mark.slow  # a worker counts as silent after half a minute
def test_a_worker_that_was_there_already_finds_what_a_killed_one_had(app: App, start: Start, slow: SlowTools) -> None:
    worker, job = start("--jobs", "1"), back_up(app)
    slow.wait_until_begun()
    start("--jobs", "1").wait_until_ready()
    worker.kill()
    slow.go()
    # Half a minute of silence, then the next look.
    ended = app.jobs.wait(job.id, 2 * LONG)
    assert (ended.status, ended.attempt) == (JobStatus.SUCCEEDED, 2)


def test_a_worker_takes_the_jobs_of_its_groups_alone(app: App, start: Start, slow: SlowTools) -> None:
    slow.go()
    near, default = back_up(app, "bakery"), back_up(app, "shop")
    start("--group", "near")
    assert app.jobs.wait(near.id, LONG).status is JobStatus.SUCCEEDED
    assert app.jobs.get(default.id).status is JobStatus.QUEUED
    start("--group", "default", "--group", "elsewhere")
    assert app.jobs.wait(default.id, LONG).status is JobStatus.SUCCEEDED


def test_a_group_that_cannot_be_one_is_refused(app: App, start: Start) -> None:
    worker = start("--group", "No Such")
    assert worker.end() == BAD_USAGE
    assert "cannot be the name of a worker group" in worker.said
