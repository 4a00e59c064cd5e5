"""Alerts from being seen to being told."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from pgproof.domain.alert import AlertKind
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.errors import ConfigurationError, InvalidInput, NotFound
from pgproof.domain.schedule import NewSchedule, Task
from pgproof.domain.secret import LostSecret, Secret
from pgproof.services.alerts import AlertService
from pgproof.services.ports.overview import DatabaseState, LastBackup, LastFailure
from pgproof.services.storage_watch import StorageWatch
from pgproof.services.telling import Telling
from tests.command_line import NOW, FakeClock
from tests.fakes.alerts import Beats, Inbox, MemoryAlerts
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.schedules import MemorySchedules
from tests.fakes.storage import MemoryStorage

MAIL, CHAT, EXTRA = Secret("mailto://u:password@host"), Secret("slack://token/a"), Secret("json://extra")
LONG_AGO = NOW - timedelta(days=100)
DONE = LastBackup(1, NOW - timedelta(hours=1), size=1)
FAILURE = LastFailure(NOW, "dump_failed", "pg_dump ended with 1", 2)
HOUR, DAY = 3600, 86_400


class States:
    """What the overview would say."""

    def __init__(self) -> None:
        self.states = {name: DatabaseState(name, LONG_AGO, 1, 1, DONE) for name in ("shop", "crm")}

    def database_states(self, _: datetime) -> list[DatabaseState]:
        return list(self.states.values())

    def failing_cleanup(self) -> LastFailure | None:
        return None


class World:
    """Alerts on fakes."""

    def __init__(self, *urls: Secret, heartbeat: bool = False) -> None:
        self.clock = FakeClock()
        self.records = MemoryAlerts()
        self.overview = States()
        self.schedules = MemorySchedules()
        self.storage = MemoryStorage()
        self.catalog = MemoryCatalog()
        self.inbox, self.beats = Inbox(), Beats()
        self.heartbeat_url = Secret("https://beats/token") if heartbeat else None
        self.service = self.worker(*urls)

    def worker(self, *urls: Secret, host: str = "here", storage: MemoryStorage | None = None) -> AlertService:
        databases: Any = type("Databases", (), {"groups": lambda _: {"shop": "default", "crm": "default"}})()
        return AlertService(
            records=self.records,
            overview=cast("Any", self.overview),
            schedules=self.schedules,
            databases=databases,
            storage_watch=StorageWatch(storage or self.storage, self.clock, host),
            telling=Telling(self.records, self.inbox, self.clock, urls, "/b"),
            notifier=self.inbox,
            heartbeat=self.beats,
            heartbeat_url=self.heartbeat_url,
            clock=self.clock,
            max_size=1e18,
            catalog=self.catalog,
        )

    def fail(self, *names: str) -> None:
        for name in names:
            self.overview.states[name] = replace(self.overview.states[name], failing={"backup": FAILURE})

    def mend(self, name: str) -> None:
        last = replace(DONE, completed_at=self.clock.now())
        self.overview.states[name] = replace(self.overview.states[name], failing={}, last=last)

    def minute(self, seconds: float = 60) -> None:
        self.clock.seconds += seconds
        self.service.check()
        self.service.deliver()


def test_an_alert_is_sent_when_it_begins_and_when_it_is_over() -> None:
    world = World(MAIL)
    world.fail("shop")
    for _ in range(5):
        world.minute()
    world.mend("shop")
    for _ in range(5):
        world.minute()
    assert world.inbox.titles == ["pgproof: shop failed", "pgproof: shop recovered"]


def test_a_restart_in_between_changes_nothing() -> None:
    world = World(MAIL)
    world.fail("shop")
    for _ in range(3):
        world.service = world.worker(MAIL)
        world.minute()
    assert world.inbox.titles == ["pgproof: shop failed"]


def test_two_workers_do_not_both_send() -> None:
    world = World(MAIL)
    world.fail("shop")
    other = world.worker(MAIL)
    for service in (world.service, other):
        service.check()
    for service in (world.service, other):
        service.deliver()
    assert len(world.inbox.messages) == 1


def test_many_alerts_of_one_moment_are_one_message() -> None:
    world = World(MAIL, CHAT)
    world.fail("shop", "crm")
    world.minute()
    assert [(url, title) for url, title, _ in world.inbox.messages] == [
        (MAIL.reveal(), "pgproof: 2 problems"),
        (CHAT.reveal(), "pgproof: 2 problems"),
    ]


def test_a_reminder_comes_after_a_day() -> None:
    world = World(MAIL)
    world.fail("shop")
    world.minute()
    world.minute(DAY - 60)
    assert len(world.inbox.messages) == 1
    world.minute(60)
    assert len(world.inbox.messages) == 2
    assert world.inbox.messages[1][2].startswith("still: ")


def test_who_does_not_answer_gets_it_later_and_who_has_it_gets_it_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World(MAIL, CHAT)
    world.inbox.broken = {MAIL.reveal()}
    world.fail("shop")
    world.minute()
    assert [url for url, _, _ in world.inbox.messages] == [CHAT.reveal()]
    assert "mailto://***" in caplog.text
    assert "password" not in caplog.text
    world.inbox.broken = set()
    world.minute()
    world.minute()
    assert [url for url, _, _ in world.inbox.messages] == [CHAT.reveal(), MAIL.reveal()]


def test_a_url_that_cannot_be_opened_keeps_the_others_from_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def lost() -> str:
        raise ConfigurationError("sealed with another key")

    world = World(MAIL)
    world.records.save_rule(AlertRule(urls=(LostSecret(lost),)))
    world.fail("shop")
    world.minute()
    assert [url for url, _, _ in world.inbox.messages] == [MAIL.reveal()]
    assert "a URL that cannot be opened" in caplog.text


def test_who_never_answers_is_given_up_after_most_of_a_day() -> None:
    world = World(MAIL)
    world.inbox.broken = {MAIL.reveal()}
    world.fail("shop")
    world.minute()
    for _ in range(30 * 60):
        world.clock.seconds += 60
        world.service.deliver()
    (stored,) = world.records.stored.values()
    assert stored.next_at is None
    assert stored.sent_at is None
    assert stored.notice.attempts == 24
    assert "mailto://***" in stored.problem


def test_a_worker_that_knows_nobody_leaves_the_notices_to_one_that_does() -> None:
    world = World()
    world.fail("shop")
    world.minute()
    world.worker(MAIL).deliver()
    assert len(world.inbox.messages) == 1


def test_who_is_told_for_the_first_time_does_not_hear_of_last_week() -> None:
    world = World()
    world.fail("shop")
    world.minute()
    world.mend("shop")
    world.minute()
    world.clock.seconds += 2 * DAY
    world.service = world.worker(MAIL)
    world.minute()
    assert world.inbox.messages == []


def test_a_rule_says_who_is_told_of_what() -> None:
    world = World(MAIL)
    world.service.set_rule(AlertRule("shop", urls=(EXTRA,)))
    world.service.set_rule(AlertRule("crm", kinds=frozenset({AlertKind.LATE})))
    world.fail("shop", "crm")
    world.minute()
    assert [(url, title) for url, title, _ in world.inbox.messages] == [
        (MAIL.reveal(), "pgproof: shop failed"),
        (EXTRA.reveal(), "pgproof: shop failed"),
    ]
    assert [alert.key.database for alert in world.service.list_open()] == ["crm", "shop"]


def test_rules_are_checked_found_and_removed() -> None:
    world = World()
    with pytest.raises(NotFound):
        world.service.set_rule(AlertRule("nobody"))
    world.inbox.bad = {EXTRA.reveal()}
    with pytest.raises(InvalidInput):
        world.service.set_rule(AlertRule("shop", urls=(EXTRA,)))
    with pytest.raises(NotFound):
        world.service.remove_rule("shop")
    world.service.set_rule(AlertRule("shop", late_after_hours=5))
    assert world.service.rule("shop").late_after_hours == 5
    assert world.service.rule("crm") == AlertRule()
    world.service.remove_rule("shop")
    assert world.service.rules() == []


def test_a_test_reaches_everybody_and_tells_who_did_not_answer() -> None:
    world = World(MAIL, CHAT)
    world.inbox.broken = {CHAT.reveal()}
    good, bad = world.service.test()
    assert (good.target, good.problem) == ("mailto://***", None)
    assert bad.target == "slack://***"
    assert bad.problem
    assert [done.target for done in world.service.test([EXTRA])] == ["json://***"]


def test_a_storage_that_cannot_be_used_is_told_and_looked_at_now_and_then() -> None:
    world = World(MAIL)
    world.storage.denied = True
    world.minute()
    assert world.inbox.titles == ["pgproof: storage"]
    assert "the storage cannot be used" in world.inbox.messages[0][2]
    world.storage.denied = False
    world.minute()
    assert len(world.inbox.messages) == 1
    world.minute(600)
    assert world.inbox.titles == ["pgproof: storage", "pgproof: recovered"]


def test_what_one_machine_sees_of_the_storage_another_does_not_call_over() -> None:
    world = World(MAIL)
    world.storage.denied = True
    other = world.worker(MAIL, host="there", storage=MemoryStorage())
    for _ in range(120):
        world.minute()
        other.check()
        other.deliver()
    assert world.inbox.titles == ["pgproof: storage"]
    world.clock.seconds += 26 * HOUR
    other.check()
    other.deliver()
    assert world.inbox.titles == ["pgproof: storage", "pgproof: recovered"]


def test_little_space_is_told_before_there_is_none() -> None:
    world = World(MAIL)
    world.storage.capacity = 1024**3 - 1
    world.minute()
    assert "1024.0 MB are free" in world.inbox.messages[0][2]


def test_a_heartbeat_is_sent_for_every_new_success_and_only_then() -> None:
    world = World(heartbeat=True)
    for _ in range(3):
        world.minute()
    assert world.beats.count == 1
    world.mend("shop")
    for _ in range(3):
        world.minute()
    assert world.beats.count == 2


def test_a_success_of_one_database_does_not_hide_the_failure_of_another() -> None:
    world = World(heartbeat=True)
    world.fail("crm")
    world.mend("shop")
    world.minute()
    assert world.beats.count == 0
    world.mend("crm")
    world.minute()
    assert world.beats.count == 1


def test_a_heartbeat_that_did_not_arrive_is_sent_again() -> None:
    world = World(heartbeat=True)
    world.beats.broken = True
    world.minute()
    world.beats.broken = False
    world.minute()
    assert world.beats.count == 1


def test_a_storage_that_never_answers_does_not_hold_up_the_check() -> None:
    clock, gate = FakeClock(), threading.Event()

    class Hanging(MemoryStorage):
        def check(self) -> None:
            gate.wait()

    watch = StorageWatch(Hanging(), clock, "here", patience=0.05)
    (found,) = watch.conditions(0)
    assert "does not answer" in found.summary
    gate.set()


def test_a_late_backup_that_has_begun_is_no_recovery_and_no_reason_for_a_heartbeat() -> None:
    world = World(MAIL, heartbeat=True)
    world.overview.states["shop"] = replace(world.overview.states["shop"], last=None)
    new = NewSchedule(Task.BACKUP, "0 2 * * *", database="shop")
    world.schedules.add_schedule(new, by="ann", now=NOW - timedelta(days=1))
    world.minute()  # the one of 02:00 has not come, as NOW is past noon
    assert world.inbox.titles == ["pgproof: shop late"]
    shop = world.overview.states["shop"]
    world.overview.states["shop"] = replace(shop, unfinished_since=world.clock.now())
    world.mend("crm")
    world.minute()
    assert (len(world.inbox.titles), world.beats.count) == (1, 0)
    world.mend("shop")
    world.minute()
    assert (world.inbox.titles[1:], world.beats.count) == (["pgproof: shop recovered"], 1)
