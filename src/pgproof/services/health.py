"""Is anybody at work? What a healthcheck asks: the catalog alone is looked at, and nothing is changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf

from pgproof.domain.alert import AlertKind
from pgproof.domain.errors import PgproofError
from pgproof.domain.schedule import Schedule, Task, next_runs
from pgproof.domain.wording import counted
from pgproof.services.alert_conditions import BACKUP, LATE_HINT, Scene, lateness, told_late
from pgproof.services.doctor import Finding, Outcome
from pgproof.services.lateness import missed_in_every_zone
from pgproof.services.ports import Clock
from pgproof.services.ports.alerts import AlertRecords
from pgproof.services.ports.overview import OverviewRecords, QueueState
from pgproof.services.ports.schedules import ScheduleRecords

# Schedules are looked at every few seconds; a worker that has just been started anew has this long to begin.
STARTED_WITHIN = timedelta(minutes=5)
# A job that failed for a passing reason waits for minutes before it is tried again.
TAKEN_WITHIN = timedelta(minutes=30)

_RESTART = "Look at the worker's log, and start it anew."


class HealthService:
    """Each answer is a list of findings; one that fails means: not healthy. All raise `CatalogUnreachable`.

    `wanted` are the tasks that the settings have schedules for: the first thing that a scheduler does is to make them.
    """

    def __init__(
        self,
        *,
        overview: OverviewRecords,
        schedules: ScheduleRecords,
        alerts: AlertRecords,
        clock: Clock,
        wanted: Sequence[Task] = (),
    ) -> None:
        self._overview = overview
        self._schedules = schedules
        self._alerts = alerts
        self._clock = clock
        self._wanted = wanted

    def alive(self) -> Sequence[Finding]:
        """Whether workers and scheduler are at work. Only what a restart of the worker would mend fails here."""
        return [_look_at_workers(self._overview.queue_state()), *self._look_at_schedules(_look_at_schedule)]

    def look(self) -> Sequence[Finding]:
        """The same, and whether jobs are taken and the last good backup of every database is on time.

        A backup that failed is late once its time is over: that is known to be wrong, and nobody has it.
        """
        queue = self._overview.queue_state()
        return [
            _look_at_workers(queue),
            *self._look_at_schedules(_look_closer_at_schedule),
            self._look_at_jobs(queue),
            *self._look_at_backups(),
            *self._look_at_alerts(),
        ]

    def _look_at_schedules(self, look: Callable[[Schedule, datetime], Finding | None]) -> Iterator[Finding]:
        known = self._schedules.list_schedules()
        enabled = [one for one in known if one.enabled]
        now = self._clock.now()
        wrong = [finding for schedule in enabled if (finding := look(schedule, now)) is not None]
        made = {one.task for one in known if one.from_settings}
        wrong += [_unmade(task) for task in self._wanted if task not in made]
        if not any(finding.outcome is Outcome.FAIL for finding in wrong):
            yield Finding("schedules", Outcome.OK, f"{counted(len(enabled), 'schedule')}, all started in time")
        yield from wrong

    def _look_at_jobs(self, queue: QueueState) -> Finding:
        waiting, running = sum(queue.waiting.values()), sum(queue.running.values())
        detail = f"{counted(waiting, 'job')} waiting, {running} running"
        now = self._clock.now()
        untaken = {group: since for group, since in queue.untaken().items() if now - since > TAKEN_WITHIN}
        if not untaken:
            return Finding("jobs", Outcome.OK, detail)
        groups = ", ".join(sorted(untaken))
        return Finding(
            "jobs",
            Outcome.FAIL,
            f"{detail}; nobody takes those of {groups}, the oldest since {_said(min(untaken.values()))}",
            f"Start a worker for these groups ({groups}), or look at the log of the one that is there.",
        )

    def _look_at_backups(self) -> Iterator[Finding]:
        """Whether each database has its backup. Not by alerts: whoever raises them may be what stands still."""
        now = self._clock.now()
        scene = Scene(
            now=now,
            databases=self._overview.database_states(now),
            schedules=self._schedules.list_schedules(),
            last_runs={},
            rules=self._alerts.list_rules(),
            max_size=inf,
            known_late=told_late(self._alerts.list_alerts()),
        )
        late = [(state, why) for state in scene.databases if (why := lateness(scene, state)) is not None]
        if not late:
            yield Finding("backups", Outcome.OK, "no backup is late")
        for state, why in late:
            failure = state.failing.get(BACKUP)
            tried = "" if failure is None else f"; the last attempt failed: {failure.message}"
            hint = LATE_HINT if failure is None else f"See what went wrong: pgproof log {failure.subject_id}"
            yield Finding("backups", Outcome.FAIL, f"{why}{tried}", hint)

    def _look_at_alerts(self) -> Iterator[Finding]:
        for alert in self._alerts.list_alerts():
            if alert.is_open and alert.key.kind is not AlertKind.LATE:
                yield Finding("alerts", Outcome.WARN, alert.summary, alert.hint)


def _look_at_workers(queue: QueueState) -> Finding:
    if queue.workers:
        return Finding("workers", Outcome.OK, f"{counted(queue.workers, 'worker')} at work")
    return Finding("workers", Outcome.FAIL, "no worker gave a sign of life within a minute", _RESTART)


def _look_at_schedule(schedule: Schedule, now: datetime) -> Finding | None:
    if schedule.is_ahead(now):
        # A scheduler at work brings it back within seconds.
        detail = f"{schedule} is settled until {_said(schedule.settled_until)}, because a clock was ahead"
        return Finding("schedules", Outcome.FAIL, f"{detail}, and nobody has brought it back", _RESTART)
    try:
        first = next_runs(schedule.cron, schedule.zone, schedule.settled_until, 1)
    except PgproofError as error:
        # A time zone that this machine does not know may be known where the schedules are started.
        return Finding("schedules", Outcome.WARN, f"{schedule}: {error.detail}", error.hint)
    if not first or now - first[0] <= STARTED_WITHIN:
        return None
    detail = f"{schedule} was due at {_said(first[0])}, and nobody has started it"
    return Finding("schedules", Outcome.FAIL, detail, _RESTART)


def _look_closer_at_schedule(schedule: Schedule, now: datetime) -> Finding | None:
    """The same, but a time zone that is unknown here does not excuse for ever. No restart would mend that."""
    found = _look_at_schedule(schedule, now)
    if found is None or found.outcome is not Outcome.WARN:
        return found
    missed = missed_in_every_zone(schedule, now - STARTED_WITHIN)
    if missed is None:
        return found
    detail = f"{found.detail}; it was due by {_said(missed)} in any zone, and nobody has started it"
    return replace(found, outcome=Outcome.FAIL, detail=detail)


def _unmade(task: Task) -> Finding:
    detail = f"the schedule that the settings name for every {task.value} is not in the catalog: no worker has made it"
    return Finding("schedules", Outcome.FAIL, detail, _RESTART)


def _said(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
