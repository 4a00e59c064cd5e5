"""Which backups to keep: a policy, the backups of one database and the time go in, decisions with reasons come out.

Three kinds of rules, in this order of strength. Exemptions: what is held, in use, or a way back for an undo
stays, and neither uses up a count nor stands in the way of others. Safeguards: the last good, the last
verified and the last proven backup stay, and so many as the policy's minimum redundancy. Rules of the policy:
age, count, and the newest of each day, week, month and year; one rule that keeps a backup is enough.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice, takewhile
from operator import attrgetter

from pgproof.domain.backup import GONE, UNFINISHED, Backup, BackupStatus, BackupTrigger
from pgproof.domain.retention_policy import RetentionPolicy, counted


class Action(StrEnum):
    """What becomes of a backup. `forget` is for records of jobs that stored nothing."""

    KEEP = "keep"
    EXPIRE = "expire"
    FORGET = "forget"


class Reason(StrEnum):
    """Why, for machines. A text for people goes with it."""

    HELD = "held"
    IN_USE = "in_use"
    UNDOABLE = "undoable"
    UNFINISHED = "unfinished"
    IN_THE_FUTURE = "in_the_future"
    ELSEWHERE = "elsewhere"
    LAST_GOOD = "last_good"
    LAST_VERIFIED = "last_verified"
    LAST_PROVEN = "last_proven"
    MINIMUM_REDUNDANCY = "minimum_redundancy"
    OWN_DATE = "own_date"
    YOUNG = "young"
    COUNT = "count"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    RECORD = "record"
    BEING_DELETED = "being_deleted"
    PAST_OWN_DATE = "past_own_date"
    OLD = "old"
    NO_RULE = "no_rule"


@dataclass(frozen=True, slots=True)
class Because:
    """One reason with its text, such as "newest of week 2025-W07"."""

    reason: Reason
    text: str


_WORDS = {Action.KEEP: "kept", Action.EXPIRE: "expired", Action.FORGET: "forgotten"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one backup, and every reason for it."""

    backup: Backup
    action: Action
    because: tuple[Because, ...]

    def __str__(self) -> str:
        return f"{_WORDS[self.action]}: {'; '.join(one.text for one in self.because)}"


@dataclass(frozen=True)
class Facts:
    """What the backups' own rows do not tell; sets hold ids of backups.

    `undoable_until` maps safety backups to the end of the undo window of the restore that took them.
    `elsewhere` are in another storage than the present one: nobody can say whether they are still there.
    """

    in_use: frozenset[int] = frozenset()
    elsewhere: frozenset[int] = frozenset()
    undoable_until: Mapping[int, datetime] = field(default_factory=dict)


def decide_each(
    policy: RetentionPolicy, backups: Iterable[Backup], facts: Facts, now: datetime
) -> Mapping[str, Sequence[Decision]]:
    """Decisions by database. Databases are told apart by their exact names; each is decided alone."""
    by_database: dict[str, list[Backup]] = defaultdict(list)
    for backup in backups:
        by_database[backup.database].append(backup)
    return {name: decide(policy, by_database[name], facts, now) for name in sorted(by_database)}


def decide(policy: RetentionPolicy, backups: Iterable[Backup], facts: Facts, now: datetime) -> Sequence[Decision]:
    """Decisions about the backups of ONE database, the newest first; none for what is gone already."""
    # Two stable sorts take half the time of one by both keys.
    ordered = [backup for backup in backups if backup.status not in GONE]
    ordered.sort(key=attrgetter("id"), reverse=True)
    ordered.sort(key=attrgetter("taken_at"), reverse=True)
    if len({backup.database for backup in ordered}) > 1:
        raise ValueError("backups of different databases are never decided together")
    kept = _Kept(policy, [backup for backup in ordered if backup.usable], facts, now).reasons()
    no_rule = (_no_rule(policy),)
    decisions = []
    for backup in ordered:
        if backup.id in kept:
            decision = Decision(backup, Action.KEEP, kept[backup.id])
        elif not backup.usable:
            decision = _about_unusable(backup, policy, facts, now)
        elif backup.expires_at is not None:
            decision = Decision(backup, Action.EXPIRE, (_own_date_past(backup, policy),))
        else:
            decision = Decision(backup, Action.EXPIRE, no_rule)
        decisions.append(decision)
    return decisions


class _Kept:
    """Every reason to keep one of the usable backups `good`, which come newest first."""

    def __init__(self, policy: RetentionPolicy, good: Sequence[Backup], facts: Facts, now: datetime) -> None:
        self._policy = policy
        self._facts = facts
        self._now = now
        self._good = good
        self._reasons: dict[int, tuple[Because, ...]] = {}

    def reasons(self) -> Mapping[int, tuple[Because, ...]]:
        """By id of the backup; an id that is not there has no reason."""
        doubtful = self._keep_doubtful()
        certain = [backup for backup in self._good if backup.id not in doubtful]
        exempt = self._keep_exempt(certain)
        counted_on = [backup for backup in certain if backup.id not in exempt]
        # A safety backup takes a place only where there is no other backup for it.
        regular = [backup for backup in counted_on if not _is_safety(backup)]
        preferred = [*regular, *(backup for backup in counted_on if _is_safety(backup))]
        self._safeguard(certain)
        floor = self._policy.minimum_redundancy
        self._keep(preferred[:floor], Reason.MINIMUM_REDUNDANCY, f"minimum redundancy of {floor}")
        self._apply_age([backup for backup in counted_on if backup.expires_at is None])
        self._apply_counts([backup for backup in preferred if backup.expires_at is None])
        return self._reasons

    def _keep_doubtful(self) -> set[int]:
        """Keep what cannot be judged; it takes no other backup's place."""
        future = list(takewhile(lambda backup: backup.taken_at > self._now, self._good))
        elsewhere = [backup for backup in self._good if backup.id in self._facts.elsewhere]
        self._keep(future, Reason.IN_THE_FUTURE, "dated in the future: a clock was wrong")
        for backup in elsewhere:
            self._keep([backup], Reason.ELSEWHERE, f"lies in another storage: {backup.storage_url}")
        return {backup.id for backup in (*future, *elsewhere)}

    def _keep_exempt(self, certain: Sequence[Backup]) -> set[int]:
        """Keep what no rule may touch. Being read at the moment does not exempt from being counted."""
        now, until = self._now, self._facts.undoable_until
        held = [backup for backup in self._good if backup.held and backup.is_held(now)]
        undoable = [backup for backup in self._good if now < until.get(backup.id, now)]
        dated = [backup for backup in certain if backup.expires_at is not None and now < backup.expires_at]
        in_use = (backup for backup in self._good if backup.id in self._facts.in_use)
        self._keep(in_use, Reason.IN_USE, "in use by a restore or a restore test")
        self._keep(held, Reason.HELD, "held")
        self._keep(undoable, Reason.UNDOABLE, "safety backup of a restore that can still be undone")
        for backup in dated:
            self._keep([backup], Reason.OWN_DATE, f"has a date of its own: {_own_date(backup, self._policy)}")
        return {backup.id for backup in (*held, *undoable, *dated)}

    def _safeguard(self, certain: Sequence[Backup]) -> None:
        self._keep(certain[:1], Reason.LAST_GOOD, "last good backup")
        # A safety backup may hold the very damage that its restore mended: it alone is no last good one.
        if certain and _is_safety(certain[0]):
            regular = (backup for backup in certain if not _is_safety(backup))
            self._keep(islice(regular, 1), Reason.LAST_GOOD, "last good backup that is no safety backup")
        verified = (backup for backup in certain if backup.verified_at is not None)
        self._keep(islice(verified, 1), Reason.LAST_VERIFIED, "last verified backup")
        proven = (backup for backup in certain if backup.proven_at is not None)
        self._keep(islice(proven, 1), Reason.LAST_PROVEN, "last proven backup")

    def _apply_age(self, newest_first: Sequence[Backup]) -> None:
        now, days = self._now, self._policy.keep_days
        if days:
            limit = timedelta(days=days)
            young = takewhile(lambda backup: now - backup.taken_at <= limit, newest_first)
            self._keep(young, Reason.YOUNG, f"not older than {counted(days, 'day')}")

    def _apply_counts(self, preferred: Sequence[Backup]) -> None:
        policy = self._policy
        days = [backup.taken_at.astimezone(policy.zone).date() for backup in preferred] if policy.by_calendar else []
        self._keep(preferred[: policy.keep_last], Reason.COUNT, f"among the last {policy.keep_last}")
        for count, reason, word, label in (
            (policy.keep_daily, Reason.DAILY, "day", date.isoformat),
            (policy.keep_weekly, Reason.WEEKLY, "week", _week),
            (policy.keep_monthly, Reason.MONTHLY, "month", _month),
            (policy.keep_yearly, Reason.YEARLY, "year", _year),
        ):
            for backup, period in _newest_of_each(preferred, days, count, label):
                self._keep([backup], reason, f"newest of {word} {period}")

    def _keep(self, backups: Iterable[Backup], reason: Reason, text: str) -> None:
        because = _because(reason, text)
        for backup in backups:
            before = self._reasons.get(backup.id)
            self._reasons[backup.id] = because if before is None else before + because


@lru_cache(maxsize=10_000)  # a thousand databases share their weeks, and a hundred thousand backups their reasons
def _because(reason: Reason, text: str) -> tuple[Because]:
    return (Because(reason, text),)


def _no_rule(policy: RetentionPolicy) -> Because:
    if not policy.keep_days:
        return Because(Reason.NO_RULE, "no rule keeps it")
    older = f"older than {counted(policy.keep_days, 'day')}"
    return Because(Reason.OLD, older if policy.by_age_alone else f"{older}, and no other rule keeps it")


def _own_date_past(backup: Backup, policy: RetentionPolicy) -> Because:
    return Because(Reason.PAST_OWN_DATE, f"past the date of its own: {_own_date(backup, policy)}")


def _about_unusable(backup: Backup, policy: RetentionPolicy, facts: Facts, now: datetime) -> Decision:
    if backup.being_deleted:
        return Decision(backup, Action.EXPIRE, (Because(Reason.BEING_DELETED, "its deletion has begun already"),))
    if backup.status in UNFINISHED:
        return Decision(backup, Action.KEEP, (Because(Reason.UNFINISHED, f"it is {backup.status}"),))
    record = f"record of a backup that {'failed' if backup.status is BackupStatus.FAILED else 'was cancelled'}"
    if not policy.keep_days or now - backup.taken_at <= timedelta(days=policy.keep_days):
        return Decision(backup, Action.KEEP, (Because(Reason.RECORD, record),))
    if backup.id in facts.elsewhere:
        return Decision(backup, Action.KEEP, (Because(Reason.ELSEWHERE, f"{record} to {backup.storage_url}"),))
    text = f"{record}, older than {counted(policy.keep_days, 'day')}"
    return Decision(backup, Action.FORGET, (Because(Reason.OLD, text),))


def _newest_of_each(
    preferred: Sequence[Backup], days: Sequence[date], count: int, label: Callable[[date], str]
) -> Iterable[tuple[Backup, str]]:
    seen: set[str] = set()
    for backup, day in zip(preferred, days, strict=True) if count else ():
        period = label(day)
        if period in seen:
            continue
        if len(seen) == count:
            return
        seen.add(period)
        yield backup, period


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _month(day: date) -> str:
    return f"{day.year:04}-{day.month:02}"


def _year(day: date) -> str:
    return f"{day.year:04}"


def _is_safety(backup: Backup) -> bool:
    return backup.trigger_source is BackupTrigger.PRE_RESTORE_SAFETY


def _own_date(backup: Backup, policy: RetentionPolicy) -> str:
    return f"{backup.expires_at.astimezone(policy.zone):%Y-%m-%d %H:%M %Z}" if backup.expires_at else ""
