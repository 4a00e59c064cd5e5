"""Who is at work, by what the catalog says; and what the command `health` makes of it."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest
import structlog

from pgproof.domain.alert import Alert, AlertKey, AlertKind
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.errors import CatalogUnreachable
from pgproof.domain.schedule import NewSchedule, Task
from pgproof.entrypoints.cli.app import run
from pgproof.entrypoints.cli.session import Session
from pgproof.services.doctor import Finding, Outcome
from pgproof.services.health import STARTED_WITHIN, TAKEN_WITHIN, HealthService
from pgproof.services.ports.overview import DatabaseState, LastBackup, LastFailure, QueueState
from pgproof.settings import Settings, load_settings
from tests.command_line import NOW, FakeClock
from tests.command_line import Outcome as Ended
from tests.fakes.schedules import MemorySchedules

# The clock begins on 1 March 2026 at 12:30 UTC.
UNTIL_TWO = 13.5 * 3600
HOUR = 3600.0
LONG_AGO = NOW - timedelta(days=100)
SHOP = DatabaseState("shop", LONG_AGO, 1, 1, LastBackup(7, NOW - timedelta(hours=10), seconds=300))


@dataclass
class World:
    """An installation that is well: one worker, one schedule, one database with its backup, nothing waits."""

    queue: QueueState = field(default_factory=lambda: QueueState({}, {}, {}, workers=1))
    shop: DatabaseState = SHOP
    rules: list[AlertRule] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    schedules: MemorySchedules = field(default_factory=MemorySchedules)
    failure: CatalogUnreachable | None = None
    wanted: Sequence[Task] = (Task.BACKUP,)

    def __post_init__(self) -> None:
        self.schedules.add_schedule(NewSchedule(Task.BACKUP, "0 2 * * *"), by="test", now=NOW, from_settings=True)

    def queue_state(self) -> QueueState:
        if self.failure is not None:
            raise self.failure
        return self.queue

    def database_states(self, _: datetime) -> Sequence[DatabaseState]:
        return [self.shop]

    def list_alerts(self) -> Sequence[Alert]:
        return self.alerts

    def list_rules(self) -> Sequence[AlertRule]:
        return self.rules

    def start_what_is_due(self) -> None:
        """As a worker does, whatever becomes of the job."""
        now = self.clock.now()
        self.schedules.change_schedule(1, lambda one: replace(one, settled_until=now, last_due_at=now))

    @property
    def service(self) -> HealthService:
        return HealthService(
            overview=cast("Any", self),
            schedules=self.schedules,
            alerts=cast("Any", self),
            clock=self.clock,
            wanted=self.wanted,
        )


def failing(findings: Sequence[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.outcome is Outcome.FAIL]


@pytest.fixture
def world() -> World:
    return World()


class TestWhoIsAtWork:
    def test_an_installation_at_work_is_healthy(self, world: World) -> None:
        assert failing(world.service.look()) == failing(world.service.alive()) == []

    def test_a_process_that_is_there_and_takes_no_jobs_is_not(self, world: World) -> None:
        world.queue = QueueState({}, {}, {}, workers=0)
        assert failing(world.service.look()) == failing(world.service.alive()) == ["workers"]

    def test_a_schedule_that_nobody_starts_is_noticed(self, world: World) -> None:
        world.clock.seconds = UNTIL_TWO + STARTED_WITHIN.total_seconds()
        assert failing(world.service.look()) == []
        world.clock.seconds += 1
        assert failing(world.service.look()) == failing(world.service.alive()) == ["schedules"]
        (found,) = (one for one in world.service.look() if one.outcome is Outcome.FAIL)
        assert "was due at 2026-03-02T02:00:00+00:00, and nobody has started it" in found.detail

    def test_the_first_due_time_counts_and_not_the_last(self, world: World) -> None:
        """A schedule of every minute is always due a moment ago."""
        world.schedules.add_schedule(NewSchedule(Task.VERIFY, "* * * * *"), by="test", now=NOW)
        world.clock.seconds = STARTED_WITHIN.total_seconds() + 90
        assert failing(world.service.alive()) == ["schedules"]

    def test_a_scheduler_that_hangs_since_its_start_has_no_schedule_that_could_be_late(self, world: World) -> None:
        world.wanted = (Task.BACKUP, Task.CLEANUP)
        assert failing(world.service.look()) == failing(world.service.alive()) == ["schedules"]
        world.schedules.add_schedule(NewSchedule(Task.CLEANUP, "5 2 * * *"), by="ann", now=NOW)
        assert failing(world.service.alive()) == ["schedules"], "that one is somebody's own"
        world.schedules.remove_schedule(2)
        world.schedules.add_schedule(NewSchedule(Task.CLEANUP, "5 2 * * *"), by="test", now=NOW, from_settings=True)
        assert failing(world.service.alive()) == []

    def test_a_schedule_that_is_switched_off_is_not_missed(self, world: World) -> None:
        world.schedules.change_schedule(1, lambda one: one.changed(NOW, enabled=False))
        world.clock.seconds = UNTIL_TWO + 86_400
        assert failing(world.service.look()) == []

    @pytest.mark.parametrize(
        ("running", "expected"),
        [({}, ["jobs"]), ({("default", "verify"): 1}, []), ({("far", "backup"): 1}, ["jobs"])],
        ids=["idle", "busy", "another group is busy"],
    )
    def test_jobs_that_wait_while_nobody_works_are_noticed(
        self, world: World, running: Mapping[tuple[str, str], int], expected: list[str]
    ) -> None:
        world.queue = QueueState({("default", "backup"): 2}, running, {"default": NOW}, workers=1)
        world.clock.seconds = TAKEN_WITHIN.total_seconds()
        assert failing(world.service.look()) == []
        world.clock.seconds += 1
        assert failing(world.service.look()) == expected
        assert failing(world.service.alive()) == [], "a restart gives a group no worker"

    def test_a_backup_that_was_started_and_has_not_come_is_noticed_and_is_no_reason_for_a_restart(
        self, world: World
    ) -> None:
        grace = HOUR + 2 * 300
        world.clock.seconds = UNTIL_TWO
        world.start_what_is_due()
        world.clock.seconds += grace - 1
        assert failing(world.service.look()) == []
        world.clock.seconds += 1
        assert failing(world.service.look()) == ["backups"]
        assert failing(world.service.alive()) == []
        (found,) = (one for one in world.service.look() if one.outcome is Outcome.FAIL)
        assert "the backup that was due at 2026-03-02 02:00 UTC has not come" in found.detail

    def test_a_group_without_a_worker_is_named_and_one_that_is_busy_is_not(self, world: World) -> None:
        waiting = {("far", "backup"): 1, ("near", "backup"): 9}
        since = {"far": NOW + timedelta(hours=1), "near": NOW}
        world.queue = QueueState(waiting, {("near", "backup"): 1}, since, workers=1)
        world.clock.seconds = HOUR + TAKEN_WITHIN.total_seconds()
        assert failing(world.service.look()) == []
        world.clock.seconds += 1
        (found,) = (one for one in world.service.look() if one.outcome is Outcome.FAIL)
        assert (
            "10 jobs waiting, 1 running; nobody takes those of far, the oldest since 2026-03-01T13:30" in found.detail
        )
        assert "(far)" in found.hint

    def test_a_backup_that_is_being_taken_is_not_late_until_it_hangs(self, world: World) -> None:
        world.clock.seconds = UNTIL_TWO
        world.start_what_is_due()
        world.shop = replace(world.shop, unfinished_since=world.clock.now())
        world.clock.seconds += 12 * HOUR
        assert failing(world.service.look()) == []
        world.clock.seconds += 1
        assert failing(world.service.look()) == ["backups"]
        assert failing(world.service.alive()) == []

    def test_a_backup_that_was_told_to_be_late_is_not_there_because_it_has_begun(self, world: World) -> None:
        world.clock.seconds = UNTIL_TWO
        world.start_what_is_due()
        world.clock.seconds += 2 * HOUR
        world.shop = replace(world.shop, unfinished_since=world.clock.now())
        assert failing(world.service.look()) == []
        world.alerts = [Alert(AlertKey(AlertKind.LATE, "shop"), "shop is late", "", NOW)]
        assert failing(world.service.look()) == ["backups"]

    def test_backups_that_fail_again_and_again_are_not_there_because_the_next_one_is_tried(self, world: World) -> None:
        world.clock.seconds = UNTIL_TWO
        world.start_what_is_due()
        failure = LastFailure(world.clock.now(), "dump_failed", "pg_dump ended with 1", 9)
        world.clock.seconds += 2 * HOUR
        world.shop = replace(world.shop, failing={"backup": failure}, unfinished_since=world.clock.now())
        assert failing(world.service.look()) == ["backups"]
        world.shop = replace(world.shop, failing={})
        assert failing(world.service.look()) == []

    def test_a_schedule_that_is_settled_ahead_of_time_hides_no_scheduler_that_hangs(self, world: World) -> None:
        world.schedules.change_schedule(1, lambda one: replace(one, settled_until=NOW + timedelta(hours=1)))
        assert failing(world.service.alive()) == []
        world.schedules.change_schedule(1, lambda one: replace(one, settled_until=NOW + timedelta(days=365)))
        assert failing(world.service.look()) == failing(world.service.alive()) == ["schedules"]
        (found,) = (one for one in world.service.look() if one.outcome is Outcome.FAIL)
        assert "is settled until 2027-03-01T12:30:00+00:00, because a clock was ahead" in found.detail

    def test_a_zone_that_is_unknown_here_excuses_a_schedule_until_its_time_is_past_in_every_zone(
        self, world: World
    ) -> None:
        """Settled at 12:30, so its next 02:00 may be, in the zone that is furthest behind, on 3 March at 14:00 UTC."""
        world.schedules.change_schedule(1, lambda one: replace(one, zone="Mars/Olympus"))
        world.shop = replace(world.shop, last=replace(SHOP.last, completed_at=NOW + timedelta(days=2)))  # type: ignore[type-var]
        world.clock.seconds = 2 * 86_400 + 1.5 * HOUR + STARTED_WITHIN.total_seconds() - 1
        assert failing(world.service.look()) == []
        assert [one.check for one in world.service.look() if one.outcome is Outcome.WARN] == ["schedules"]
        world.clock.seconds += 1
        assert failing(world.service.look()) == ["schedules"]
        assert failing(world.service.alive()) == [], "no restart brings a time zone"

    def test_a_backup_that_failed_has_not_come_either(self, world: World) -> None:
        world.clock.seconds = UNTIL_TWO
        world.start_what_is_due()
        failure = LastFailure(world.clock.now(), "dump_failed", "pg_dump ended with 1", 9)
        world.shop = replace(world.shop, failing={"backup": failure})
        assert failing(world.service.look()) == [], "there is time to try again"
        world.clock.seconds += 2 * HOUR
        (found,) = (one for one in world.service.look() if one.outcome is Outcome.FAIL)
        assert found.check == "backups"
        assert "pg_dump ended with 1" in found.detail
        assert "pgproof log 9" in found.hint

    def test_what_a_rule_calls_late_is_late(self, world: World) -> None:
        world.rules = [AlertRule("shop", late_after_hours=10.5)]
        assert failing(world.service.look()) == []
        world.clock.seconds += HOUR
        assert failing(world.service.look()) == ["backups"]

    def test_nobody_needs_to_have_raised_an_alert_and_an_old_one_changes_nothing(self, world: World) -> None:
        """Who raises them may be what stands still."""
        world.alerts = [Alert(AlertKey(AlertKind.LATE, "shop"), "shop is late", "", NOW)]
        assert failing(world.service.look()) == []

    def test_other_alerts_are_told_of_while_they_are_open(self, world: World) -> None:
        told = Alert(AlertKey(AlertKind.UNPROVEN, "shop"), "nothing of shop was proven", "", NOW)
        world.alerts = [told, replace(told, summary="over", closed_at=NOW + timedelta(hours=1))]
        found = world.service.look()
        assert failing(found) == []
        assert [one.detail for one in found if one.outcome is Outcome.WARN] == ["nothing of shop was proven"]


class Api:
    """Something that answers like the API."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = api.answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> "Iterator[Api]":
        thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class TestTheCommand:
    @pytest.fixture
    def api(self) -> Iterator[Api]:
        with Api().running() as answering:
            yield answering

    @pytest.fixture(autouse=True)
    def _logs_as_before(self) -> Iterator[None]:
        root = logging.getLogger()
        handlers, level = root.handlers, root.level
        yield
        structlog.reset_defaults()
        root.handlers, root.level = handlers, level

    @staticmethod
    def call(world: World, *argv: str) -> Ended:
        @contextmanager
        def open_health(_: Settings) -> Iterator[HealthService]:
            yield world.service

        out, err = StringIO(), StringIO()
        load = lambda: load_settings({}, Path("/nonexistent"))  # noqa: E731
        session = Session(StringIO(), out, err, load, open_health=open_health)
        return Ended(run(["health", *argv], session), out.getvalue(), err.getvalue())

    def test_healthy_is_status_0(self, world: World) -> None:
        done = self.call(world)
        assert done.status == 0
        assert done.out.splitlines()[-1] == "healthy"

    def test_unhealthy_is_status_13_and_says_what_to_do(self, world: World) -> None:
        world.queue = QueueState({}, {}, {}, workers=0)
        done = self.call(world, "--json")
        assert (done.status, done.json["healthy"]) == (13, False)
        (found,) = (one for one in done.json["checks"] if one["outcome"] == "fail")
        assert found["check"] == "workers"
        assert found["hint"]
        assert self.call(world, "--alive").status == 13

    def test_a_catalog_that_is_away_is_unhealthy_but_no_reason_for_a_restart(self, world: World) -> None:
        world.failure = CatalogUnreachable("the catalog is away", hint="Wait.")
        assert self.call(world).status == 10
        alive = self.call(world, "--alive", "--json")
        assert (alive.status, alive.json["healthy"]) == (0, True)
        assert [one["detail"] for one in alive.json["checks"]] == ["the catalog is away"]

    def test_an_api_that_is_ready(self, world: World, api: Api) -> None:
        checks = [{"check": "catalog", "outcome": "ok"}, {"check": "queue", "outcome": "warn"}]
        api.answers["/health/ready"] = (200, json.dumps({"status": "ready", "checks": checks}).encode())
        done = self.call(world, "--api", api.url, "--json")
        assert (done.status, done.json["healthy"]) == (0, True)
        assert [one["check"] for one in done.json["checks"]] == ["api", "catalog", "queue"]

    def test_an_api_that_is_not_ready_is_alive(self, world: World, api: Api) -> None:
        body = json.dumps({"status": "not ready", "checks": [{"check": "catalog", "outcome": "fail"}]}).encode()
        api.answers = {"/health/ready": (503, body), "/health/live": (200, b'{"status": "ok"}')}
        assert self.call(world, "--api", f"{api.url}/").status == 13
        assert self.call(world, "--api", api.url, "--alive").status == 0

    def test_who_does_not_answer_is_not_well(self, world: World) -> None:
        closed = Api()
        with closed.running():
            pass
        done = self.call(world, "--api", closed.url, "--json")
        assert done.status == 13
        assert "does not answer" in done.json["checks"][0]["detail"]

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"checks": [1, {"outcome": "odd"}]}'])
    def test_an_answer_of_somebody_else_is_no_crash(self, world: World, api: Api, body: bytes) -> None:
        api.answers["/health/ready"] = (200, body)
        assert self.call(world, "--api", api.url).status == 0

    def test_only_http_is_asked(self, world: World) -> None:
        assert self.call(world, "--api", "file:///etc/passwd").status == 2
