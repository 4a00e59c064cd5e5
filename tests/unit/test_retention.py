"""What a retention policy keeps, what it lets go, and why."""

from datetime import timedelta
from typing import Any

import pytest

from pgproof.domain.backup import Backup, BackupStatus, BackupTrigger
from pgproof.domain.errors import InvalidInput
from pgproof.domain.retention import Action, Decision, Facts, Reason, decide, decide_each
from pgproof.domain.retention_policy import RetentionPolicy
from tests.some_backups import a_backup, at

NOW = at("2025-06-15 12:00")
DAY = timedelta(days=1)
WEEK = RetentionPolicy(keep_days=7)
NOTHING_KNOWN = Facts()


def old(days: float, number: int | None = None, **fields: Any) -> Backup:
    """A backup of that age; its number is its age unless told."""
    return a_backup(round(days) if number is None else number, NOW - days * DAY, **fields)


def decided(policy: RetentionPolicy, backups: list[Backup], facts: Facts = NOTHING_KNOWN) -> dict[int, Decision]:
    return {decision.backup.id: decision for decision in decide(policy, backups, facts, NOW)}


def kept(policy: RetentionPolicy, backups: list[Backup], facts: Facts = NOTHING_KNOWN) -> set[int]:
    return {number for number, one in decided(policy, backups, facts).items() if one.action is Action.KEEP}


def reasons(decision: Decision) -> set[Reason]:
    return {one.reason for one in decision.because}


# The traps, by their numbers


def test_trap_19_after_an_outage_of_a_week_age_alone_does_not_take_the_last_good_backup() -> None:
    found = decided(WEEK, [old(9), old(10), old(11)])
    assert reasons(found[9]) == {Reason.LAST_GOOD, Reason.MINIMUM_REDUNDANCY}
    assert str(found[10]) == str(found[11]) == "expired: older than 7 days"


def test_trap_19_failures_since_then_change_nothing() -> None:
    failures = [old(days, status=BackupStatus.FAILED) for days in (1, 2, 3)]
    assert kept(WEEK, [*failures, old(30), old(31)]) == {1, 2, 3, 30}


@pytest.mark.parametrize("status", [BackupStatus.FAILED, BackupStatus.CANCELLED, BackupStatus.RUNNING])
def test_trap_20_what_is_not_usable_never_counts_as_kept(status: BackupStatus) -> None:
    useless = [old(days, status=status) for days in (1, 2, 3)]
    good = [old(days) for days in (4, 5, 6)]
    for policy in (RetentionPolicy(keep_last=2), RetentionPolicy(keep_daily=2), RetentionPolicy(keep_yearly=1)):
        assert kept(policy, [*useless, *good]) - {1, 2, 3} == kept(policy, good)
        assert kept(policy, good)


def test_trap_21_a_count_is_for_each_database_not_for_all_together() -> None:
    backups = [old(days, 10 * days + number, database=name) for days in (1, 2, 3) for number, name in enumerate("ab")]
    found = decide_each(RetentionPolicy(keep_last=2), backups, NOTHING_KNOWN, NOW)
    stay = {name: [one.backup.id for one in each if one.action is Action.KEEP] for name, each in found.items()}
    assert stay == {"a": [10, 20], "b": [11, 21]}


def test_trap_21_backups_of_two_databases_are_never_decided_together() -> None:
    with pytest.raises(ValueError, match="never decided together"):
        decide(WEEK, [old(1, database="a"), old(2, database="b")], NOTHING_KNOWN, NOW)


def test_trap_22_app_is_not_app_prod() -> None:
    names = ["app", "app-prod", "APP", "app ", "app%", "ap_"]
    backups = [old(days, 100 * days + number, database=name) for days in (8, 9) for number, name in enumerate(names)]
    found = decide_each(WEEK, backups, NOTHING_KNOWN, NOW)
    assert {name: [one.action.value for one in each] for name, each in found.items()} == {
        name: ["keep", "expire"] for name in names
    }


def test_trap_23_the_retention_period_is_applied_once() -> None:
    found = decided(WEEK, [old(0), old(6.99, 6), old(7), old(7.01, 8), old(13.99, 13)])
    assert {number for number, one in found.items() if one.action is Action.EXPIRE} == {8, 13}


def test_trap_23_a_date_of_its_own_is_the_only_date_of_a_backup() -> None:
    soon, past = NOW + timedelta(seconds=1), NOW
    found = decided(WEEK, [old(0), old(1, expires_at=past), old(30, expires_at=soon)])
    assert reasons(found[30]) == {Reason.OWN_DATE}
    assert reasons(found[1]) == {Reason.PAST_OWN_DATE}
    assert str(found[1]) == "expired: past the date of its own: 2025-06-15 12:00 UTC"


def test_a_backup_with_a_date_of_its_own_uses_up_no_count() -> None:
    backups = [old(0, expires_at=NOW), old(1), old(2), old(3), old(4, expires_at=NOW + DAY)]
    found = decided(RetentionPolicy(keep_last=2, minimum_redundancy=0), backups)
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {0, 1, 2, 4}
    assert reasons(found[0]) == {Reason.LAST_GOOD}, "not even its own date takes the last good one"


def test_of_two_backups_of_one_moment_the_later_number_is_newer() -> None:
    for numbers in ((1, 2), (2, 1)):
        assert kept(RetentionPolicy(keep_last=1), [old(3, number) for number in numbers]) == {2}


def test_trap_23_a_job_that_waited_long_is_as_old_as_its_work() -> None:
    waited = a_backup(5, NOW - 8 * DAY, started_at=NOW - 6 * DAY)
    never_began = a_backup(6, NOW - 8 * DAY, status=BackupStatus.CANCELLED, started_at=None)
    found = decided(WEEK, [old(0), waited, never_began])
    assert found[5].action is Action.KEEP
    assert found[6].action is Action.FORGET


@pytest.mark.parametrize(
    ("policy", "stay"),
    [
        (RetentionPolicy(keep_last=2), {1, 2}),
        (RetentionPolicy(keep_daily=2), {1, 2}),
        (RetentionPolicy(keep_days=2), {1, 2}),
    ],
)
def test_trap_26_a_held_backup_uses_up_no_count_and_blocks_no_deletion(policy: RetentionPolicy, stay: set[int]) -> None:
    backups = [old(days) for days in (1, 2, 3, 4)]
    held = [old(0, held=True), old(20, held=True)]
    found = decided(policy, [*backups, *held])
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {*stay, 0, 20}
    assert reasons(found[20]) == {Reason.HELD}


# Safeguards


def test_the_last_verified_and_the_last_proven_backup_stay() -> None:
    verified = [old(days, verified_at=NOW) for days in (20, 21)]
    proven = [old(days, proven_at=NOW) for days in (30, 31)]
    found = decided(WEEK, [old(0), *verified, *proven])
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {0, 20, 30}
    assert str(found[20]) == "kept: last verified backup"
    assert str(found[30]) == "kept: last proven backup"


def test_the_minimum_redundancy_is_the_floor_of_every_rule() -> None:
    policy = RetentionPolicy(keep_days=7, minimum_redundancy=3)
    found = decided(policy, [old(days) for days in (1, 10, 20, 30)])
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {1, 10, 20}
    assert str(found[20]) == "kept: minimum redundancy of 3"


def test_without_any_redundancy_the_last_good_backup_stays_all_the_same() -> None:
    policy = RetentionPolicy(keep_days=1, minimum_redundancy=0)
    assert kept(policy, [old(8), old(9)]) == {8}


def test_what_a_restore_or_a_restore_test_reads_stays() -> None:
    found = decided(WEEK, [old(0), old(20), old(21)], Facts(in_use=frozenset({20})))
    assert str(found[20]) == "kept: in use by a restore or a restore test"
    assert found[21].action is Action.EXPIRE


def test_a_hold_that_ended_by_itself_protects_no_more() -> None:
    backups = [old(0), old(8, held=True, held_until=NOW), old(9, held=True, held_until=NOW + DAY)]
    assert kept(WEEK, backups) == {0, 9}


def test_a_backup_of_the_future_is_kept_and_takes_no_other_ones_place() -> None:
    backups = [old(-400, 1), old(2), old(3), old(4)]
    found = decided(RetentionPolicy(keep_last=1, keep_yearly=1), backups)
    assert str(found[1]) == "kept: dated in the future: a clock was wrong"
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {1, 2}
    assert Reason.LAST_GOOD in reasons(found[2])


def test_backups_in_another_storage_are_left_alone_and_count_for_nothing_here() -> None:
    elsewhere = [old(days, storage_url="file:///old") for days in (1, 20)]
    found = decided(RetentionPolicy(keep_last=1), [*elsewhere, old(30), old(31)], Facts(elsewhere=frozenset({1, 20})))
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {1, 20, 30}
    assert str(found[20]) == "kept: lies in another storage: file:///old"


# Safety backups


def safety(days: float, **fields: Any) -> Backup:
    return old(days, trigger=BackupTrigger.PRE_RESTORE_SAFETY, **fields)


def test_a_safety_backup_stays_as_long_as_its_restore_can_be_undone() -> None:
    backups = [old(0), safety(8), safety(9)]
    found = decided(WEEK, backups, Facts(undoable_until={8: NOW + DAY, 9: NOW}))
    assert str(found[8]) == "kept: safety backup of a restore that can still be undone"
    assert str(found[9]) == "expired: older than 7 days", "afterwards it is a backup like any other"


@pytest.mark.parametrize(
    "policy", [RetentionPolicy(keep_last=2), RetentionPolicy(keep_daily=2), RetentionPolicy(keep_yearly=2)]
)
def test_a_safety_backup_never_takes_the_place_of_a_regular_one(policy: RetentionPolicy) -> None:
    """It holds what the restore replaced, which may be the very damage."""
    a_year_ago = 365 if policy.keep_yearly else 3
    assert kept(policy, [safety(1), old(2), old(a_year_ago), old(900)]) == {1, 2, a_year_ago}
    assert kept(policy, [safety(1), safety(400), safety(900)]) == {1, 400}, "where there is no other, it has its place"


def test_a_way_back_uses_up_no_count() -> None:
    known = Facts(undoable_until={1: NOW + DAY})
    assert kept(RetentionPolicy(keep_last=1), [safety(1), safety(2), safety(3)], known) == {1, 2}


def test_a_safety_backup_alone_is_no_last_good_backup() -> None:
    found = decided(WEEK, [safety(9), old(10), old(11)])
    assert Reason.LAST_GOOD in reasons(found[9])
    assert Reason.LAST_GOOD in reasons(found[10])
    assert found[11].action is Action.EXPIRE


# What is not usable


def test_a_failed_job_is_forgotten_after_the_days_of_the_policy() -> None:
    found = decided(WEEK, [old(0), old(6, status=BackupStatus.FAILED), old(8, status=BackupStatus.CANCELLED)])
    assert str(found[6]) == "kept: record of a backup that failed"
    assert str(found[8]) == "forgotten: record of a backup that was cancelled, older than 7 days"


def test_the_record_of_a_failure_in_another_storage_is_left_alone() -> None:
    failed = old(8, status=BackupStatus.FAILED, storage_url="file:///old")
    assert kept(WEEK, [old(0), failed], Facts(elsewhere=frozenset({8}))) == {0, 8}


def test_a_policy_without_days_keeps_the_records_of_failures() -> None:
    assert kept(RetentionPolicy(keep_last=1), [old(0), old(500, status=BackupStatus.FAILED)]) == {0, 500}


@pytest.mark.parametrize("status", [BackupStatus.PENDING, BackupStatus.RUNNING])
def test_an_unfinished_backup_is_left_alone_however_old_its_row_is(status: BackupStatus) -> None:
    found = decided(WEEK, [old(0), old(400, status=status)])
    assert str(found[400]) == f"kept: it is {status}"


def test_what_is_gone_is_not_decided_again() -> None:
    assert decided(WEEK, [old(8, status=BackupStatus.EXPIRED), old(9, status=BackupStatus.DELETED)]) == {}


def test_a_backup_that_is_being_deleted_counts_for_nothing_and_goes() -> None:
    doomed = old(0, deletion_started_at=NOW, deletion_target=BackupStatus.DELETED, held=True)
    found = decided(RetentionPolicy(keep_last=1), [doomed, old(1), old(2)])
    assert str(found[0]) == "expired: its deletion has begun already"
    assert {number for number, one in found.items() if one.action is Action.KEEP} == {1}


# The policy itself


@pytest.mark.parametrize("given", [{}, {"minimum_redundancy": 5}, {"keep_days": 0}, {"keep_last": 0, "keep_daily": 0}])
def test_a_policy_that_keeps_nothing_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="would keep nothing") as refused:
        RetentionPolicy(**given)  # type: ignore[arg-type]
    assert "keep_weekly" in refused.value.hint


@pytest.mark.parametrize("name", ["keep_days", "keep_last", "keep_monthly", "minimum_redundancy"])
def test_a_negative_number_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} of a retention policy is -1"):
        RetentionPolicy(**{"keep_yearly": 1, name: -1})  # type: ignore[arg-type]


def test_a_policy_can_be_read() -> None:
    policy = RetentionPolicy(keep_days=1, keep_weekly=4, minimum_redundancy=2)
    assert str(policy) == "1 day, weekly 4, at least 2 of each database, time zone UTC"


def test_one_rule_is_enough_and_every_reason_is_told() -> None:
    policy = RetentionPolicy(keep_days=7, keep_last=1, keep_weekly=2)
    found = decided(policy, [old(1), old(8), old(30)])
    assert str(found[1]) == (
        "kept: last good backup; minimum redundancy of 1; not older than 7 days; among the last 1; "
        "newest of week 2025-W24"
    )
    assert str(found[8]) == "kept: newest of week 2025-W23"
    assert str(found[30]) == "expired: older than 7 days, and no other rule keeps it"


def test_decisions_come_newest_first() -> None:
    assert list(decided(WEEK, [old(3), old(1), old(2)])) == [1, 2, 3]
