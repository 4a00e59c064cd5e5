"""The part of the catalog that knows alerts, what is told of them, and who is told."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pgproof.adapters.catalog.alert_models import AlertRow, HeartbeatRow, NoticeRow, RuleRow
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.transactions import Records, Transactions
from pgproof.domain.alert import Alert, AlertKey, AlertKind, Changes, News, Occasion
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.errors import ConfigurationError
from pgproof.domain.secret import LostSecret, Secret
from pgproof.services.ports import Seal
from pgproof.services.ports.alerts import Notice

# Whoever looks at the alerts waits for whoever looked before: what is told follows from what was told.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(1885824364)"
_BY_KEY = (AlertRow.database, AlertRow.kind, AlertRow.about)
_THE_ROW = 1


class AlertRecords(Records):
    """See the port `AlertRecords`."""

    def __init__(self, transactions: Transactions, seal: Seal) -> None:
        super().__init__(transactions)
        self._seal = seal

    def list_alerts(self) -> Sequence[Alert]:
        """Open ones and those that were, by database and kind."""
        with self._transactions() as session:
            return _by_key(_to_alert(row) for row in session.scalars(select(AlertRow)))

    def change_alerts(self, change: Callable[[Sequence[Alert]], Changes]) -> Changes:
        """Store what `change` makes of all alerts, and its news as notices; nobody changes any in between."""
        with self._transactions() as session:
            session.execute(text(_ONE_AT_A_TIME))
            changes = change(_by_key(_to_alert(row) for row in session.scalars(select(AlertRow))))
            if changes.alerts:
                rows = insert(AlertRow).values([_alert_values(alert) for alert in changes.alerts])
                session.execute(
                    rows.on_conflict_do_update(
                        constraint="one_alert_for_each_key",
                        set_={
                            name: rows.excluded[name]
                            for name in ("summary", "hint", "opened_at", "closed_at", "told", "told_at")
                        },
                    )
                )
            if changes.news:
                session.execute(insert(NoticeRow), [_notice_values(news) for news in changes.news])
        return changes

    def claim_notices(self, now: datetime, until: datetime, limit: int) -> Sequence[Notice]:
        """The oldest unsent notices that are due; until then nobody else gets them."""
        due = (
            select(NoticeRow.id)
            .where(NoticeRow.next_at <= now)
            .order_by(NoticeRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = update(NoticeRow).where(NoticeRow.id.in_(due)).values(next_at=until).returning(NoticeRow)
        with self._transactions() as session:
            return sorted((_to_notice(row) for row in session.scalars(statement)), key=lambda notice: notice.id)

    def settle_notice(
        self, notice: Notice, *, sent_at: datetime | None, next_at: datetime | None, problem: str
    ) -> None:
        """Keep what became of a claimed notice."""
        values = {
            "sent_at": sent_at,
            "next_at": next_at,
            "problem": problem,
            "attempts": notice.attempts,
            "delivered": sorted(notice.delivered),
        }
        with self._transactions() as session:
            session.execute(update(NoticeRow).where(NoticeRow.id == notice.id).values(**clean(values)))

    def forget_notices(self, before: datetime) -> None:
        """Forget the notices that were made before that moment, and alerts that were over before it."""
        with self._transactions() as session:
            session.execute(delete(NoticeRow).where(NoticeRow.created_at < before))
            session.execute(delete(AlertRow).where(AlertRow.closed_at < before))

    def list_rules(self) -> Sequence[AlertRule]:
        """All rules, the one without a database first."""
        with self._transactions() as session:
            rules = [self._to_rule(row) for row in session.scalars(select(RuleRow))]
        return sorted(rules, key=lambda rule: rule.database or "")

    def save_rule(self, rule: AlertRule) -> None:
        """Store a rule; it replaces the one of the same database. Its URLs are stored sealed."""
        urls = "\n".join(url.reveal() for url in rule.urls)
        values = {
            "kinds": sorted(kind.value for kind in rule.kinds),
            "urls_sealed": self._seal.seal(urls) if urls else None,
            "late_after_hours": rule.late_after_hours,
            "unproven_after_days": rule.unproven_after_days,
            "shrunken_below": rule.shrunken_below,
        }
        statement = insert(RuleRow).values(database=clean(rule.database or ""), **values)
        with self._transactions() as session:
            session.execute(statement.on_conflict_do_update(constraint="one_rule_for_each_database", set_=values))

    def remove_rule(self, database: str | None) -> bool:
        """Forget a rule; whether there was one."""
        statement = delete(RuleRow).where(RuleRow.database == clean(database or "")).returning(RuleRow.id)
        with self._transactions() as session:
            return session.scalar(statement) is not None

    def last_heartbeat(self) -> datetime | None:
        """The success that was last told to who waits for heartbeats."""
        with self._transactions() as session:
            return session.scalar(select(HeartbeatRow.told_at))

    def save_heartbeat(self, at: datetime) -> None:
        """Keep that this success was told; never an earlier one than is kept."""
        statement = insert(HeartbeatRow).values(id=_THE_ROW, told_at=at)
        with self._transactions() as session:
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["id"],
                    set_={"told_at": statement.excluded.told_at},
                    where=HeartbeatRow.told_at < statement.excluded.told_at,
                )
            )

    def _to_rule(self, row: RuleRow) -> AlertRule:
        return AlertRule(
            database=row.database or None,
            kinds=frozenset(map(AlertKind, row.kinds)),
            urls=() if row.urls_sealed is None else self._opened(row.urls_sealed),
            late_after_hours=row.late_after_hours,
            unproven_after_days=row.unproven_after_days,
            shrunken_below=row.shrunken_below,
        )

    def _opened(self, sealed: bytes) -> tuple[Secret, ...]:
        try:
            return tuple(map(Secret, self._seal.open(sealed).splitlines()))
        except ConfigurationError:  # the other rules, and whom the settings name, are to be told all the same
            return (LostSecret(partial(self._seal.open, sealed)),)


def _by_key(alerts: Any) -> Sequence[Alert]:
    # Sorted here: the server's collation differs from machine to machine.
    return sorted(alerts, key=lambda alert: (alert.key.database, alert.key.kind, alert.key.about))


def _key_values(key: AlertKey) -> dict[str, Any]:
    return {"kind": key.kind.value, "database": key.database, "about": key.about}


def _alert_values(alert: Alert) -> dict[str, Any]:
    values: dict[str, Any] = clean(
        {
            **_key_values(alert.key),
            "summary": alert.summary,
            "hint": alert.hint,
            "opened_at": alert.opened_at,
            "closed_at": alert.closed_at,
            "told": alert.told,
            "told_at": alert.told_at,
        }
    )
    return values


def _notice_values(news: News) -> dict[str, Any]:
    alert = news.alert
    values: dict[str, Any] = clean(
        {
            **_key_values(alert.key),
            "occasion": news.occasion.value,
            "summary": alert.summary,
            "hint": alert.hint,
            "opened_at": alert.opened_at,
            "closed_at": alert.closed_at,
            "created_at": alert.told_at,
            "next_at": alert.told_at,
        }
    )
    return values


def _to_alert(row: AlertRow) -> Alert:
    return Alert(
        key=AlertKey(AlertKind(row.kind), row.database, row.about),
        summary=row.summary,
        hint=row.hint,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        told=row.told,
        told_at=row.told_at,
    )


def _to_notice(row: NoticeRow) -> Notice:
    occasion = Occasion(row.occasion)
    alert = Alert(
        key=AlertKey(AlertKind(row.kind), row.database, row.about),
        summary=row.summary,
        hint=row.hint,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        told=occasion is not Occasion.OVER,
        told_at=row.created_at,
    )
    return Notice(row.id, News(occasion, alert), row.created_at, row.attempts, frozenset(row.delivered))
