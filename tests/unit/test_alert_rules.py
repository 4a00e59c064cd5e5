"""When an alert is told of: at its beginning, at most daily, at its end; and never every minute."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.alert import (
    QUIET,
    REMIND_AFTER,
    Alert,
    AlertKey,
    AlertKind,
    Changes,
    Condition,
    News,
    Occasion,
    progress,
)
from pgproof.domain.alert_rule import AlertRule, rule_for
from pgproof.domain.alert_text import body, title, urgent
from pgproof.domain.errors import InvalidInput

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAILED = Condition(AlertKey(AlertKind.FAILED, "shop", "backup"), "the backup failed", "look at the log")
LATE = Condition(AlertKey(AlertKind.LATE, "crm"), "crm is late")


class Memory:
    """The alerts as the catalog would hold them from one look to the next."""

    def __init__(self) -> None:
        self.alerts: dict[AlertKey, Alert] = {}
        self.told: list[tuple[datetime, Occasion]] = []

    def look(self, now: datetime, *conditions: Condition) -> Changes:
        changes = progress(list(self.alerts.values()), conditions, now)
        self.alerts |= {alert.key: alert for alert in changes.alerts}
        self.told += [(now, news.occasion) for news in changes.news]
        return changes


def test_an_alert_is_told_once_when_it_begins() -> None:
    memory = Memory()
    for minute in range(60):
        memory.look(NOW + minute * MINUTE, FAILED)
    assert memory.told == [(NOW, Occasion.BEGIN)]


def test_reminders_come_once_a_day() -> None:
    memory = Memory()
    for hour in range(72):
        memory.look(NOW + timedelta(hours=hour), FAILED)
    assert memory.told == [
        (NOW, Occasion.BEGIN),
        (NOW + REMIND_AFTER, Occasion.REMINDER),
        (NOW + 2 * REMIND_AFTER, Occasion.REMINDER),
    ]


def test_its_end_is_told_once() -> None:
    memory = Memory()
    memory.look(NOW, FAILED)
    for minute in range(1, 60):
        memory.look(NOW + minute * MINUTE)
    assert memory.told == [(NOW, Occasion.BEGIN), (NOW + MINUTE, Occasion.OVER)]


def test_what_begins_and_ends_every_minute_is_told_at_most_once_an_hour() -> None:
    memory = Memory()
    for minute in range(6 * 60):
        memory.look(NOW + minute * MINUTE, *[FAILED] * (minute % 2))
    begun = [at for at, occasion in memory.told if occasion is Occasion.BEGIN]
    assert len(begun) <= 6
    assert len(memory.told) <= 2 * len(begun)


def test_one_that_came_back_and_stays_is_told_after_all() -> None:
    memory = Memory()
    memory.look(NOW, FAILED)
    memory.look(NOW + MINUTE)
    for minute in range(2, 120):
        memory.look(NOW + minute * MINUTE, FAILED)
    assert memory.told[2:] == [(NOW + MINUTE + QUIET, Occasion.BEGIN)]


def test_alerts_do_not_disturb_each_other() -> None:
    memory = Memory()
    memory.look(NOW, FAILED)
    changes = memory.look(NOW + MINUTE, FAILED, LATE)
    assert [news.alert.key for news in changes.news] == [LATE.key]
    changes = memory.look(NOW + 2 * MINUTE, LATE)
    assert [(news.occasion, news.alert.key) for news in changes.news] == [(Occasion.OVER, FAILED.key)]


def test_a_new_wording_is_kept_and_not_told() -> None:
    memory = Memory()
    memory.look(NOW, FAILED)
    changes = memory.look(NOW + MINUTE, replace(FAILED, summary="it failed again"))
    assert changes.news == []
    assert memory.alerts[FAILED.key].summary == "it failed again"
    assert memory.alerts[FAILED.key].opened_at == NOW


@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans()), max_size=60))
def test_whatever_happens_the_last_that_was_told_is_true_after_an_hour_of_calm(steps: list[tuple[int, bool]]) -> None:
    memory, now = Memory(), NOW
    for minutes, wrong in steps:
        now += minutes * MINUTE
        memory.look(now, *[FAILED] * wrong)
    wrong = bool(steps) and steps[-1][1]
    memory.look(now + QUIET, *[FAILED] * wrong)
    told = [occasion for _, occasion in memory.told]
    assert (bool(told) and told[-1] is not Occasion.OVER) == wrong
    for (earlier, first), (later, second) in zip(memory.told, memory.told[1:], strict=False):
        assert (first is Occasion.OVER) != (second is Occasion.OVER) or second is Occasion.REMINDER
        assert second is Occasion.OVER or later - earlier >= QUIET
        assert second is not Occasion.REMINDER or later - earlier >= REMIND_AFTER


def test_the_rule_of_a_database_replaces_the_one_for_all() -> None:
    rules = [AlertRule(late_after_hours=2), AlertRule("shop", late_after_hours=3)]
    assert rule_for(rules, "shop").late_after_hours == 3
    assert rule_for(rules, "crm").late_after_hours == 2
    assert rule_for(rules, "").late_after_hours == 2
    assert rule_for([], "crm") == AlertRule()


def test_a_rule_decides_what_is_told() -> None:
    rule = AlertRule(kinds=frozenset({AlertKind.FAILED}))
    assert rule.wants(FAILED.key, Occasion.BEGIN)
    assert not rule.wants(LATE.key, Occasion.BEGIN)
    assert not rule.wants(FAILED.key, Occasion.OVER)
    assert AlertRule().wants(FAILED.key, Occasion.OVER)


@pytest.mark.parametrize(
    "values",
    [
        {"late_after_hours": 0.0},
        {"late_after_hours": float("nan")},
        {"late_after_hours": 1e9},
        {"unproven_after_days": 0},
        {"shrunken_below": 1.0},
        {"shrunken_below": -0.1},
    ],
)
def test_a_rule_with_a_senseless_limit_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InvalidInput) as caught:
        AlertRule(**values)  # type: ignore[arg-type]
    assert caught.value.hint


def news(condition: Condition, occasion: Occasion) -> News:
    closed = NOW + MINUTE if occasion is Occasion.OVER else None
    return News(occasion, Alert(condition.key, condition.summary, condition.hint, NOW, closed, told=True, told_at=NOW))


def test_a_message_about_one_alert_has_it_in_its_title() -> None:
    assert title([news(FAILED, Occasion.BEGIN)]) == "pgproof: shop failed"
    assert title([news(FAILED, Occasion.OVER)]) == "pgproof: shop recovered"
    assert body([news(FAILED, Occasion.BEGIN)], "/b") == (
        "the backup failed\nsince 2026-03-01 02:00 UTC\nlook at the log\n\nBackups in /b"
    )
    assert body([news(FAILED, Occasion.OVER)], "/b").startswith(
        "over: the backup failed\nsince 2026-03-01 02:00 UTC, until"
    )


def test_a_message_about_many_counts_them_and_names_only_some() -> None:
    many = [news(replace(FAILED, key=AlertKey(AlertKind.FAILED, f"d{n}")), Occasion.BEGIN) for n in range(60)]
    over = news(LATE, Occasion.OVER)
    assert title([*many, over]) == "pgproof: 60 problems, 1 over"
    text = body([over, *many], "/b")
    assert "And 11 more: pgproof notify list" in text
    assert "over:" not in text


def test_only_what_is_wrong_is_urgent() -> None:
    assert urgent([news(FAILED, Occasion.OVER), news(LATE, Occasion.REMINDER)])
    assert not urgent([news(FAILED, Occasion.OVER)])


def test_characters_that_steer_a_terminal_do_not_reach_a_message() -> None:
    strange = Condition(AlertKey(AlertKind.FAILED, "a\x1bb"), "said \x1b[31m\nBcc: me")
    assert "\x1b" not in title([news(strange, Occasion.BEGIN)]) + body([news(strange, Occasion.BEGIN)], "/b")
    assert "\n" not in title([news(strange, Occasion.BEGIN)])
