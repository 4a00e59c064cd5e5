"""Alerts, the rules for them, and test messages, as the API shows them. The secrets of URLs never come back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from pgproof.domain.alert import Alert, AlertKind
from pgproof.domain.alert_rule import EVERYTHING, SHRUNKEN_BELOW, UNPROVEN_AFTER_DAYS, AlertRule
from pgproof.domain.secret import Secret
from pgproof.entrypoints.http.fields import DatabaseName, Fraction, Number, Request, Text
from pgproof.services.telling import Delivery, shown

_Url = Annotated[Text, Field(min_length=1, max_length=2000, examples=["mailtos://user:password@example.org"])]
_Urls = Annotated[list[_Url], Field(max_length=20)]


class SetRule(Request):
    """Who is told of what. Without a database: for all that have no rule of their own."""

    database: DatabaseName | None = Field(default=None, description="A registered database.")
    kinds: list[AlertKind] = Field(default=sorted(EVERYTHING), description="Only these are told of.")
    urls: _Urls = Field(default=[], description="Told beside those of the settings; as Apprise writes them.")
    late_after_hours: Annotated[Fraction, Field(gt=0, le=8784)] | None = Field(
        default=None, description="Late when the last success is older; else when a scheduled backup has not come."
    )
    unproven_after_days: Annotated[Number, Field(ge=1, le=3660)] = Field(
        default=UNPROVEN_AFTER_DAYS, description="Unproven when no restore test has passed for so long."
    )
    shrunken_below: Annotated[Fraction, Field(ge=0, lt=1)] = Field(
        default=SHRUNKEN_BELOW, description="Shrunken below this share of the usual size or rows; 0 is never."
    )


class RuleQuery(Request):
    """Which rule; without a database the one for all others."""

    database: DatabaseName | None = Field(default=None, description="A registered database.")


class RuleView(BaseModel):
    """A rule. Of URLs only the kind is shown: the rest of them is mostly a secret."""

    database: str | None
    kinds: list[AlertKind]
    urls: list[str]
    late_after_hours: float | None
    unproven_after_days: int
    shrunken_below: float


class RuleList(BaseModel):
    """All rules, the one for all others first."""

    rules: list[RuleView]


class AlertView(BaseModel):
    """Something that is wrong now."""

    kind: AlertKind
    database: str | None
    summary: str
    hint: str
    opened_at: datetime


class AlertList(BaseModel):
    """What is wrong, as the last check saw it."""

    alerts: list[AlertView]


class SendTest(Request):
    """Where to send a test message; without URLs to those of the settings."""

    urls: _Urls = Field(default=[], description="As Apprise writes them.")


class DeliveryView(BaseModel):
    """Whether a message arrived; else `problem` says why not."""

    target: str
    sent: bool
    problem: str | None


class DeliveryList(BaseModel):
    """How each of the messages went."""

    deliveries: list[DeliveryView]


def rule_of(body: SetRule) -> AlertRule:
    """The rule that a request means. Raises `InvalidInput`."""
    return AlertRule(
        database=body.database,
        kinds=frozenset(body.kinds),
        urls=tuple(Secret(url) for url in body.urls),
        late_after_hours=body.late_after_hours,
        unproven_after_days=body.unproven_after_days,
        shrunken_below=body.shrunken_below,
    )


def rule_view(rule: AlertRule) -> RuleView:
    """A rule without secrets."""
    return RuleView(
        database=rule.database,
        kinds=sorted(rule.kinds),
        urls=[shown(url) for url in rule.urls],
        late_after_hours=rule.late_after_hours,
        unproven_after_days=rule.unproven_after_days,
        shrunken_below=rule.shrunken_below,
    )


def alert_view(alert: Alert) -> AlertView:
    """An open alert."""
    return AlertView(
        kind=alert.key.kind,
        database=alert.key.database or None,
        summary=alert.summary,
        hint=alert.hint,
        opened_at=alert.opened_at,
    )


def deliveries(found: Sequence[Delivery]) -> DeliveryList:
    """How each of the messages went."""
    return DeliveryList(
        deliveries=[
            DeliveryView(
                target=one.target, sent=one.problem is None, problem=None if one.problem is None else one.problem.detail
            )
            for one in found
        ]
    )
