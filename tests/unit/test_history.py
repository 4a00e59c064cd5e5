"""What ended long ago is forgotten, and when."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from pgproof.domain.errors import CatalogUnreachable
from pgproof.domain.job import Job, JobKind, JobStatus, NewJob
from pgproof.services.history import HistoryService
from tests.command_line import NOW, CommandLine, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.jobs import MemoryJobRecords

DAY = 24 * 3600.0


def finished(records: MemoryJobRecords) -> Job:
    job = records.add_job(NewJob(JobKind.VERIFY, "ann", NOW, database="shop", subject_id=1))
    done = replace(job, status=JobStatus.SUCCEEDED, finished_at=NOW)
    records.save_job(replace(job, status=JobStatus.RUNNING), expected=JobStatus.QUEUED)
    records.save_job(done, expected=JobStatus.RUNNING)
    return done


@dataclass
class World:
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.records = MemoryJobRecords(self.catalog)

    def forget(self, days: int = 90) -> int:
        service = HistoryService(records=self.records, catalog=self.catalog, clock=self.clock, days=days)
        return service.forget()


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_forgotten_before_its_time(world: World) -> None:
    old, _ = finished(world.records), finished(world.records)
    world.clock.seconds = 90 * DAY
    assert world.forget() == 0
    world.clock.seconds += 1
    assert world.forget() == 1
    assert [job.id for job in world.records.forgotten] == [old.id]


def test_with_no_days_everything_stays_for_ever(world: World) -> None:
    finished(world.records), finished(world.records)
    world.clock.seconds = 36_500 * DAY
    assert world.forget(days=0) == 0
    assert world.forget(days=36_499) == 1


def test_more_than_goes_at_once_goes_all_the_same(world: World) -> None:
    for _ in range(5_002):
        finished(world.records)
    world.clock.seconds = 91 * DAY
    assert world.forget() == 5_001


def test_a_catalog_that_is_away_is_told(world: World) -> None:
    world.catalog.unreachable = True
    with pytest.raises(CatalogUnreachable):
        world.forget()


def test_a_cleanup_by_hand_forgets_as_well_where_no_worker_ever_runs(tmp_path: Path) -> None:
    line = CommandLine(tmp_path, {"BACKUP_HISTORY_DAYS": "30"})
    old, _ = finished(line.job_records), finished(line.job_records)
    line.clock.seconds = timedelta(days=31).total_seconds()
    assert line("cleanup", "--dry-run").status == 0
    assert line.job_records.forgotten == []
    assert line("cleanup", "--yes").status == 0
    assert [job.id for job in line.job_records.forgotten] == [old.id]
