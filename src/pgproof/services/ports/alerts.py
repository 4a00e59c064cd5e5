"""The record of alerts and of what is to be told of them, and the ways to tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pgproof.domain.alert import Alert, Changes, News
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.secret import Secret


@dataclass(frozen=True)
class Notice:
    """News that are still to be sent. `delivered` are the targets that have it; `attempts` counts those that failed."""

    id: int
    news: News
    created_at: datetime
    attempts: int = 0
    delivered: frozenset[str] = frozenset()


class AlertRecords(Protocol):
    """The record of alerts. Every method is one short transaction; all raise `CatalogUnreachable`."""

    def list_alerts(self) -> Sequence[Alert]:
        """Open ones and those that were, by database and kind."""

    def change_alerts(self, change: Callable[[Sequence[Alert]], Changes]) -> Changes:
        """Store what `change` makes of all alerts, and its news as notices; nobody changes any in between."""

    def claim_notices(self, now: datetime, until: datetime, limit: int) -> Sequence[Notice]:
        """The oldest unsent notices that are due; until then nobody else gets them, and after that anybody may."""

    def settle_notice(
        self, notice: Notice, *, sent_at: datetime | None, next_at: datetime | None, problem: str
    ) -> None:
        """Keep what became of a claimed notice: sent, to be tried again at `next_at`, or with neither given up."""

    def forget_notices(self, before: datetime) -> None:
        """Forget the notices that were made before that moment, and alerts that were over before it."""

    def list_rules(self) -> Sequence[AlertRule]:
        """All rules, the one without a database first."""

    def save_rule(self, rule: AlertRule) -> None:
        """Store a rule; it replaces the one of the same database. Its URLs are stored sealed."""

    def remove_rule(self, database: str | None) -> bool:
        """Forget a rule; whether there was one."""

    def last_heartbeat(self) -> datetime | None:
        """The success that was last told to who waits for heartbeats."""

    def save_heartbeat(self, at: datetime) -> None:
        """Keep that this success was told; never an earlier one than is kept."""


class Notifier(Protocol):
    """Sends messages to people."""

    def check(self, url: Secret) -> None:
        """Raise `InvalidInput`, without the URL's secrets, for one that nothing can be sent to."""

    def send(self, url: Secret, title: str, body: str, *, urgent: bool) -> None:
        """Send a message. Raises `NotificationFailed` if it did not arrive, also after too long a time."""


class Heartbeat(Protocol):
    """Tells a dead man's switch that all is well."""

    def ping(self, url: Secret) -> None:
        """Fetch the URL. Raises `NotificationFailed` unless the answer says that it worked."""
