"""`pgproof schedule` and `pgproof notify`, on fakes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pgproof.domain.job import Job, JobKind, JobStatus
from pgproof.services.known_databases import KnownDatabases
from pgproof.settings import Settings
from tests.command_line import NOW, CommandLine, Outcome
from tests.fakes.jobs import MemoryJobRecords
from tests.unit.test_alerts import CHAT, MAIL
from tests.unit.test_alerts import World as Alerts
from tests.unit.test_schedules import World as Schedules


class Trail:
    """An audit trail that remembers."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []

    def record(self, actor: str, action: str, **more: Any) -> None:
        self.entries.append((action, more["object"], more["outcome"]))


class Shell:
    """The command line over schedules and alerts in memory."""

    def __init__(self, folder: Path) -> None:
        self.run = CommandLine(folder)
        self.schedules, self.alerts, self.trail = Schedules(), Alerts(MAIL, CHAT), Trail()

    def __call__(self, *argv: str, typed: str | None = None) -> Outcome:
        return self.run(*argv, typed=typed, open_app=self._open)

    @contextmanager
    def _open(self, settings: Settings) -> Iterator[Any]:
        yield SimpleNamespace(
            settings=settings,
            catalog=self.schedules.catalog,
            schedules=self.schedules.service,
            known_databases=KnownDatabases(
                catalog=self.schedules.catalog,
                databases=self.schedules.databases,
                jobs=MemoryJobRecords(self.schedules.catalog),
                schedules=self.schedules.service,
            ),
            alerts=self.alerts.service,
            audit=self.trail,
            settled=(),
        )


@pytest.fixture
def pgproof(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_schedules_of_a_database_that_is_mistyped_are_not_found(pgproof: Shell) -> None:
    assert pgproof("schedule", "list", "--database", "a").status == 0
    assert pgproof("schedule", "list", "--database", "aa").status == 4
    assert pgproof("schedule", "add", "backup", "30 2 * * *", "--database", "a").status == 0
    pgproof.schedules.catalog.remove_database("a")
    assert "30 2 * * *" in pgproof("schedule", "list", "--database", "a").out


def test_a_schedule_is_added_shown_changed_and_removed(pgproof: Shell) -> None:
    added = pgproof(
        "schedule", "add", "backup", "30 2 * * *", "--database", "a", "--zone", "Europe/Berlin", "--include-logs"
    )
    assert added.status == 0
    assert added.out == "schedule 1 is kept; next: 2026-03-02 02:30:00 CET\n"
    listed = pgproof("schedule", "list").out
    assert "30 2 * * *" in listed
    assert "Europe/Berlin" in listed
    shown = pgproof("schedule", "show", "1").out
    assert "include_logs=True" in shown
    assert pgproof("schedule", "change", "1", "--cron", "0 4 * * *", "--no-logs").status == 0
    document = pgproof("schedule", "show", "1", "--json").json
    assert (document["cron"], document["options"], document["databases"]) == (
        "0 4 * * *",
        {"include_logs": False},
        ["a"],
    )
    assert pgproof("schedule", "remove", "1").out == "schedule 1 is removed\n"
    assert pgproof("schedule", "show", "1").status == 4
    assert [action for action, _, _ in pgproof.trail.entries] == ["schedule_add", "schedule_change", "schedule_remove"]
    assert pgproof.trail.entries[0][1] == "schedule 1"


def test_json_is_the_object_of_the_api(pgproof: Shell) -> None:
    document = pgproof("schedule", "add", "restore-test", "0 4 * * SUN", "--disabled", "--json").json
    assert document == {
        "id": 1,
        "database": None,
        "task": "restore_test",
        "cron": "0 4 * * SUN",
        "zone": "UTC",
        "enabled": False,
        "options": {},
        "from_settings": False,
        "last_due_at": None,
        "next_runs": [],
        "created_at": NOW.isoformat(),
        "created_by": document["created_by"],
        "message": "schedule 1 is kept",
    }
    assert document["created_by"].startswith("cli:")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("backup", "0 0 30 2 *"), "names a day that never comes"),
        (("backup", "61 * * * *"), '"61" does not fit the minute'),
        (("backup", "0 2 * * *", "--zone", "Mars/Olympus"), "not the name of a time zone"),
        (("verify", "0 2 * * *", "--include-logs"), "takes no options"),
        (("cleanup", "0 2 * * *", "--database", "a"), "for all databases"),
        (("nonsense", "0 2 * * *"), "nonsense"),
    ],
)
def test_a_bad_schedule_is_bad_usage_and_says_why(pgproof: Shell, argv: tuple[str, ...], says: str) -> None:
    failed = pgproof("schedule", "add", *argv)
    assert failed.status == 2
    assert says in failed.err
    assert pgproof("schedule", "list", "--json").json == {"schedules": []}


def test_a_schedule_of_an_unknown_database_is_not_found(pgproof: Shell) -> None:
    assert pgproof("schedule", "add", "backup", "0 2 * * *", "--database", "nobody").status == 4
    assert pgproof.trail.entries == [("schedule_add", "", "not_found")]


def test_a_schedule_is_switched_off_and_on(pgproof: Shell) -> None:
    pgproof("schedule", "add", "backup", "0 2 * * *")
    assert pgproof("schedule", "disable", "1").out == "schedule 1 is disabled\n"
    assert pgproof("schedule", "next").out == "nothing is scheduled\n"
    assert pgproof("schedule", "enable", "1").out == "schedule 1 is enabled; next: 2026-03-02 02:00:00 UTC\n"


def test_what_comes_next_is_listed_over_all_schedules_in_its_order(pgproof: Shell) -> None:
    pgproof("schedule", "add", "backup", "0 2 * * *")
    pgproof("schedule", "add", "cleanup", "0 1 * * *")
    document = pgproof("schedule", "next", "--count", "2", "--json").json
    assert [(run["at"][5:16], run["schedule_id"]) for run in document["next_runs"]] == [
        ("03-02T01:00", 2), ("03-02T02:00", 1), ("03-03T01:00", 2), ("03-03T02:00", 1),
    ]  # fmt: skip


def test_a_run_now_tells_the_jobs(pgproof: Shell) -> None:
    pgproof("schedule", "add", "cleanup", "0 1 * * *")
    job = Job(7, JobKind.CLEANUP, JobStatus.QUEUED, "default", "ann", NOW)
    requests = SimpleNamespace(request_backups=lambda _: [], request_cleanup=lambda **_: job)
    pgproof.schedules.service._jobs = requests  # type: ignore[assignment]
    done = pgproof("schedule", "run", "1")
    assert done.out.startswith("1 job queued; a worker does it")
    assert [row["id"] for row in pgproof("schedule", "run", "1", "--json").json["jobs"]] == [7]


def test_a_test_message_tells_who_has_it_and_who_has_not(pgproof: Shell) -> None:
    pgproof.alerts.inbox.broken = {CHAT.reveal()}
    done = pgproof("notify", "test")
    assert done.out == "mailto://***: sent\nslack://***: the service did not take it\n"
    assert done.status == 3
    assert "token" not in done.out + done.err
    pgproof.alerts.inbox.broken = set()
    assert pgproof("notify", "test", "json://extra").status == 0


def test_a_check_tells_if_nobody_is_told(pgproof: Shell) -> None:
    pgproof.alerts = Alerts()
    assert "nobody is told of anything: set BACKUP_NOTIFY_URLS" in pgproof("notify", "check").out


def test_what_is_wrong_is_looked_at_told_and_listed(pgproof: Shell) -> None:
    assert pgproof("notify", "list").out == "nothing is wrong\n"
    pgproof.alerts.fail("shop")
    assert pgproof("notify", "check").out == "1 open alert, 1 new to tell; 1 notice told\n"
    assert 'the backup of "shop" failed' in pgproof("notify", "list").out
    (alert,) = pgproof("notify", "list", "--json").json["alerts"]
    assert (alert["kind"], alert["database"], alert["about"]) == ("failed", "shop", "backup")


def test_rules_are_kept_listed_and_removed_and_their_urls_are_not_shown(pgproof: Shell) -> None:
    argv = ("notify", "set-rule", "shop", "--kind", "late", "--url", "-", "--late-after-hours", "26")
    assert pgproof(*argv, typed="json://h/hunter2\n").status == 0
    (rule,) = pgproof("notify", "rules", "--json").json["rules"]
    assert rule == {
        "database": "shop",
        "kinds": ["late"],
        "urls": 1,
        "late_after_hours": 26.0,
        "unproven_after_days": 14,
        "shrunken_below": 0.5,
    }
    assert "hunter2" not in pgproof("notify", "rules").out
    assert pgproof("notify", "remove-rule", "shop").status == 0
    assert pgproof("notify", "remove-rule", "shop").status == 4
    assert pgproof("notify", "set-rule", "--unproven-after-days", "0").status == 2
