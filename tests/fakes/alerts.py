"""Alerts in memory, held to the same contract as the real ones, and receivers that do as they are told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from pgproof.domain.alert import Alert, AlertKey, Changes
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.errors import InvalidInput, NotificationFailed
from pgproof.domain.secret import Secret
from pgproof.services.ports.alerts import Notice


@dataclass
class StoredNotice:
    notice: Notice
    next_at: datetime | None
    sent_at: datetime | None = None
    problem: str = ""


@dataclass
class MemoryAlerts:
    stored: dict[int, StoredNotice] = field(default_factory=dict)
    _alerts: dict[AlertKey, Alert] = field(default_factory=dict)
    _rules: dict[str | None, AlertRule] = field(default_factory=dict)
    _told_at: datetime | None = None
    _mutex: RLock = field(default_factory=RLock)

    def list_alerts(self) -> Sequence[Alert]:
        return sorted(self._alerts.values(), key=lambda one: (one.key.database, one.key.kind, one.key.about))

    def change_alerts(self, change: Callable[[Sequence[Alert]], Changes]) -> Changes:
        with self._mutex:
            changes = change(self.list_alerts())
            for alert in changes.alerts:
                self._alerts[alert.key] = alert
            for news in changes.news:
                at = news.alert.told_at
                assert at is not None
                number = len(self.stored) + 1
                self.stored[number] = StoredNotice(Notice(number, news, at), at)
            return changes

    def claim_notices(self, now: datetime, until: datetime, limit: int) -> Sequence[Notice]:
        with self._mutex:
            due = [one for one in self.stored.values() if one.next_at is not None and one.next_at <= now][:limit]
            for one in due:
                one.next_at = until
            return [one.notice for one in due]

    def settle_notice(
        self, notice: Notice, *, sent_at: datetime | None, next_at: datetime | None, problem: str
    ) -> None:
        if notice.id in self.stored:
            self.stored[notice.id] = StoredNotice(notice, next_at, sent_at, problem)

    def forget_notices(self, before: datetime) -> None:
        self.stored = {key: one for key, one in self.stored.items() if one.notice.created_at >= before}
        self._alerts = {
            key: one for key, one in self._alerts.items() if one.closed_at is None or one.closed_at >= before
        }

    def list_rules(self) -> Sequence[AlertRule]:
        return [self._rules[key] for key in sorted(self._rules, key=lambda name: name or "")]

    def save_rule(self, rule: AlertRule) -> None:
        self._rules[rule.database] = rule

    def remove_rule(self, database: str | None) -> bool:
        return self._rules.pop(database, None) is not None

    def last_heartbeat(self) -> datetime | None:
        return self._told_at

    def save_heartbeat(self, at: datetime) -> None:
        self._told_at = at if self._told_at is None else max(self._told_at, at)


@dataclass
class Inbox:
    """A notifier: what it was sent. A URL in `broken` does not arrive; `bad` ones are none at all."""

    messages: list[tuple[str, str, str]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)

    def check(self, url: Secret) -> None:
        if url.reveal() in self.bad:
            raise InvalidInput("nothing can be sent to this URL")

    def send(self, url: Secret, title: str, body: str, *, urgent: bool) -> None:
        if url.reveal() in self.broken:
            raise NotificationFailed("the service did not take it")
        self.messages.append((url.reveal(), title, body))

    @property
    def titles(self) -> list[str]:
        return [title for _, title, _ in self.messages]


@dataclass
class Beats:
    """A dead man's switch."""

    count: int = 0
    broken: bool = False

    def ping(self, url: Secret) -> None:
        if self.broken:
            raise NotificationFailed("there was no answer")
        self.count += 1
