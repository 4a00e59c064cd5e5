"""`/api/admin/notifications`: what is wrong, and who is told of it."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from pgproof.domain.secret import Secret
from pgproof.entrypoints.http.dependencies import Configurer, Looker, RuleRemover
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.backups import Message
from pgproof.entrypoints.http.schemas.notifications import (
    AlertList,
    DeliveryList,
    RuleList,
    RuleQuery,
    RuleView,
    SendTest,
    SetRule,
    alert_view,
    deliveries,
    rule_of,
    rule_view,
)

router = APIRouter(prefix="/api/admin/notifications", tags=["notifications"])


@router.get("/alerts")
def list_alerts(context: Looker) -> AlertList:
    """List what is wrong, as the last check saw it."""
    return AlertList(alerts=[alert_view(alert) for alert in context.app.alerts.list_open()])


@router.get("/rules")
def list_rules(context: Configurer) -> RuleList:
    """List the rules that were made, the one for all others first."""
    return RuleList(rules=[rule_view(rule) for rule in context.app.alerts.rules()])


@router.put("/rules", responses=problems(404, 413))
def set_rule(context: Configurer, body: SetRule) -> RuleView:
    """Make a rule, or replace the one of the same database."""
    said = body.model_dump(mode="json", exclude={"urls"}, exclude_unset=True)
    with context.audited("notification.rule", body.database or "", urls=len(body.urls), **said):
        return rule_view(context.app.alerts.set_rule(rule_of(body)))


@router.delete("/rules", responses=problems(404))
def remove_rule(context: RuleRemover, query: Annotated[RuleQuery, Query()]) -> Message:
    """Forget the rule of a database, or without one the rule for all others."""
    with context.audited("notification.forget_rule", query.database or ""):
        context.app.alerts.remove_rule(query.database)
    return Message(message=f"the rule for {query.database or 'all others'} is removed")


@router.post("/test", responses=problems(413))
def send_test(context: Configurer, body: Annotated[SendTest | None, Body()] = None) -> DeliveryList:
    """Send a test message, and tell whether it arrived."""
    urls = [Secret(url) for url in (body.urls if body else ())]
    with context.audited("notification.test", urls=len(urls)):
        return deliveries(context.app.alerts.test(urls))
