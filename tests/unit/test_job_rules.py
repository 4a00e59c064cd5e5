"""Jobs: their transitions, their attempts, what they wait for, how far they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.database import DEFAULT_GROUP
from pgproof.domain.errors import (
    Cancelled,
    Conflict,
    DumpFailed,
    InvalidInput,
    PgproofError,
    PrivilegeMissing,
    StorageUnreachable,
    WorkerLost,
)
from pgproof.domain.job import (
    Job,
    JobKind,
    JobProgress,
    JobStatus,
    NewJob,
    RetryRules,
    check_group,
    check_job_transition,
    estimated,
    lock_of,
    may_be_tried_again,
    urgency,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(1, JobKind.BACKUP, JobStatus.RUNNING, DEFAULT_GROUP, "ann", NOW, "shop", 7, attempt=1, max_attempts=5)


@pytest.mark.parametrize("end", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED])
@pytest.mark.parametrize("wanted", list(JobStatus))
def test_a_job_that_has_ended_becomes_nothing_else(end: JobStatus, wanted: JobStatus) -> None:
    with pytest.raises(Conflict):
        check_job_transition(end, wanted)


def test_a_job_that_waits_cannot_have_succeeded() -> None:
    with pytest.raises(Conflict):
        check_job_transition(JobStatus.QUEUED, JobStatus.SUCCEEDED)
    check_job_transition(JobStatus.RUNNING, JobStatus.QUEUED)


@pytest.mark.parametrize("error", [DumpFailed("x"), StorageUnreachable("x"), WorkerLost("x")])
def test_what_may_go_well_the_next_time_is_tried_again(error: PgproofError) -> None:
    assert may_be_tried_again(JOB, error)


@pytest.mark.parametrize("error", [PrivilegeMissing("x"), Cancelled("x"), ValueError("x"), KeyboardInterrupt()])
def test_what_would_fail_again_is_not_tried_again(error: BaseException) -> None:
    assert not may_be_tried_again(JOB, error)


@pytest.mark.parametrize("kind", [JobKind.RESTORE, JobKind.UNDO])
def test_restores_and_undos_are_never_tried_again(kind: JobKind) -> None:
    assert not may_be_tried_again(replace(JOB, kind=kind), DumpFailed("x"))
    assert NewJob(kind, "ann", NOW).max_attempts == 1


def test_the_last_attempt_is_the_last() -> None:
    assert may_be_tried_again(replace(JOB, attempt=4), DumpFailed("x"))
    assert not may_be_tried_again(replace(JOB, attempt=5), DumpFailed("x"))


def test_what_somebody_wants_to_end_is_not_tried_again() -> None:
    assert not may_be_tried_again(replace(JOB, cancel_requested_at=NOW), DumpFailed("x"))


def test_each_wait_is_longer_than_the_last_up_to_a_limit() -> None:
    rules = RetryRules(first=timedelta(seconds=30), factor=4, longest=timedelta(minutes=30))
    assert [rules.pause(attempt).total_seconds() for attempt in (1, 2, 3, 4, 5)] == [30, 120, 480, 1800, 1800]


@given(st.integers(1, 10_000))
def test_no_number_of_attempts_is_too_large_to_wait(attempt: int) -> None:
    assert timedelta(0) < RetryRules().pause(attempt) <= RetryRules().longest


def test_what_touches_a_database_takes_turns() -> None:
    locks = {lock_of(kind, "shop", 7) for kind in (JobKind.BACKUP, JobKind.RESTORE, JobKind.UNDO)}
    assert locks == {"database shop"}
    assert lock_of(JobKind.BACKUP, "bakery", 7) not in locks
    assert lock_of(JobKind.VERIFY, "shop", 7) == lock_of(JobKind.RESTORE_TEST, "shop", 7) == "backup 7"
    assert lock_of(JobKind.CLEANUP, None, None) == lock_of(JobKind.CLEANUP, "shop", None)


def test_somebody_waits_for_a_restore() -> None:
    assert urgency(JobKind.RESTORE) == urgency(JobKind.UNDO) > urgency(JobKind.BACKUP) == urgency(JobKind.CLEANUP)


@pytest.mark.parametrize("name", ["default", "rack-7", "a" * 40, "eu_west.1"])
def test_a_group_has_a_plain_name(name: str) -> None:
    assert check_group(name) == name


@pytest.mark.parametrize("name", ["", "a" * 41, "Büro", "a b", "a#b", "A", "a\n"])
def test_a_group_has_no_other_name(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_group(name)
    assert refused.value.hint


def test_the_last_run_tells_how_long_it_will_take() -> None:
    assert estimated(JobProgress(), 25.0, 100.0) == (25.0, 75.0)


def test_a_run_that_takes_longer_than_the_last_has_no_known_end() -> None:
    assert estimated(JobProgress(bytes_done=1, bytes_total=2), 101.0, 100.0) == (99.0, None)


def test_without_a_last_run_the_bytes_tell_how_far_it_is() -> None:
    assert estimated(JobProgress(bytes_done=1, bytes_total=4), 9.0, None) == (25.0, None)
    assert estimated(JobProgress(bytes_done=9, bytes_total=4), 9.0, None) == (99.0, None)
    assert estimated(JobProgress(bytes_done=9), 9.0, None) == (None, None)
    assert estimated(JobProgress(), 0.0, 0.0) == (99.0, None)


@given(st.floats(0, 1e9), st.none() | st.floats(0, 1e9), st.integers(0, 10**15), st.none() | st.integers(0, 10**15))
def test_no_estimate_claims_to_be_done(elapsed: float, last: float | None, done: int, total: int | None) -> None:
    percent, left = estimated(JobProgress(bytes_done=done, bytes_total=total), elapsed, last)
    assert percent is None or 0 <= percent <= 100
    assert left is None or left >= 0
