"""What every record of alerts promises: the same of the one in memory and of PostgreSQL's."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.alert_records import AlertRecords as PostgresAlerts
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.alert import Alert, AlertKey, AlertKind, Changes, News, Occasion
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.secret import Secret
from pgproof.services.ports.alerts import AlertRecords, Notice
from tests.fakes.alerts import MemoryAlerts

NOW = datetime(2026, 3, 1, 2, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
KEY = AlertKey(AlertKind.FAILED, 'odd "näme"', "backup")
ALERT = Alert(KEY, "the backup failed: it's \\ gone", "a hint", NOW, told=True, told_at=NOW)


@pytest.fixture(params=["memory", "postgres"])
def records(request: pytest.FixtureRequest) -> Iterator[AlertRecords]:
    if request.param == "memory":
        yield MemoryAlerts()
    else:
        catalog: PostgresCatalog = request.getfixturevalue("catalog")
        yield PostgresAlerts(catalog.transactions, FernetSeal(Secret("a secret of the tests")))


def tell(records: AlertRecords, *alerts: Alert, occasion: Occasion = Occasion.BEGIN) -> None:
    records.change_alerts(lambda _: Changes(alerts, [News(occasion, alert) for alert in alerts]))


def other(database: str) -> Alert:
    return replace(ALERT, key=replace(KEY, database=database))


def test_every_field_of_an_alert_is_kept(records: AlertRecords) -> None:
    closed = replace(other("b"), closed_at=LATER, told=False)
    tell(records, closed, ALERT)
    assert list(records.list_alerts()) == [closed, ALERT]


def test_an_alert_is_changed_and_not_doubled(records: AlertRecords) -> None:
    tell(records, ALERT)
    changed = replace(ALERT, summary="another", hint="", opened_at=LATER, closed_at=LATER, told=False, told_at=None)
    seen: list[Sequence[Alert]] = []

    def change(known: Sequence[Alert]) -> Changes:
        seen.append(known)
        return Changes([changed], [])

    assert records.change_alerts(change).alerts == [changed]
    assert list(seen[0]) == [ALERT]
    assert list(records.list_alerts()) == [changed]


def test_a_change_that_fails_keeps_nothing(records: AlertRecords) -> None:
    def fail(_: Sequence[Alert]) -> Changes:
        raise KeyError

    with pytest.raises(KeyError):
        records.change_alerts(fail)
    assert list(records.list_alerts()) == []


def test_news_become_notices_with_the_alert_of_that_moment(records: AlertRecords) -> None:
    tell(records, ALERT)
    records.change_alerts(lambda _: Changes([replace(ALERT, summary="later")], []))
    (notice,) = records.claim_notices(NOW, LATER, 10)
    assert notice == Notice(notice.id, News(Occasion.BEGIN, ALERT), NOW)


def test_a_claimed_notice_is_nobody_elses_until_the_time_is_up(records: AlertRecords) -> None:
    tell(records, ALERT)
    assert len(records.claim_notices(NOW, LATER, 10)) == 1
    assert len(records.claim_notices(LATER - MINUTE, LATER, 10)) == 0
    assert len(records.claim_notices(LATER, LATER + MINUTE, 10)) == 1


def test_the_oldest_notices_come_first_and_no_more_than_wanted(records: AlertRecords) -> None:
    for name in ("c", "a", "b"):
        tell(records, other(name))
    claimed = records.claim_notices(NOW, LATER, 2)
    assert [notice.news.alert.key.database for notice in claimed] == ["c", "a"]
    assert [notice.news.alert.key.database for notice in records.claim_notices(NOW, LATER, 2)] == ["b"]


def test_a_sent_notice_is_not_sent_again(records: AlertRecords) -> None:
    tell(records, ALERT)
    (notice,) = records.claim_notices(NOW, LATER, 10)
    records.settle_notice(notice, sent_at=NOW, next_at=None, problem="")
    assert len(records.claim_notices(LATER + MINUTE, LATER, 10)) == 0


def test_one_that_did_not_arrive_comes_again_and_knows_who_has_it(records: AlertRecords) -> None:
    tell(records, ALERT)
    (notice,) = records.claim_notices(NOW, LATER, 10)
    tried = replace(notice, attempts=1, delivered=frozenset({"abc", "def"}))
    records.settle_notice(tried, sent_at=None, next_at=NOW + MINUTE, problem="not delivered")
    assert len(records.claim_notices(NOW, LATER, 10)) == 0
    assert list(records.claim_notices(NOW + MINUTE, LATER, 10)) == [tried]


def test_old_notices_and_alerts_that_are_over_are_forgotten_and_open_ones_are_not(records: AlertRecords) -> None:
    over = replace(other("over"), closed_at=NOW)
    tell(records, ALERT, over)
    records.forget_notices(NOW)
    assert len(records.list_alerts()) == 2
    records.forget_notices(LATER)
    assert list(records.list_alerts()) == [ALERT]
    assert len(records.claim_notices(LATER, LATER, 10)) == 0


def test_every_field_of_a_rule_is_kept_and_the_one_for_all_comes_first(records: AlertRecords) -> None:
    urls = (Secret("json://a:b@host/p,q"), Secret("mailto://x"))
    special = AlertRule("shop", frozenset({AlertKind.LATE}), urls, 1.5, 3, 0.25)
    records.save_rule(special)
    records.save_rule(AlertRule())
    assert list(records.list_rules()) == [AlertRule(), special]


def test_a_rule_replaces_the_one_of_the_same_database(records: AlertRecords) -> None:
    for hours in (1.0, 2.0, None):
        records.save_rule(AlertRule("shop", late_after_hours=hours))
        records.save_rule(AlertRule(late_after_hours=hours))
    assert [rule.late_after_hours for rule in records.list_rules()] == [None, None]


def test_a_removed_rule_is_gone_and_one_that_is_not_there_is_told(records: AlertRecords) -> None:
    records.save_rule(AlertRule("shop"))
    records.save_rule(AlertRule())
    assert records.remove_rule("shop")
    assert not records.remove_rule("shop")
    assert records.remove_rule(None)
    assert list(records.list_rules()) == []


def test_the_last_heartbeat_is_kept_and_never_goes_back(records: AlertRecords) -> None:
    assert records.last_heartbeat() is None
    for at in (NOW, LATER, NOW):
        records.save_heartbeat(at)
    assert records.last_heartbeat() == LATER
