"""What is wrong now, as the catalog and the schedules tell it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pgproof.domain.alert import Alert, AlertKey, AlertKind, Condition
from pgproof.domain.alert_rule import AlertRule, rule_for
from pgproof.domain.restore import Restore
from pgproof.domain.schedule import Schedule, ScheduleRun, Task
from pgproof.domain.wording import in_quotes, size
from pgproof.services.lateness import is_under_way, overdue
from pgproof.services.ports.overview import DatabaseState, LastBackup, LastFailure

BACKUP = "backup"
LATE_HINT = "See whether a worker runs and what waits: pgproof job list"
_SETTLED_WITHIN = timedelta(minutes=15)
# Below these a backup is so small that half of it says nothing.
_LEAST_SIZE = 1024**2
_LEAST_ROWS = 100
_WORDS: Mapping[str, str] = {BACKUP: "backup", "verify": "verifying of a backup", "restore_test": "restore test"}


@dataclass(frozen=True)
class Scene:
    """Everything that is looked at. `max_size` in bytes. `known_late` are databases whose lateness was told already."""

    now: datetime
    databases: Sequence[DatabaseState]
    schedules: Sequence[Schedule]
    last_runs: Mapping[int, ScheduleRun]
    rules: Sequence[AlertRule]
    max_size: float
    failing_cleanup: LastFailure | None = None
    left_behind: Sequence[Restore] = ()
    known_late: frozenset[str] = frozenset()

    def schedules_of(self, database: str, task: Task) -> Sequence[Schedule]:
        """The enabled schedules that hold for a database: its own if it has any, else those for all."""
        of_task = [one for one in self.schedules if one.task is task]
        own = [one for one in of_task if one.database == database]
        return [one for one in own or (one for one in of_task if one.database is None) if one.enabled]


def conditions(scene: Scene) -> Iterator[Condition]:
    """All that is wrong. A database that is registered no more is nobody's worry."""
    for state in scene.databases:
        if state.known_since is not None:
            rule = rule_for(scene.rules, state.name)
            yield from _failed(state)
            yield from _late(scene, state)
            yield from _shrunken(state, rule)
            yield from _unproven(scene, state, rule)
    yield from _unstarted(scene)
    yield from _unsettled(scene)
    if scene.failing_cleanup is not None:
        yield Condition(
            AlertKey(AlertKind.FAILED, about="cleanup"),
            f"the cleanup failed: {scene.failing_cleanup.message}",
            "See what it would remove: pgproof cleanup --dry-run",
        )
    total = sum(state.size for state in scene.databases)
    if total > scene.max_size:
        yield Condition(
            AlertKey(AlertKind.OVERSIZED),
            f"the backups take {size(total)}, more than the {size(int(scene.max_size))} of BACKUP_MAX_SIZE_GB",
            "Delete backups that nobody needs, keep them for a shorter time, or raise BACKUP_MAX_SIZE_GB.",
        )


def _failed(state: DatabaseState) -> Iterator[Condition]:
    for about, failure in state.failing.items():
        what = _WORDS.get(about, about)
        number = failure.subject_id
        hint = "" if number is None else f"See: pgproof show {number}, and pgproof log {number}"
        key = AlertKey(AlertKind.FAILED, state.name, about)
        yield Condition(key, f"the {what} of {in_quotes(state.name)} failed: {failure.message}", hint)


def lateness(scene: Scene, state: DatabaseState) -> str | None:
    """Why a registered database is late, in words, or ``None``. A backup that was tried and failed is late too."""
    if state.known_since is None:
        return None
    last = None if state.last is None else state.last.completed_at
    why = None
    rule = rule_for(scene.rules, state.name)
    if rule.late_after_hours is not None:
        limit = timedelta(hours=rule.late_after_hours)
        if scene.now - (last or state.known_since) > limit:
            why = f"it has no backup of the last {rule.late_after_hours:g} hours"
    else:
        missing = [
            at
            for one in scene.schedules_of(state.name, Task.BACKUP)
            if (at := overdue(one, state, scene.now)) is not None
        ]
        if missing and not _is_awaited(scene, state):
            why = f"the backup that was due at {max(missing):%Y-%m-%d %H:%M} UTC has not come"
    if why is None:
        return None
    since = "there is none yet" if last is None else f"the last one is of {last:%Y-%m-%d %H:%M} UTC"
    return f"{in_quotes(state.name)} is late: {why}; {since}"


def told_late(alerts: Sequence[Alert]) -> frozenset[str]:
    """The databases whose lateness was told and is not over."""
    return frozenset(one.key.database for one in alerts if one.is_open and one.key.kind is AlertKind.LATE)


def _is_awaited(scene: Scene, state: DatabaseState) -> bool:
    """Whether it is early to call it late. Once that was told, or one has failed, only a backup ends it.

    That the next one has begun says nothing: one that fails every hour is always under way.
    """
    told = state.name in scene.known_late or BACKUP in state.failing
    return not told and is_under_way(state, scene.now)


def _late(scene: Scene, state: DatabaseState) -> Iterator[Condition]:
    if BACKUP in state.failing:
        return  # then it is known why
    summary = lateness(scene, state)
    if summary is not None:
        yield Condition(AlertKey(AlertKind.LATE, state.name), summary, LATE_HINT)


def _shrunken(state: DatabaseState, rule: AlertRule) -> Iterator[Condition]:
    last = state.last
    if last is None:
        return
    lost = list(_lost(last, rule.shrunken_below))
    if lost:
        key = AlertKey(AlertKind.SHRUNKEN, state.name)
        hint = f"Look whether the database still holds what it should: pgproof show {last.id}"
        summary = f"backup {last.id} of {in_quotes(state.name)} is much smaller than the ones before: {', '.join(lost)}"
        yield Condition(key, summary, hint)


def _lost(last: LastBackup, share: float) -> Iterator[str]:
    usual = last.usual_size
    if last.size is not None and usual is not None and usual >= _LEAST_SIZE and last.size < share * usual:
        yield f"{size(last.size)} instead of {size(int(usual))}"
    rows = last.usual_rows
    if last.rows is not None and rows is not None and rows >= _LEAST_ROWS and last.rows < share * rows:
        yield f"{last.rows:,} rows instead of {int(rows):,}"


def _unproven(scene: Scene, state: DatabaseState, rule: AlertRule) -> Iterator[Condition]:
    tests = scene.schedules_of(state.name, Task.RESTORE_TEST)
    if not tests or state.last is None or state.known_since is None:
        return
    since = state.proven_at or max(min(one.created_at for one in tests), state.known_since)
    if scene.now - since > timedelta(days=rule.unproven_after_days):
        told = (
            "none has passed yet" if state.proven_at is None else f"the last one passed on {state.proven_at:%Y-%m-%d}"
        )
        yield Condition(
            AlertKey(AlertKind.UNPROVEN, state.name),
            f"no restore test of {in_quotes(state.name)} has passed for {rule.unproven_after_days} days: {told}",
            f"See why: pgproof restore-test {state.last.id}",
        )


def _unsettled(scene: Scene) -> Iterator[Condition]:
    """Restores that nobody could settle for a while: of a process that has just died, others see to it."""
    for restore in scene.left_behind:
        if scene.now - restore.created_at > _SETTLED_WITHIN:
            yield Condition(
                AlertKey(AlertKind.FAILED, restore.database, f"restore {restore.id}"),
                f"restore {restore.id} of {in_quotes(restore.database)} was left behind by a process that died, "
                "and cannot be settled",
                f"It is as soon as its server answers. If that is gone for good: pgproof abandon {restore.id}",
            )


def _unstarted(scene: Scene) -> Iterator[Condition]:
    for schedule in scene.schedules:
        run = scene.last_runs.get(schedule.id)
        if schedule.enabled and run is not None and run.problems and not run.jobs:
            yield Condition(
                AlertKey(AlertKind.FAILED, schedule.database or "", f"schedule {schedule.id}"),
                f"{schedule} could not start: {'; '.join(run.problems)}",
                f"See: pgproof schedule show {schedule.id}",
            )
