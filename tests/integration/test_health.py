"""The healthcheck on a real catalog."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.schedule_records import ScheduleRecords
from pgproof.bootstrap import SystemClock
from pgproof.bootstrap.health import open_health
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError
from pgproof.domain.schedule import NewSchedule, Task
from pgproof.services.doctor import Finding, Outcome
from pgproof.settings import Settings, load_settings
from tests.servers import Server, to_url

UNSCHEDULED = {"BACKUP_SCHEDULE": "", "BACKUP_CLEANUP_SCHEDULE": ""}


def settings(connection: ConnectionInfo, folder: Path, **more: str) -> Settings:
    given = {"BACKUP_CATALOG_URL": to_url(connection), "BACKUP_HOME": str(folder), "BACKUP_SECRET_KEY": "k" * 32}
    return load_settings({**given, **more}, folder)


def failing(findings: Sequence[Finding]) -> list[str]:
    return [one.check for one in findings if one.outcome is Outcome.FAIL]


def test_a_worker_that_gives_signs_of_life_is_seen_and_one_that_stopped_is_not(
    server18: Server, catalog: PostgresCatalog, catalog_connection: ConnectionInfo, tmp_path: Path
) -> None:
    with open_health(settings(catalog_connection, tmp_path, **UNSCHEDULED)) as health:
        assert failing(health.look()) == ["workers"]
        server18.sql(catalog_connection, "INSERT INTO pgproof.procrastinate_workers DEFAULT VALUES")
        assert failing(health.look()) == []
        assert failing(health.alive()) == []
        server18.sql(
            catalog_connection,
            "UPDATE pgproof.procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'",
        )
        assert failing(health.alive()) == ["workers"]


def test_the_schedules_of_the_settings_are_missed_until_a_worker_has_made_them(
    server18: Server, catalog: PostgresCatalog, catalog_connection: ConnectionInfo, tmp_path: Path
) -> None:
    server18.sql(catalog_connection, "INSERT INTO pgproof.procrastinate_workers DEFAULT VALUES")
    records = ScheduleRecords(catalog.transactions)
    with open_health(settings(catalog_connection, tmp_path)) as health:
        assert failing(health.look()) == failing(health.alive()) == ["schedules", "schedules"]
        for task in (Task.BACKUP, Task.CLEANUP):
            new = NewSchedule(task, "0 2 * * *")
            records.add_schedule(new, by="settings", now=SystemClock().now(), from_settings=True)
        assert failing(health.look()) == []


def test_a_database_without_the_backup_that_was_due_is_late(
    server18: Server, catalog: PostgresCatalog, catalog_connection: ConnectionInfo, tmp_path: Path
) -> None:
    server18.sql(
        catalog_connection,
        "INSERT INTO pgproof.procrastinate_workers DEFAULT VALUES",
        "INSERT INTO pgproof.databases (name, host, port, dbname, username, created_at) "
        "VALUES ('shop', 'h', 5432, 'shop', 'u', now() - interval '9 days')",
    )
    with open_health(settings(catalog_connection, tmp_path, **UNSCHEDULED)) as health:
        assert failing(health.look()) == []
        started = SystemClock().now() - timedelta(days=3)
        schedules = ScheduleRecords(catalog.transactions)
        schedules.add_schedule(NewSchedule(Task.BACKUP, "0 2 * * *"), by="ann", now=started)
        assert failing(health.look()) == ["schedules", "backups"]
        server18.sql(catalog_connection, "UPDATE pgproof.schedules SET settled_until = now(), last_due_at = now()")
        assert failing(health.look()) == ["backups"]
        assert failing(health.alive()) == []


def test_asking_makes_no_catalog(server18: Server, tmp_path: Path) -> None:
    empty = server18.create_database()
    with (
        open_health(settings(empty, tmp_path)) as health,
        pytest.raises(ConfigurationError, match="lacks what this pgproof needs"),
    ):
        health.look()
    assert server18.sql(empty, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgproof'") == [(0,)]
    assert list(tmp_path.iterdir()) == []
