"""What counts as wrong, and what does not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgproof.domain.alert import AlertKind, Condition
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.archive import Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.restore import RestoreOptions, new_restore
from pgproof.domain.schedule import Schedule, ScheduleRun, Task
from pgproof.services.alert_conditions import Scene, conditions
from pgproof.services.ports.overview import DatabaseState, LastBackup, LastFailure

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONG_AGO = NOW - 100 * DAY
MB = 1024**2
TONIGHT = NOW.replace(hour=2)
DONE = LastBackup(7, TONIGHT + timedelta(minutes=5), seconds=300, size=100 * MB, rows=5000)
SHOP = DatabaseState("shop", LONG_AGO, 3, 300 * MB, DONE)
NIGHTLY = Schedule(1, None, Task.BACKUP, "0 2 * * *", "UTC", True, {}, False, TONIGHT, LONG_AGO, "ann", TONIGHT)
TESTS = replace(NIGHTLY, id=2, task=Task.RESTORE_TEST, cron="0 4 * * 0")


def look(
    *states: DatabaseState,
    schedules: Sequence[Schedule] = (NIGHTLY,),
    rules: Sequence[AlertRule] = (),
    now: datetime = NOW,
    **more: Any,
) -> list[Condition]:
    scene = Scene(
        now,
        states,
        schedules,
        more.get("runs", {}),
        rules,
        more.get("max_size", 1e18),
        more.get("cleanup"),
        more.get("left_behind", ()),
        more.get("known_late", frozenset()),
    )
    return list(conditions(scene))


def kinds(found: Sequence[Condition]) -> list[tuple[AlertKind, str]]:
    return [(condition.key.kind, condition.key.database) for condition in found]


def test_all_is_well() -> None:
    assert look(SHOP) == []


def test_a_failure_after_the_last_success_is_told_with_its_reason_and_where_to_look() -> None:
    failing = replace(SHOP, failing={"backup": LastFailure(NOW, "dump_failed", "pg_dump ended with 1", 9)})
    (found,) = look(failing)
    assert (found.key.kind, found.key.about) == (AlertKind.FAILED, "backup")
    assert "pg_dump ended with 1" in found.summary
    assert "pgproof log 9" in found.hint


def test_a_backup_that_was_due_and_has_not_come_is_late_after_its_grace() -> None:
    yesterday = replace(DONE, completed_at=DONE.completed_at - DAY)
    state = replace(SHOP, last=yesterday)
    grace = HOUR + timedelta(seconds=600)  # an hour, and twice what the last one took
    assert kinds(look(state, now=TONIGHT + grace - timedelta(seconds=1))) == []
    assert kinds(look(state, now=TONIGHT + grace)) == [(AlertKind.LATE, "shop")]


def test_a_run_that_no_scheduler_has_started_is_late_too() -> None:
    state = replace(SHOP, last=replace(DONE, completed_at=DONE.completed_at - DAY))
    unstarted = replace(NIGHTLY, settled_until=TONIGHT - DAY, last_due_at=TONIGHT - DAY)
    assert kinds(look(state, schedules=[unstarted])) == [(AlertKind.LATE, "shop")]


def test_a_database_that_has_never_been_backed_up_is_late_from_its_first_due_time_on() -> None:
    new = DatabaseState("new", TONIGHT - HOUR)
    assert kinds(look(new)) == [(AlertKind.LATE, "new")]
    assert look(replace(new, known_since=TONIGHT + HOUR)) == []


def test_times_that_lay_in_the_past_when_a_schedule_was_made_or_changed_make_nothing_late() -> None:
    state = replace(SHOP, last=replace(DONE, completed_at=DONE.completed_at - DAY))
    assert look(state, schedules=[replace(NIGHTLY, created_at=NOW - HOUR, settled_until=NOW - HOUR)]) == []
    changed = replace(NIGHTLY, cron="0 6 * * *", settled_until=NOW - HOUR, last_due_at=TONIGHT)
    assert look(SHOP, schedules=[changed]) == []


def test_what_fails_is_not_late_as_well() -> None:
    failing = {"backup": LastFailure(NOW, "x", "y")}
    state = replace(SHOP, last=None, failing=failing)
    assert kinds(look(state)) == [(AlertKind.FAILED, "shop")]


def test_without_a_schedule_nothing_is_late_unless_a_rule_says_so() -> None:
    old = replace(SHOP, last=replace(DONE, completed_at=NOW - 30 * HOUR))
    assert look(old, schedules=[]) == []
    assert kinds(look(old, schedules=[], rules=[AlertRule("shop", late_after_hours=24)])) == [(AlertKind.LATE, "shop")]
    assert look(old, schedules=[], rules=[AlertRule("shop", late_after_hours=31)]) == []
    assert look(old, schedules=[], rules=[AlertRule("crm", late_after_hours=24)]) == []


def test_a_schedule_of_its_own_counts_and_the_one_for_all_does_not() -> None:
    state = replace(SHOP, last=replace(DONE, completed_at=DONE.completed_at - DAY))
    own = replace(NIGHTLY, id=3, database="shop", cron="0 2 * * 0")
    assert look(state, schedules=[NIGHTLY, own]) == []
    assert look(state, schedules=[NIGHTLY, replace(own, enabled=False)]) == []


def test_a_zone_that_is_unknown_here_makes_late_what_is_late_in_every_zone() -> None:
    odd = replace(NIGHTLY, zone="Mars/Olympus", settled_until=LONG_AGO, last_due_at=None)
    grace, latest = HOUR + timedelta(seconds=600), TONIGHT + 12 * HOUR
    in_time = replace(SHOP, last=replace(DONE, completed_at=TONIGHT - 14 * HOUR))
    assert look(in_time, schedules=[odd], now=latest + grace) == []
    before = replace(SHOP, last=replace(DONE, completed_at=TONIGHT - 14 * HOUR - timedelta(seconds=1)))
    assert look(before, schedules=[odd], now=latest + grace - timedelta(seconds=1)) == []
    assert kinds(look(before, schedules=[odd], now=latest + grace)) == [(AlertKind.LATE, "shop")]
    assert kinds(look(replace(SHOP, last=None), schedules=[odd])) == [(AlertKind.LATE, "shop")]
    assert look(replace(SHOP, last=None, known_since=TONIGHT - 14 * HOUR), schedules=[odd]) == []


MISSING = replace(SHOP, last=replace(DONE, completed_at=DONE.completed_at - DAY))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("took", "longest"),
    [(None, 12), (300, 12), (3600, 12), (20 * 3600, 41), (40 * 3600, 48)],
    ids=["the first", "short", "an hour", "long", "endless"],
)
def test_a_backup_that_is_under_way_is_not_late_until_something_must_be_wrong_with_it(
    took: int | None, longest: int
) -> None:
    last = None if took is None else replace(DONE, completed_at=TONIGHT - 4 * DAY, seconds=took)
    begun = replace(SHOP, last=last, unfinished_since=TONIGHT)
    assert look(begun, now=TONIGHT + longest * HOUR) == []
    assert kinds(look(begun, now=TONIGHT + longest * HOUR + SECOND)) == [(AlertKind.LATE, "shop")]


def test_a_backup_that_hangs_is_late_however_often_it_was_due_since() -> None:
    hourly = replace(NIGHTLY, cron="0 * * * *", settled_until=NOW, last_due_at=NOW)
    hanging = replace(MISSING, unfinished_since=NOW - 12 * HOUR - SECOND)
    assert kinds(look(hanging, schedules=[hourly])) == [(AlertKind.LATE, "shop")]
    assert look(replace(hanging, unfinished_since=NOW - 12 * HOUR), schedules=[hourly]) == []


def test_a_backup_that_was_asked_for_in_the_future_excuses_nothing() -> None:
    assert kinds(look(replace(MISSING, unfinished_since=NOW + 365 * DAY))) == [(AlertKind.LATE, "shop")]


def test_what_was_told_to_be_late_is_so_until_there_is_a_backup_and_not_until_one_has_begun() -> None:
    begun = replace(MISSING, unfinished_since=NOW)
    assert look(begun) == []
    assert kinds(look(begun, known_late=frozenset({"shop"}))) == [(AlertKind.LATE, "shop")]
    assert look(begun, known_late=frozenset({"crm"})) == []
    assert look(SHOP, known_late=frozenset({"shop"})) == []


def test_a_rule_of_hours_is_meant_literally() -> None:
    begun = replace(MISSING, unfinished_since=NOW)
    assert kinds(look(begun, rules=[AlertRule("shop", late_after_hours=24)])) == [(AlertKind.LATE, "shop")]


def test_one_backup_that_took_a_day_does_not_hide_for_two_that_none_comes() -> None:
    state = replace(SHOP, last=replace(DONE, completed_at=TONIGHT - 4 * HOUR, seconds=20 * 3600))
    assert look(state, now=TONIGHT + 12 * HOUR - SECOND) == []
    assert kinds(look(state, now=TONIGHT + 12 * HOUR)) == [(AlertKind.LATE, "shop")]


def test_a_duration_that_a_clock_has_made_negative_shortens_nothing() -> None:
    state = replace(SHOP, last=replace(DONE, completed_at=TONIGHT - DAY, seconds=-21600))
    assert look(state, now=TONIGHT + HOUR - SECOND) == []


@pytest.mark.parametrize("field", ["settled_until", "created_at"])
def test_a_schedule_of_a_clock_that_was_ahead_hides_nothing(field: str) -> None:
    changes: dict[str, Any] = {field: NOW + 365 * DAY}
    ahead = replace(NIGHTLY, last_due_at=None, **{"settled_until": TONIGHT - DAY, **changes})
    assert kinds(look(MISSING, schedules=[ahead])) == [(AlertKind.LATE, "shop")]
    changes = {field: NOW - HOUR}
    changed = replace(ahead, **changes)
    assert look(MISSING, schedules=[changed]) == []


def test_a_database_registered_by_a_clock_that_was_ahead_is_missed() -> None:
    assert kinds(look(replace(MISSING, known_since=NOW + 365 * DAY))) == [(AlertKind.LATE, "shop")]


@pytest.mark.parametrize(
    ("size", "rows", "alarms"),
    [(51 * MB, 2501, False), (49 * MB, 5000, True), (100 * MB, 2499, True), (0, 0, True), (None, None, False)],
)
def test_a_backup_with_less_than_half_of_the_usual_size_or_rows_is_shrunken(
    size: int | None, rows: int | None, alarms: bool
) -> None:
    last = replace(DONE, size=size, rows=rows, usual_size=100.0 * MB, usual_rows=5000.0)
    assert kinds(look(replace(SHOP, last=last))) == [(AlertKind.SHRUNKEN, "shop")] * alarms


def test_a_first_backup_and_a_tiny_one_are_never_shrunken() -> None:
    assert look(replace(SHOP, last=replace(DONE, size=1, rows=1))) == []
    assert look(replace(SHOP, last=replace(DONE, size=1, rows=1, usual_size=1000.0, usual_rows=99.0))) == []


def test_a_rule_says_from_when_on_a_backup_is_shrunken() -> None:
    last = replace(DONE, usual_size=300.0 * MB)
    assert look(replace(SHOP, last=last), rules=[AlertRule(shrunken_below=0.2)]) == []
    assert look(replace(SHOP, last=last), rules=[AlertRule(shrunken_below=0)]) == []
    assert len(look(replace(SHOP, last=last))) == 1


def test_more_than_the_largest_size_is_oversized_once_for_all() -> None:
    crm = replace(SHOP, name="crm")
    assert kinds(look(SHOP, crm, max_size=599.0 * MB)) == [(AlertKind.OVERSIZED, "")]
    assert look(SHOP, crm, max_size=600.0 * MB) == []


def test_where_restore_tests_are_scheduled_a_database_without_a_passed_one_is_unproven() -> None:
    assert look(SHOP, schedules=[NIGHTLY]) == []
    assert kinds(look(SHOP, schedules=[NIGHTLY, TESTS])) == [(AlertKind.UNPROVEN, "shop")]
    assert look(replace(SHOP, proven_at=NOW - 14 * DAY), schedules=[NIGHTLY, TESTS]) == []
    assert len(look(replace(SHOP, proven_at=NOW - 15 * DAY), schedules=[NIGHTLY, TESTS])) == 1
    rule = AlertRule(unproven_after_days=20)
    assert look(replace(SHOP, proven_at=NOW - 15 * DAY), schedules=[NIGHTLY, TESTS], rules=[rule]) == []


def test_a_new_schedule_for_restore_tests_gives_them_time() -> None:
    new = replace(TESTS, created_at=NOW - DAY)
    assert look(SHOP, schedules=[NIGHTLY, new]) == []


def test_a_schedule_that_could_not_start_is_told() -> None:
    run = ScheduleRun(1, TONIGHT, TONIGHT, problems=('the database "shop" is not registered any more',))
    (found,) = look(SHOP, runs={1: run})
    assert (found.key.kind, found.key.about) == (AlertKind.FAILED, "schedule 1")
    assert "not registered" in found.summary
    assert look(SHOP, runs={1: replace(run, jobs=1)}) == []
    assert look(SHOP, runs={1: run}, schedules=[replace(NIGHTLY, enabled=False)]) == []


def test_a_failed_cleanup_is_told() -> None:
    (found,) = look(SHOP, cleanup=LastFailure(NOW, "conflict", "it would remove too much"))
    assert "too much" in found.summary


def test_a_database_that_is_registered_no_more_is_nobodys_worry() -> None:
    gone = replace(SHOP, known_since=None, failing={"backup": LastFailure(NOW, "x", "y")}, last=None)
    assert look(gone, schedules=[NIGHTLY, TESTS], rules=[AlertRule(late_after_hours=1)]) == []


def test_a_restore_that_nobody_could_settle_for_a_while_is_told_with_the_way_out() -> None:
    backup = Backup(
        id=3, database="shop", filename="f", file_path="shop/f/f", storage_url="/b", options=BackupOptions(),
        compression=Compression.ZSTD, status=BackupStatus.COMPLETED, trigger_source=BackupTrigger.MANUAL_CLI,
        created_at=LONG_AGO,
    )  # fmt: skip
    restore = new_restore(12, backup, "shop", RestoreOptions(), NOW)
    wait = timedelta(minutes=15)
    assert look(SHOP, left_behind=[restore], now=NOW + wait) == []
    (found,) = look(SHOP, left_behind=[restore], now=NOW + wait + timedelta(seconds=1))
    assert (found.key.kind, found.key.database, found.key.about) == (AlertKind.FAILED, "shop", "restore 12")
    assert "pgproof abandon 12" in found.hint
