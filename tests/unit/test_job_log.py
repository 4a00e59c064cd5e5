"""A job's log reaches whoever watches and the catalog, and never holds the job up."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from pgproof.domain.errors import CatalogUnreachable
from pgproof.services.job_log import JobLog
from pgproof.services.log_writer import WAITING_LIMIT, LogWriter
from pgproof.services.ports import Lock
from tests.command_line import FakeClock
from tests.e2e.conftest import Recorder
from tests.fakes.catalog import MemoryCatalog

NOW = datetime(2025, 1, 1, tzinfo=UTC)
AWAY = CatalogUnreachable("unable to reach the catalog")
LIMIT = 60  # seconds; reached only by a test that fails


class BlackHole(MemoryCatalog):
    """A catalog that answers to nothing until it is `back`, and then with `failure` if there is one."""

    def __init__(self, failure: CatalogUnreachable | None = None) -> None:
        super().__init__()
        self.asked, self.back = threading.Event(), threading.Event()
        self.failure = failure

    def append_log(self, kind: Lock, job_id: int, lines: Sequence[str], now: datetime) -> None:
        self.asked.set()
        assert self.back.wait(LIMIT)
        if self.failure:
            raise self.failure
        super().append_log(kind, job_id, lines, now)


def log(catalog: MemoryCatalog, observer: Recorder) -> JobLog:
    return JobLog(catalog, FakeClock(), Lock.BACKUP, 7, observer)


def test_every_line_and_step_is_in_the_catalog_when_the_job_ends() -> None:
    catalog, observer = MemoryCatalog(), Recorder()
    with log(catalog, observer) as job:
        job.step("dump")
        for number in range(1200):
            job.log(f"line {number}")
    assert catalog.read_log(Lock.BACKUP, 7) == ["step: dump", *(f"line {number}" for number in range(1200))]
    assert observer.steps == ["dump"]
    assert len(observer.lines) == 1200


def test_a_catalog_that_does_not_answer_holds_nobody_up_and_loses_nothing() -> None:
    catalog, observer = BlackHole(), Recorder()
    with log(catalog, observer) as job:
        for number in range(600):
            job.log(f"line {number}")
        assert catalog.asked.wait(LIMIT)
        for number in range(600, 2000):  # from here on the catalog has a question that it does not answer
            job.log(f"line {number}")
        assert catalog.read_log(Lock.BACKUP, 7) == []
        catalog.back.set()
    assert catalog.read_log(Lock.BACKUP, 7) == [f"line {number}" for number in range(2000)]


def test_lines_that_could_not_be_written_at_the_end_are_counted_for_whoever_watches() -> None:
    catalog, observer = MemoryCatalog(), Recorder()
    catalog.unreachable = True
    with log(catalog, observer) as job:
        job.log("one")
        job.log("two")
    assert observer.lines[-1] == "2 lines of the job's log are lost: unable to reach the catalog"
    catalog.unreachable = False
    assert catalog.read_log(Lock.BACKUP, 7) == []


def test_a_job_that_fails_keeps_its_log_and_its_error() -> None:
    catalog = MemoryCatalog()

    def fail(job: JobLog) -> None:
        job.log("last words")
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"), log(catalog, Recorder()) as job:
        fail(job)
    assert catalog.read_log(Lock.BACKUP, 7) == ["last words"]


def test_what_waits_is_bounded_and_the_gap_is_marked_where_it_is() -> None:
    stored: list[str] = []
    writer = LogWriter(stored.extend)
    for number in range(WAITING_LIMIT + 25):
        writer.add(f"line {number}")
    writer.start()
    assert writer.finish() == (0, None)
    assert stored[:2] == ["(25 lines were lost here: the catalog was away)", "line 25"]
    assert len(stored) == WAITING_LIMIT + 1


def test_a_catalog_that_refuses_is_not_asked_again_at_every_line() -> None:
    catalog = BlackHole(AWAY)
    catalog.back.set()
    observer = Recorder()
    with log(catalog, observer) as job:
        for number in range(600):
            job.log(f"line {number}")
        assert catalog.asked.wait(LIMIT)
        catalog.asked.clear()
        for number in range(600, WAITING_LIMIT + 600):
            job.log(f"line {number}")
        asked_again = catalog.asked.is_set()
        catalog.failure = None
    assert not asked_again
    kept = catalog.read_log(Lock.BACKUP, 7)
    assert kept[-1] == f"line {WAITING_LIMIT + 599}"
    assert len(kept) == WAITING_LIMIT + 1
    assert observer.lines[-1] == kept[-1]
