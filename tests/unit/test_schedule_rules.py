"""What is due of a schedule, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.backup import BackupOptions
from pgproof.domain.cron import runs_after, zone_of
from pgproof.domain.errors import InvalidInput
from pgproof.domain.schedule import MOST_COUNTED, Due, NewSchedule, Schedule, Task, due
from pgproof.domain.schedule_options import backup_options, check_options

MADE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAILY = Schedule(
    id=1,
    database=None,
    task=Task.BACKUP,
    cron="0 2 * * *",
    zone="UTC",
    enabled=True,
    options={},
    from_settings=False,
    settled_until=MADE,
    created_at=MADE,
    created_by="ann",
)
TWO = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MOMENTS = st.integers(0, 600 * 86_400).map(lambda n: MADE + timedelta(seconds=n))


def test_nothing_is_due_before_its_time() -> None:
    assert due(DAILY, TWO - timedelta(microseconds=1)) is None


def test_a_run_is_due_from_its_moment_on() -> None:
    assert due(DAILY, TWO) == due(DAILY, TWO + 23 * HOUR) == Due(TWO, 0)


def test_a_schedule_that_was_made_a_moment_late_waits_for_the_next_time() -> None:
    assert due(replace(DAILY, settled_until=TWO), TWO + HOUR) is None


def test_after_a_downtime_the_last_run_is_due_and_the_others_are_counted() -> None:
    assert due(DAILY, TWO + 5 * DAY + HOUR) == Due(TWO + 5 * DAY, 5)


def test_a_settled_run_is_not_due_again() -> None:
    settled = replace(DAILY, settled_until=TWO + 5 * DAY)
    assert due(settled, TWO + 5 * DAY + HOUR) is None
    assert due(settled, TWO + 6 * DAY) == Due(TWO + 6 * DAY, 0)


def test_nothing_is_due_of_a_schedule_that_is_switched_off() -> None:
    assert due(replace(DAILY, enabled=False), TWO + DAY) is None


def test_very_many_missed_runs_are_not_counted_to_the_end() -> None:
    every_minute = replace(DAILY, cron="* * * * *")
    assert due(every_minute, MADE + 365 * DAY) == Due(MADE + 365 * DAY, MOST_COUNTED)


@given(
    st.sampled_from(["0 2 * * *", "30 2 * * *", "*/30 * * * *", "0 0 1 * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.lists(MOMENTS, min_size=1, max_size=30),
)
def test_every_due_time_is_started_or_counted_as_missed_once_however_often_one_looks(
    cron: str, zone: str, looks: list[datetime]
) -> None:
    schedule = replace(DAILY, cron=cron, zone=zone)
    handled = 0
    for now in looks:  # in any order: clocks of several machines differ, and are put back
        found = due(schedule, now)
        if found is not None:
            assert schedule.settled_until < found.at <= now
            assert found.missed < MOST_COUNTED or cron.startswith("*/30")
            handled += found.missed + 1
            schedule = replace(schedule, settled_until=found.at)
    if not cron.startswith("*/30"):
        every = runs_after(cron, zone_of(zone), MADE)
        assert handled == len(list(takewhile(lambda run: run <= schedule.settled_until, every)))
        assert due(schedule, max(looks)) is None


@pytest.mark.parametrize("values", [{"cron": "0 1 * * *"}, {"zone": "Asia/Tokyo"}, {"enabled": True}])
def test_a_change_of_the_times_makes_nothing_due_that_is_past(values: dict[str, Any]) -> None:
    stored = replace(DAILY, enabled=values.get("enabled") is None)
    now = TWO + 3 * DAY
    changed = stored.changed(now, **values)
    assert due(changed, now) is None
    assert due(changed, now + DAY) is not None


def test_a_change_of_the_options_does_not_lose_a_run_that_is_due() -> None:
    changed = DAILY.changed(TWO + HOUR, options={"include_logs": True})
    assert due(changed, TWO + HOUR) == Due(TWO, 0)


@pytest.mark.parametrize("values", [{"cron": "0 0 30 2 *"}, {"cron": "nonsense"}, {"zone": "Mars/Olympus"}])
def test_a_bad_change_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        DAILY.changed(TWO, **values)
    with pytest.raises(InvalidInput):
        NewSchedule(Task.BACKUP, **{"cron": "0 2 * * *", **values})


def test_a_cleanup_of_one_database_is_refused() -> None:
    with pytest.raises(InvalidInput, match="all databases"):
        NewSchedule(Task.CLEANUP, "0 2 * * *", database="shop")


def test_options_override_the_settings() -> None:
    defaults = BackupOptions(compression_level=3, parallel_jobs=4)
    options = {"format": "directory", "include_logs": True, "compression_level": 0, "description": "nightly"}
    assert backup_options(defaults, options) == replace(
        defaults, format=ArchiveFormat.DIRECTORY, include_logs=True, compression_level=0, description="nightly"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"colour": "red"}, 'no option "colour"'),
        ({"include_logs": 1}, "include_logs cannot be 1"),
        ({"parallel_jobs": True}, "parallel_jobs cannot be True"),
        ({"compression_level": 10}, "level 10"),
        ({"format": "tar"}, 'format cannot be "tar"'),
    ],
)
def test_bad_options_are_a_clear_error(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        check_options(Task.BACKUP, options)
    assert caught.value.hint


def test_only_backups_have_options() -> None:
    assert check_options(Task.VERIFY, {}) == {}
    with pytest.raises(InvalidInput, match="takes no options"):
        check_options(Task.VERIFY, {"include_logs": True})
