"""An alert: something that somebody must know of, from when it is so until it is over.

`progress` decides what is told, and when: at the beginning, then at most once a day, and at the end. What begins and
ends again and again is told at most once an hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

REMIND_AFTER = timedelta(days=1)
QUIET = timedelta(hours=1)


class AlertKind(StrEnum):
    """What is wrong. `recovered` is no state: it is the word for being told that one is over."""

    FAILED = "failed"
    LATE = "late"
    SHRUNKEN = "shrunken"
    OVERSIZED = "oversized"
    UNPROVEN = "unproven"
    STORAGE = "storage"
    RECOVERED = "recovered"


class Occasion(StrEnum):
    """Why something is told."""

    BEGIN = "begin"
    REMINDER = "reminder"
    OVER = "over"


@dataclass(frozen=True)
class AlertKey:
    """What tells one alert from another. `database` is empty for what concerns all; `about` is a kind of work."""

    kind: AlertKind
    database: str = ""
    about: str = ""


@dataclass(frozen=True)
class Condition:
    """Something is wrong now. `summary` says what, in one line; `hint` what to do about it."""

    key: AlertKey
    summary: str
    hint: str = ""


@dataclass(frozen=True)
class Alert:
    """A row of the catalog's `alerts`. `told` says whether the last that was told of it is that it is so."""

    key: AlertKey
    summary: str
    hint: str
    opened_at: datetime
    closed_at: datetime | None = None
    told: bool = False
    told_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is so now."""
        return self.closed_at is None


@dataclass(frozen=True)
class News:
    """Something to be told: an alert, and why now."""

    occasion: Occasion
    alert: Alert


@dataclass(frozen=True)
class Changes:
    """What a look has changed: alerts to be stored, and news to be told."""

    alerts: Sequence[Alert]
    news: Sequence[News]


def progress(known: Sequence[Alert], conditions: Sequence[Condition], now: datetime) -> Changes:
    """What becomes of the known alerts when exactly these conditions hold now."""
    before: Mapping[AlertKey, Alert] = {alert.key: alert for alert in known}
    present = {condition.key: condition for condition in conditions}
    alerts: list[Alert] = []
    news: list[News] = []
    for key in sorted(before.keys() | present.keys(), key=lambda one: (one.database, one.kind, one.about)):
        alert, occasion = _step(before.get(key), present.get(key), now)
        if occasion is not None and alert is not None:
            alert = replace(alert, told=occasion is not Occasion.OVER, told_at=now)
            news.append(News(occasion, alert))
        if alert is not None and alert != before.get(key):
            alerts.append(alert)
    return Changes(alerts, news)


def _step(alert: Alert | None, condition: Condition | None, now: datetime) -> tuple[Alert | None, Occasion | None]:
    if condition is None:
        if alert is None or not alert.is_open:
            return alert, None
        return replace(alert, closed_at=now), Occasion.OVER if alert.told else None
    if alert is None:
        return Alert(condition.key, condition.summary, condition.hint, now), Occasion.BEGIN
    opened_at = alert.opened_at if alert.is_open else now
    alert = replace(alert, summary=condition.summary, hint=condition.hint, opened_at=opened_at, closed_at=None)
    silent = timedelta.max if alert.told_at is None else now - alert.told_at
    if alert.told:
        return alert, Occasion.REMINDER if silent >= REMIND_AFTER else None
    return alert, Occasion.BEGIN if silent >= QUIET else None
