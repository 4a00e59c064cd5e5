"""Alerts: seeing what is wrong, telling of it, and telling a dead man's switch that all is well."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from pgproof.domain.alert import Alert, AlertKind, Changes, Condition, progress
from pgproof.domain.alert_rule import AlertRule, rule_for
from pgproof.domain.errors import NotFound, NotificationFailed
from pgproof.domain.secret import Secret
from pgproof.domain.wording import in_quotes
from pgproof.services.abandoning import left_behind
from pgproof.services.alert_conditions import BACKUP, Scene, conditions, told_late
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import Catalog, Clock
from pgproof.services.ports.alerts import AlertRecords, Heartbeat, Notifier
from pgproof.services.ports.overview import DatabaseState, OverviewRecords
from pgproof.services.ports.schedules import ScheduleRecords
from pgproof.services.storage_watch import StorageWatch
from pgproof.services.telling import Delivery, Telling

_KEPT = timedelta(days=90)
_log = logging.getLogger(__name__)


class AlertService:
    """Everything follows from what the catalog holds, so it survives restarts, and any worker may look.

    `max_size` is in bytes. Nothing here is done by the threads that do jobs.
    """

    def __init__(
        self,
        *,
        records: AlertRecords,
        overview: OverviewRecords,
        schedules: ScheduleRecords,
        databases: DatabaseService,
        storage_watch: StorageWatch,
        telling: Telling,
        notifier: Notifier,
        heartbeat: Heartbeat,
        heartbeat_url: Secret | None,
        clock: Clock,
        max_size: float,
        catalog: Catalog,
    ) -> None:
        self._records = records
        self._overview = overview
        self._schedules = schedules
        self._databases = databases
        self._storage_watch = storage_watch
        self._telling = telling
        self._notifier = notifier
        self._heartbeat = heartbeat
        self._heartbeat_url = heartbeat_url
        self._clock = clock
        self._max_size = max_size
        self._catalog = catalog

    def check(self) -> int:
        """Look at everything, keep what has begun or is over, and send a heartbeat; the number of news."""
        now = self._clock.now()
        scene = Scene(
            now=now,
            databases=self._overview.database_states(now),
            schedules=self._schedules.list_schedules(),
            last_runs=self._schedules.last_runs(),
            rules=self._records.list_rules(),
            max_size=self._max_size,
            failing_cleanup=self._overview.failing_cleanup(),
            left_behind=left_behind(self._catalog),
            known_late=told_late(self._records.list_alerts()),
        )
        largest = max((state.last.size or 0 for state in scene.databases if state.last), default=0)
        found = [*conditions(scene), *self._storage_watch.conditions(2 * largest)]
        changes = self._records.change_alerts(partial(self._changes, found, now))
        self._records.forget_notices(now - _KEPT)
        self._beat(scene.databases, found)
        return len(changes.news)

    def tells_somebody(self) -> bool:
        """Whether the settings or a rule name anybody; without that, nothing is ever sent."""
        return self._telling.knows_somebody(self._records.list_rules())

    def deliver(self) -> int:
        """Send what is to be told; the number of notices that arrived. What did not is tried again later."""
        return self._telling.deliver()

    def list_open(self) -> Sequence[Alert]:
        """What is wrong, as the last check saw it."""
        return [alert for alert in self._records.list_alerts() if alert.is_open]

    def test(self, urls: Sequence[Secret] = ()) -> Sequence[Delivery]:
        """Send a test message to each URL, or to those of the settings. Raises `InvalidInput` for a bad one."""
        for url in urls:
            self._notifier.check(url)
        return self._telling.test(urls)

    def rules(self) -> Sequence[AlertRule]:
        """The rules that were made, the one for all others first."""
        return self._records.list_rules()

    def rule(self, database: str | None) -> AlertRule:
        """The rule that holds for a database, or for all that have none of their own."""
        return rule_for(self._records.list_rules(), database or "")

    def set_rule(self, rule: AlertRule) -> AlertRule:
        """Keep a rule; it replaces the one of the same database.

        Raises `NotFound` for a database that is not registered, `InvalidInput` for a URL that cannot be used.
        """
        if rule.database is not None and rule.database not in self._databases.groups():
            raise NotFound(
                f"no database named {in_quotes(rule.database)} is registered",
                hint="`pgproof database list` shows the registered ones.",
            )
        for url in rule.urls:
            self._notifier.check(url)
        self._records.save_rule(rule)
        return rule

    def remove_rule(self, database: str | None) -> None:
        """Forget a rule. Raises `NotFound` if there is none."""
        if not self._records.remove_rule(database):
            whose = "all databases" if database is None else in_quotes(database)
            raise NotFound(f"there is no rule for {whose}", hint="`pgproof notify rules` shows all of them.")

    def _changes(self, found: Sequence[Condition], now: datetime, known: Sequence[Alert]) -> Changes:
        judged = [
            one for one in known if one.key.kind is not AlertKind.STORAGE or self._storage_watch.can_judge(one, now)
        ]
        return progress(judged, found, now)

    def _beat(self, states: Sequence[DatabaseState], found: Sequence[Condition]) -> None:
        """Tell of the newest success, unless some database has none: then silence is the alarm."""
        successes = [state.last.completed_at for state in states if state.last is not None and state.known_since]
        if self._heartbeat_url is None or not successes or any(_silences(one) for one in found):
            return
        newest, told = max(successes), self._records.last_heartbeat()
        if told is not None and newest <= told:
            return
        try:
            self._heartbeat.ping(self._heartbeat_url)
        except NotificationFailed as error:
            _log.warning("the heartbeat did not arrive, and is sent again: %s", error.detail)
        else:
            self._records.save_heartbeat(newest)


def _silences(condition: Condition) -> bool:
    key = condition.key
    return key.kind is AlertKind.LATE or (key.kind is AlertKind.FAILED and key.about == BACKUP)
