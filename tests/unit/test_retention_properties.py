"""What holds for every policy and every history of backups."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pgproof.domain.backup import Backup, BackupStatus, BackupTrigger
from pgproof.domain.retention import Action, Decision, Facts, Reason, decide, decide_each
from pgproof.domain.retention_policy import COUNTED, RetentionPolicy
from tests.some_backups import a_backup, at

NOW = at("2025-03-31 03:00")
HOUR = timedelta(hours=1)
no_deadline = settings(deadline=None)  # how long an example takes is no promise

small = st.integers(0, 4)
# Ages around now, where clocks and months change, and far away; the future is a clock that was wrong.
hours = st.one_of(st.integers(-30, 200), st.integers(-30, 20_000))
times = st.one_of(st.none(), hours.map(lambda ago: NOW - ago * HOUR))


@st.composite
def policies(draw: st.DrawFn) -> RetentionPolicy:
    counts = {name: draw(small) for name in COUNTED}
    keep_days = draw(st.one_of(st.none(), st.integers(0, 40)))
    assume(keep_days or any(counts.values()))
    zone = draw(st.sampled_from([ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia")]))
    return RetentionPolicy(keep_days=keep_days, minimum_redundancy=draw(small), zone=zone, **counts)


@st.composite
def histories(draw: st.DrawFn, database: str = "shop", first: int = 1) -> list[Backup]:
    return [
        a_backup(
            number,
            NOW - draw(hours) * HOUR,
            database=database,
            status=draw(st.sampled_from([BackupStatus.COMPLETED, BackupStatus.RESTORED, *BackupStatus])),
            trigger=draw(st.sampled_from([BackupTrigger.SCHEDULED_CRON, BackupTrigger.PRE_RESTORE_SAFETY])),
            held=draw(st.sampled_from([False, False, True])),
            held_until=draw(times),
            verified_at=draw(times),
            proven_at=draw(times),
            expires_at=draw(st.one_of(st.none(), st.none(), times)),
            deletion_started_at=draw(st.sampled_from([None, None, None, NOW])),
        )
        for number in range(first, first + draw(st.integers(0, 8)))
    ]


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    some = st.frozensets(st.integers(1, 12), max_size=3)
    until = {number: NOW + draw(st.integers(-2, 2)) * HOUR for number in draw(some)}
    return Facts(draw(some), draw(some), until)


def kept(decisions: Sequence[Decision]) -> set[int]:
    return {one.backup.id for one in decisions if one.action is Action.KEEP}


def removed(decisions: Sequence[Decision]) -> set[int]:
    return {one.backup.id for one in decisions if one.action is not Action.KEEP}


def newest(backups: list[Backup]) -> Backup:
    return max(backups, key=lambda backup: (backup.taken_at, backup.id))


@no_deadline
@given(policies(), histories(), facts())
def test_the_last_good_backup_never_expires(policy: RetentionPolicy, backups: list[Backup], known: Facts) -> None:
    good = [one for one in backups if one.usable and one.taken_at <= NOW and one.id not in known.elsewhere]
    stay = kept(decide(policy, backups, known, NOW))
    regular = [one for one in good if one.trigger_source is not BackupTrigger.PRE_RESTORE_SAFETY]
    verified = [one for one in good if one.verified_at is not None]
    proven = [one for one in good if one.proven_at is not None]
    for choice in (good, regular, verified, proven):
        assert not choice or newest(choice).id in stay
    assert not any(one.usable for one in backups) or any(one.usable and one.id in stay for one in backups)


@no_deadline
@given(policies(), histories(), facts())
def test_nothing_that_is_held_or_in_use_or_a_way_back_expires(
    policy: RetentionPolicy, backups: list[Backup], known: Facts
) -> None:
    stay = kept(decide(policy, backups, known, NOW))
    for one in backups:
        undoable = known.undoable_until.get(one.id, NOW) > NOW
        if one.usable and (one.is_held(NOW) or one.id in known.in_use or undoable):
            assert one.id in stay


@no_deadline
@given(policies(), histories(), facts())
def test_the_minimum_redundancy_is_never_undercut(policy: RetentionPolicy, backups: list[Backup], known: Facts) -> None:
    decisions = decide(policy, backups, known, NOW)
    usable = {one.id for one in backups if one.usable}
    assert len(kept(decisions) & usable) >= min(policy.minimum_redundancy, len(usable))


@no_deadline
@given(policies(), histories(), facts())
def test_every_backup_that_is_there_is_decided_once_with_a_reason(
    policy: RetentionPolicy, backups: list[Backup], known: Facts
) -> None:
    decisions = decide(policy, backups, known, NOW)
    gone = (BackupStatus.EXPIRED, BackupStatus.DELETED)
    assert sorted(one.backup.id for one in decisions) == [one.id for one in backups if one.status not in gone]
    assert all(one.because and all(reason.text for reason in one.because) for one in decisions)


@no_deadline
@given(policies(), histories(), facts())
def test_deciding_again_after_a_cleanup_removes_nothing_more(
    policy: RetentionPolicy, backups: list[Backup], known: Facts
) -> None:
    first = decide(policy, backups, known, NOW)
    left = [one.backup for one in first if one.action is Action.KEEP]
    assert removed(decide(policy, left, known, NOW)) == set()


@no_deadline
@given(policies(), policies(), histories(), facts())
def test_a_more_generous_policy_keeps_all_that_a_stricter_one_keeps(
    strict: RetentionPolicy, other: RetentionPolicy, backups: list[Backup], known: Facts
) -> None:
    names = (*COUNTED, "minimum_redundancy")
    more = {name: max(getattr(strict, name), getattr(other, name)) for name in names}
    generous = replace(strict, keep_days=max(strict.keep_days or 0, other.keep_days or 0), **more)
    usable = {one.id for one in backups if one.usable}
    assert kept(decide(strict, backups, known, NOW)) & usable <= kept(decide(generous, backups, known, NOW)) & usable


@no_deadline
@given(policies(), histories(), facts(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    policy: RetentionPolicy, backups: list[Backup], known: Facts, random: Random
) -> None:
    shuffled = list(backups)
    random.shuffle(shuffled)
    assert decide(policy, shuffled, known, NOW) == decide(policy, backups, known, NOW)


@no_deadline
@given(policies(), histories("app"), histories("app-prod", first=101), facts())
def test_trap_21_and_22_a_database_is_decided_as_if_there_were_no_other(
    policy: RetentionPolicy, app: list[Backup], prod: list[Backup], known: Facts
) -> None:
    together = decide_each(policy, [*app, *prod], known, NOW)
    assert together.get("app", []) == decide(policy, app, known, NOW)
    assert together.get("app-prod", []) == decide(policy, prod, known, NOW)


@no_deadline
@given(policies(), histories(), facts(), st.integers(1, 12))
def test_trap_26_holding_one_more_backup_removes_no_other(
    policy: RetentionPolicy, backups: list[Backup], known: Facts, number: int
) -> None:
    holding = [replace(one, held=True, held_until=None) if one.id == number else one for one in backups]
    before, after = kept(decide(policy, backups, known, NOW)), kept(decide(policy, holding, known, NOW))
    assert before <= after


@no_deadline
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 4), st.integers(0, 3), st.integers(1, 120))
def test_trap_25_a_cleanup_every_day_ends_where_one_at_the_end_does(
    daily: int, weekly: int, monthly: int, yearly: int, days: int
) -> None:
    policy = RetentionPolicy(
        keep_daily=daily, keep_weekly=weekly, keep_monthly=monthly, keep_yearly=yearly, zone=ZoneInfo("Europe/Berlin")
    )
    start = at("2024-12-01 23:30")
    every = [a_backup(number, start + number * timedelta(days=1)) for number in range(days)]
    present: list[Backup] = []
    for backup in every:
        present = [one.backup for one in decide(policy, [*present, backup], Facts(), backup.taken_at)
                   if one.action is Action.KEEP]  # fmt: skip
    at_once = decide(policy, every, Facts(), every[-1].taken_at)
    assert {one.id for one in present} == kept(at_once)
    each = [one.reason for decision in at_once for one in decision.because]
    assert each.count(Reason.DAILY) == min(daily, days)
