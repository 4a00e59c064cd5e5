"""Which backups to keep: a policy, the backups of one database and the time go in, decisions with reasons come out.

Three kinds of rules, in this order of strength. Exemptions: what is held, in use, or a way back for an undo
stays, and neither uses up a count nor stands in the way of others. Safeguards: the last good, the last
verified and the last proven backup stay, and so many as the policy's minimum redundancy. Rules of the policy:
age, count, and the newest of each day, week, month and year; one rule that keeps a backup is enough.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import islice

from pgproof.domain.backup import GONE, UNFINISHED, Backup, BackupTrigger
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


@dataclass(frozen=True)
class Because:
    """One reason with its text, such as "newest of week 2025-W07"."""

    reason: Reason
    text: str


_WORDS = {Action.KEEP: "kept", Action.EXPIRE: "expired", Action.FORGET: "forgotten"}


@dataclass(frozen=True)
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
    proven: frozenset[int] = frozenset()
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
    ordered = sorted(
        (backup for backup in backups if backup.status not in GONE),
        key=lambda backup: (backup.taken_at, backup.id),
        reverse=True,
    )
    if ordered and any(backup.database != ordered[0].database for backup in ordered):
        raise ValueError("backups of different databases are never decided together")
    kept = _Kept(policy, [backup for backup in ordered if backup.usable], facts, now).reasons()
    return [_decision(backup, policy, facts, now, kept.get(backup.id, ())) for backup in ordered]


class _Kept:
    """Every reason to keep a usable backup, by id."""

    def __init__(self, policy: RetentionPolicy, good: Sequence[Backup], facts: Facts, now: datetime) -> None:
        self._policy = policy
        self._facts = facts
        self._now = now
        self._good = good
        self._reasons: dict[int, list[Because]] = defaultdict(list)

    def reasons(self) -> Mapping[int, Sequence[Because]]:
        exempt = {backup.id for backup in self._good if self._exempt(backup)}
        beyond_doubt = [
            backup for backup in self._good if backup.taken_at <= self._now and backup.id not in self._facts.elsewhere
        ]
        self._safeguard(beyond_doubt, exempt)
        ruled = [backup for backup in beyond_doubt if backup.id not in exempt and backup.expires_at is None]
        self._apply_rules(ruled)
        return self._reasons

    def _keep(self, backup: Backup, reason: Reason, text: str) -> None:
        self._reasons[backup.id].append(Because(reason, text))

    def _keep_first(self, backups: Iterable[Backup], reason: Reason, text: str) -> None:
        for backup in islice(backups, 1):
            self._keep(backup, reason, text)

    def _exempt(self, backup: Backup) -> bool:
        """Keep what no rule may touch. Being read at the moment does not exempt from being counted."""
        undoable_until = self._facts.undoable_until.get(backup.id)
        if backup.id in self._facts.in_use:
            self._keep(backup, Reason.IN_USE, "in use by a restore")
        if backup.is_held(self._now):
            self._keep(backup, Reason.HELD, "held")
        if undoable_until is not None and self._now < undoable_until:
            self._keep(backup, Reason.UNDOABLE, "safety backup of a restore that can still be undone")
        if backup.taken_at > self._now:
            self._keep(backup, Reason.IN_THE_FUTURE, "dated in the future: a clock was wrong")
        if backup.id in self._facts.elsewhere:
            self._keep(backup, Reason.ELSEWHERE, f"lies in another storage: {backup.storage_url}")
        if backup.expires_at is not None and self._now < backup.expires_at:
            self._keep(backup, Reason.OWN_DATE, f"has a date of its own: {_local(backup.expires_at, self._policy)}")
        return any(one.reason is not Reason.IN_USE for one in self._reasons.get(backup.id, ()))

    def _safeguard(self, good: Sequence[Backup], exempt: set[int]) -> None:
        # A safety backup may hold the very damage that its restore mended: it alone is no last good one.
        self._keep_first(good, Reason.LAST_GOOD, "last good backup")
        if good and _is_safety(good[0]):
            regular = (backup for backup in good if not _is_safety(backup))
            self._keep_first(regular, Reason.LAST_GOOD, "last good backup that is no safety backup")
        verified = (backup for backup in good if backup.verified_at is not None)
        self._keep_first(verified, Reason.LAST_VERIFIED, "last verified backup")
        proven = (backup for backup in good if backup.id in self._facts.proven)
        self._keep_first(proven, Reason.LAST_PROVEN, "last proven backup")
        floor = self._policy.minimum_redundancy
        for backup in _regular_first([backup for backup in good if backup.id not in exempt])[:floor]:
            self._keep(backup, Reason.MINIMUM_REDUNDANCY, f"minimum redundancy of {floor}")

    def _apply_rules(self, ruled: Sequence[Backup]) -> None:
        policy = self._policy
        if policy.keep_days:
            limit = timedelta(days=policy.keep_days)
            text = f"not older than {counted(policy.keep_days, 'day')}"
            for backup in ruled:
                if self._now - backup.taken_at <= limit:
                    self._keep(backup, Reason.YOUNG, text)
        preferred = _regular_first(ruled)
        for backup in preferred[: policy.keep_last]:
            self._keep(backup, Reason.COUNT, f"among the last {policy.keep_last}")
        for count, reason, word, label in (
            (policy.keep_daily, Reason.DAILY, "day", date.isoformat),
            (policy.keep_weekly, Reason.WEEKLY, "week", _week),
            (policy.keep_monthly, Reason.MONTHLY, "month", _month),
            (policy.keep_yearly, Reason.YEARLY, "year", _year),
        ):
            for backup, period in _newest_of_each(preferred, count, label, policy.zone):
                self._keep(backup, reason, f"newest of {word} {period}")


def _decision(
    backup: Backup, policy: RetentionPolicy, facts: Facts, now: datetime, kept: Sequence[Because]
) -> Decision:
    if kept:
        return Decision(backup, Action.KEEP, tuple(kept))
    if backup.being_deleted:
        return Decision(backup, Action.EXPIRE, (Because(Reason.BEING_DELETED, "its deletion has begun already"),))
    if backup.usable:
        return Decision(backup, Action.EXPIRE, (_why_not(backup, policy),))
    if backup.status in UNFINISHED:
        return Decision(backup, Action.KEEP, (Because(Reason.UNFINISHED, f"it is {backup.status}"),))
    record = f"record of a backup that {'failed' if backup.status == 'failed' else 'was cancelled'}"
    if not policy.keep_days or now - backup.taken_at <= timedelta(days=policy.keep_days):
        return Decision(backup, Action.KEEP, (Because(Reason.RECORD, record),))
    if backup.id in facts.elsewhere:
        return Decision(backup, Action.KEEP, (Because(Reason.ELSEWHERE, f"{record} to {backup.storage_url}"),))
    text = f"{record}, older than {counted(policy.keep_days, 'day')}"
    return Decision(backup, Action.FORGET, (Because(Reason.OLD, text),))


def _why_not(backup: Backup, policy: RetentionPolicy) -> Because:
    if backup.expires_at is not None:
        return Because(Reason.PAST_OWN_DATE, f"past the date of its own: {_local(backup.expires_at, policy)}")
    if not policy.keep_days:
        return Because(Reason.NO_RULE, "no rule keeps it")
    older = f"older than {counted(policy.keep_days, 'day')}"
    return Because(Reason.OLD, older if policy.by_age_alone else f"{older}, and no other rule keeps it")


def _newest_of_each(
    preferred: Sequence[Backup], count: int, label: Callable[[date], str], zone: tzinfo
) -> Iterable[tuple[Backup, str]]:
    seen: set[str] = set()
    for backup in preferred if count else ():
        period = label(backup.taken_at.astimezone(zone).date())
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


def _regular_first(newest_first: Sequence[Backup]) -> Sequence[Backup]:
    """Safety backups take a place only where there is no other backup for it."""
    return sorted(newest_first, key=_is_safety)


def _local(when: datetime, policy: RetentionPolicy) -> str:
    return f"{when.astimezone(policy.zone):%Y-%m-%d %H:%M %Z}"
