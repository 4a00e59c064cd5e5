"""Running jobs: who begins, how attempts end, and what a worker leaves for others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from pgproof.domain.errors import (
    Cancelled,
    CatalogUnreachable,
    DumpFailed,
    NotFound,
    PrivilegeMissing,
    ServerUnreachable,
    WorkerLost,
)
from pgproof.domain.job import Job, JobKind, JobStatus, NewJob, RetryRules
from pgproof.services.job_attempt import Attempt, Stop
from pgproof.services.job_ending import LOST, Ending
from pgproof.services.job_news import JobNews
from pgproof.services.job_running import JobRunner
from pgproof.services.job_work import JobWork
from pgproof.services.lost_jobs import LostJobs
from pgproof.services.ports import Lock, Observer, Progress
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.jobs import MemoryJobRecords, MemoryQueue

RULES = RetryRules(first=timedelta(seconds=10), factor=3, longest=timedelta(minutes=1))


class Work:
    """Work that does what a test says; how it ends, its error says."""

    def __init__(self) -> None:
        self.does: Callable[[Attempt], Mapping[str, Any]] = lambda _attempt: {"done": True}
        self.begun: list[int] = []
        self.unsure = False
        self.unsettled = False

    def do(self, attempt: Attempt, log: Observer) -> Mapping[str, Any]:
        self.begun.append(attempt.job.id)
        log.log("working")
        return self.does(attempt)

    def ending(self, attempt: Attempt, error: BaseException) -> Ending:
        if self.unsettled:
            raise ServerUnreachable("nobody can look")
        if attempt.again(error):
            return Ending(JobStatus.QUEUED, error, handed_back=attempt.stop is Stop.SHUTDOWN)
        return Ending(JobStatus.CANCELLED if isinstance(error, Cancelled) else JobStatus.FAILED, error)

    def ending_of_lost(self, job: Job) -> Ending:
        if self.unsure:
            raise WorkerLost("nobody can tell")
        return Ending(JobStatus.QUEUED if job.attempts_left else JobStatus.FAILED, LOST, at_once=True)


class Ears:
    def __init__(self) -> None:
        self.heard: list[tuple[int, JobStatus]] = []

    def finished(self, job: Job) -> None:
        self.heard.append((job.id, job.status))


class Deaf:
    def finished(self, job: Job) -> None:
        raise RuntimeError("not listening")


@dataclass
class World:
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    clock: FakeClock = field(default_factory=FakeClock)
    work: Work = field(default_factory=Work)
    ears: Ears = field(default_factory=Ears)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.records = MemoryJobRecords(self.catalog)
        self.clock.seconds = 100.0
        self.pause: Callable[[float], None] = self.slept.append
        news = JobNews([Deaf(), self.ears])
        parts: dict[str, Any] = {
            "records": self.records,
            "queue": self.queue,
            "catalog": self.catalog,
            "clock": self.clock,
        }
        work = cast("JobWork", self.work)
        self.runner = JobRunner(
            **parts,
            work=work,
            news=news,
            pause=self._pause,
            worker="here:1",
            rules=RULES,
        )
        self.lost = LostJobs(**parts, work=work, news=news, rules=RULES)

    def _pause(self, seconds: float) -> None:
        self.pause(seconds)

    def job(self, kind: JobKind = JobKind.VERIFY) -> Job:
        job = self.records.add_job(NewJob(kind, "ann", NOW, database="shop", subject_id=7))
        self.records.mark_sent(self.queue.put([job]))
        return self.records.get_job(job.id)

    def run(self, job: Job) -> Job:
        entry = self.queue.take()
        assert entry is not None
        self.runner.run(job.id)
        self.queue.withdraw(entry.id)
        return self.records.get_job(job.id)

    def die_in_the_middle(self, job: Job) -> Job:
        """As if a worker had begun it and was killed."""
        assert self.queue.take() is not None
        running = replace(job, status=JobStatus.RUNNING, attempt=job.attempt + 1, worker="there:2", started_at=NOW)
        self.records.save_job(running, expected=JobStatus.QUEUED)
        return running


@pytest.fixture
def world() -> World:
    return World()


def failing(error: BaseException) -> Callable[[Attempt], Mapping[str, Any]]:
    def work(_attempt: Attempt) -> Mapping[str, Any]:
        raise error

    return work


def test_a_job_that_is_done_tells_what_came_of_it(world: World) -> None:
    done = world.run(world.job())
    assert (done.status, done.attempt, done.result) == (JobStatus.SUCCEEDED, 1, {"done": True})
    assert (done.worker, done.finished_at) == ("here:1", world.clock.now())
    assert world.ears.heard == [(done.id, JobStatus.SUCCEEDED)]
    log = world.catalog.read_log(Lock.JOB, done.id)
    assert log == ["attempt 1 of 3 begins on here:1", "working", "succeeded"]
    assert not world.catalog.is_owned(Lock.JOB, done.id)


def test_one_invitation_too_many_does_nothing(world: World) -> None:
    job = world.job()
    world.run(job)
    world.runner.run(job.id)
    assert world.work.begun == [job.id]


def test_a_job_is_owned_while_it_runs(world: World) -> None:
    job = world.job()
    seen = []

    def look(_attempt: Attempt) -> Mapping[str, Any]:
        seen.append(world.catalog.is_owned(Lock.JOB, job.id))
        seen.append(world.records.get_job(job.id).status is JobStatus.RUNNING)
        return {}

    world.work.does = look
    world.run(job)
    assert seen == [True, True]


def test_what_may_go_well_later_waits_longer_each_time_and_then_fails(world: World) -> None:
    job = world.job()
    world.work.does = failing(DumpFailed("the server hung up"))
    waits = []
    for _ in range(2):
        again = world.run(world.records.get_job(job.id))
        assert (again.status, again.queue_id, again.error_code) == (JobStatus.QUEUED, None, "dump_failed")
        assert again.not_before is not None
        waits.append((again.not_before - world.clock.now()).total_seconds())
        assert world.queue.entries() == frozenset()
        world.clock.seconds += waits[-1]
        world.runner._dispatcher.dispatch()
    last = world.run(job)
    assert waits == [10, 30]
    assert (last.status, last.attempt, last.error_message) == (JobStatus.FAILED, 3, "the server hung up")
    assert world.ears.heard == [(job.id, JobStatus.FAILED)]


def test_what_would_fail_again_fails_at_once(world: World) -> None:
    world.work.does = failing(PrivilegeMissing("no right", hint="Grant it."))
    done = world.run(world.job())
    assert (done.status, done.attempt, done.error_details["hint"]) == (JobStatus.FAILED, 1, "Grant it.")


def test_a_defect_ends_a_job_and_not_the_worker(world: World) -> None:
    world.work.does = failing(ZeroDivisionError("oops"))
    done = world.run(world.job())
    assert (done.status, done.error_code) == (JobStatus.FAILED, "unexpected")
    assert world.runner.running == 0


def test_somebody_who_wants_a_job_to_end_is_heard_while_it_runs(world: World) -> None:
    job = world.job()

    def wait(attempt: Attempt) -> Mapping[str, Any]:
        world.records.request_cancel(job.id, NOW)
        world.runner.watch()
        assert attempt.cancelled.is_set()
        raise Cancelled("the job was cancelled")

    world.work.does = wait
    done = world.run(job)
    assert (done.status, done.error_code) == (JobStatus.CANCELLED, "cancelled")


def test_a_job_that_was_to_end_before_it_was_tried_again_does_not_begin(world: World) -> None:
    job = world.die_in_the_middle(world.job())
    world.records.request_cancel(job.id, NOW)
    queued = replace(job, status=JobStatus.QUEUED, queue_id=None)
    world.records.save_job(queued, expected=JobStatus.RUNNING)
    world.runner.run(job.id)
    assert world.records.get_job(job.id).status is JobStatus.CANCELLED
    assert world.work.begun == []


def test_a_worker_that_ends_hands_back_what_can_be_done_again(world: World) -> None:
    job = world.job()

    def end(attempt: Attempt) -> Mapping[str, Any]:
        world.runner.hand_back()
        assert attempt.cancelled.is_set()
        raise Cancelled("the job was cancelled")

    world.work.does = end
    back = world.run(job)
    assert (back.status, back.attempt, back.worker, back.error_code) == (JobStatus.QUEUED, 0, None, None)
    assert back.not_before is None
    assert back.queue_id in world.queue.entries()
    assert world.ears.heard == []


def test_a_worker_that_ends_does_not_hand_back_a_restore(world: World) -> None:
    def end(_attempt: Attempt) -> Mapping[str, Any]:
        world.runner.hand_back()
        raise WorkerLost("the worker was shut down")

    world.work.does = end
    assert world.run(world.job(JobKind.RESTORE)).status is JobStatus.FAILED


def test_a_worker_that_ends_begins_nothing_and_leaves_the_job_to_others(world: World) -> None:
    job = world.job()
    world.runner.close()
    left = world.run(job)
    assert (left.status, left.attempt, left.queue_id) == (JobStatus.QUEUED, 0, None)
    assert world.work.begun == []


def test_a_job_whose_last_owner_lets_go_of_it_late_is_waited_for(world: World) -> None:
    job = world.job()
    owner = world.catalog.own(Lock.JOB, job.id)
    owner.__enter__()

    def let_go(_seconds: float) -> None:
        owner.__exit__(None, None, None)

    world.pause = let_go
    assert world.run(job).status is JobStatus.SUCCEEDED


def test_a_job_that_somebody_else_keeps_is_put_into_the_queue_again(world: World) -> None:
    job = world.job()
    with world.catalog.own(Lock.JOB, job.id):
        left = world.run(job)
    assert (left.status, left.queue_id) == (JobStatus.QUEUED, None)


def test_a_catalog_that_is_away_at_the_end_is_waited_for(world: World) -> None:
    job = world.job()

    def work(_attempt: Attempt) -> Mapping[str, Any]:
        world.catalog.unreachable = True
        return {"done": True}

    def come_back(_seconds: float) -> None:
        world.catalog.unreachable = False

    world.work.does, world.pause = work, come_back
    assert world.run(job).status is JobStatus.SUCCEEDED


def test_a_worker_that_gives_up_leaves_the_end_of_a_job_to_recovery(world: World) -> None:
    job = world.job()

    def work(_attempt: Attempt) -> Mapping[str, Any]:
        world.catalog.unreachable = True
        world.runner.abandon()
        return {}

    world.work.does = work
    assert world.queue.take() is not None
    world.runner.run(job.id)
    world.catalog.unreachable = False
    assert world.records.get_job(job.id).status is JobStatus.RUNNING
    assert world.lost.settle() == [f"job {job.id}: its worker died (here:1); it is queued again"]


def test_progress_is_told_at_most_once_a_second(world: World) -> None:
    job = world.job()
    told = []

    def work(attempt: Attempt) -> Mapping[str, Any]:
        for count in (1, 2, 3):
            attempt.step("dump")
            attempt.progress(Progress(bytes_done=count, bytes_total=4, tables_begun=count, tables_total=3))
            world.runner.watch()
            progress = world.records.get_job(job.id).progress
            assert progress is not None
            told.append((progress.bytes_done, progress.tables_done, progress.percent))
            world.clock.seconds += 0.6
        return {}

    world.work.does = work
    world.run(job)
    assert told == [(1, 0, 25.0), (1, 0, 25.0), (3, 2, 75.0)]


def test_the_time_that_is_left_comes_from_the_last_run_of_the_same_database(world: World) -> None:
    def take(seconds: float) -> Callable[[Attempt], Mapping[str, Any]]:
        def work(attempt: Attempt) -> Mapping[str, Any]:
            world.clock.seconds += seconds
            attempt.step("dump")
            world.runner.watch()
            progress = world.records.get_job(attempt.job.id).progress
            assert progress is not None
            told.append((progress.percent, progress.seconds_left))
            return {}

        return work

    told: list[tuple[float | None, float | None]] = []
    world.work.does = take(40)
    world.run(world.job())
    world.work.does = take(10)
    world.run(world.job())
    assert told == [(None, None), (25.0, 30.0)]


def test_a_job_whose_worker_died_is_queued_again_at_once(world: World) -> None:
    job = world.die_in_the_middle(world.job())
    assert world.lost.settle() == [f"job {job.id}: its worker died (there:2); it is queued again"]
    queued = world.records.get_job(job.id)
    assert (queued.status, queued.attempt, queued.not_before) == (JobStatus.QUEUED, 1, None)
    assert world.run(queued).attempt == 2
    assert world.lost.settle() == []


def test_a_job_whose_worker_died_too_often_fails(world: World) -> None:
    job = replace(world.job(), attempt=2)
    world.die_in_the_middle(job)
    world.lost.settle()
    assert world.records.get_job(job.id).status is JobStatus.FAILED
    assert world.ears.heard == [(job.id, JobStatus.FAILED)]
    assert world.queue.entries() == frozenset()


def test_a_job_that_somebody_owns_is_not_lost_however_silent_its_worker_is(world: World) -> None:
    job = world.die_in_the_middle(world.job())
    world.queue.silent = set(world.queue.entries())
    with world.catalog.own(Lock.JOB, job.id):
        assert world.lost.settle() == []
        assert world.lost.release_entries() == []
        assert world.lost.settle_patiently() == world.lost.settle_patiently() == []
    assert world.records.get_job(job.id).status is JobStatus.RUNNING


def test_a_job_that_is_unowned_for_a_moment_is_not_settled_by_the_patient(world: World) -> None:
    job = world.die_in_the_middle(world.job())
    assert world.lost.settle_patiently() == []
    with world.catalog.own(Lock.JOB, job.id):
        assert world.lost.settle_patiently() == []
    assert world.lost.settle_patiently() == []
    assert len(world.lost.settle_patiently()) == 1


def test_a_job_that_its_worker_could_not_settle_tells_why_it_ended_and_not_that_the_worker_died(world: World) -> None:
    job = world.job(JobKind.RESTORE)
    world.work.does, world.work.unsettled = failing(DumpFailed("the server went away", hint="Look.")), True
    waiting = world.run(job)
    assert (waiting.status, waiting.error_message) == (JobStatus.RUNNING, "the server went away")
    (line,) = world.lost.settle()
    ended = world.records.get_job(job.id)
    assert (ended.status, ended.error_code, ended.error_message) == (
        JobStatus.FAILED,
        DumpFailed.code,
        "the server went away",
    )
    assert ended.error_details["hint"] == "Look."
    assert "died" not in line


def test_a_lost_job_that_cannot_be_judged_now_is_looked_at_again(world: World) -> None:
    job = world.die_in_the_middle(world.job())
    world.work.unsure = True
    assert world.lost.settle() == [f"job {job.id}: cannot be settled now: nobody can tell"]
    world.work.unsure = False
    assert len(world.lost.settle()) == 1


def test_a_silent_worker_whose_job_is_nobodys_is_gone(world: World) -> None:
    job = world.die_in_the_middle(world.job())
    world.queue.silent = set(world.queue.entries())
    assert world.lost.release_entries() == [f"job {job.id}: its worker died (there:2); it is queued again"]


def test_an_entry_that_was_taken_by_a_worker_that_died_at_once_is_put_again(world: World) -> None:
    job = world.job()
    entry = world.queue.take()
    assert entry is not None
    world.queue.silent = {entry.id}
    assert world.lost.release_entries() == [f"job {job.id}: its entry in the queue was released"]
    assert world.records.get_job(job.id).queue_id is None


def test_an_entry_of_a_job_that_was_forgotten_long_ago_is_released(world: World) -> None:
    jobs = [world.job(), world.job()]
    for job in jobs:
        world.runner.run(job.id)
    entry = world.queue.take()
    assert entry is not None
    world.queue.silent = {entry.id}
    assert world.records.forget_jobs(world.clock.now() + timedelta(days=1), 1) == 1
    with pytest.raises(NotFound):
        world.records.get_job(entry.job_id)
    assert world.lost.release_entries() == [f"job {entry.job_id}: its entry in the queue was released"]


def test_an_entry_that_a_living_worker_forgot_is_released_at_the_second_look(world: World) -> None:
    job = world.job()
    world.runner.run(job.id)
    assert world.queue.take() is not None
    assert world.lost.release_entries() == []
    assert len(world.lost.release_entries()) == 1
    assert world.queue.entries() == frozenset()


def test_a_job_whose_entry_is_gone_gets_another(world: World) -> None:
    job = world.job()
    for entry in world.queue.entries():
        world.queue.withdraw(entry)
    assert world.lost.put_again_what_is_missing() == 1
    world.runner._dispatcher.dispatch()
    assert world.records.get_job(job.id).queue_id in world.queue.entries()
    assert world.lost.put_again_what_is_missing() == 0


def test_what_is_asked_for_while_the_queue_is_away_is_sent_later(world: World) -> None:
    world.queue.unreachable = True
    job = world.records.add_job(NewJob(JobKind.CLEANUP, "ann", NOW))
    world.runner._dispatcher.send([job])
    with pytest.raises(CatalogUnreachable):
        world.runner._dispatcher.dispatch()
    world.queue.unreachable = False
    assert world.runner._dispatcher.dispatch() == 1
    assert world.runner._dispatcher.dispatch() == 0
