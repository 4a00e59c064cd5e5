"""The overview of a real catalog, and the metrics that come of it."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pgproof.adapters.catalog import JobRecords, PostgresCatalog
from pgproof.adapters.catalog.alert_records import AlertRecords
from pgproof.adapters.catalog.overview_records import OverviewRecords
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.alert import Alert, AlertKey, AlertKind, Changes
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.secret import Secret
from pgproof.entrypoints.http.metrics import render
from pgproof.services.doctor import Outcome
from pgproof.services.overview import Overview, OverviewService
from pgproof.services.ports.overview import DatabaseState
from tests.command_line import FakeClock
from tests.fakes.storage import MemoryStorage
from tests.servers import Server

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = AT + timedelta(days=1)
ODD = 'odd "näme"\\\n{a="b"}'
TOTAL = 100_000

BACKUPS = """
    INSERT INTO pgproof.backup_jobs
        (filename, file_path, status, trigger_source, database, storage_url, created_at, started_at, completed_at,
         duration_seconds, file_size, rows_count, error_message, error_details)
    SELECT database || n, 'p', status::pgproof.backup_status, 'manual_api', database, 's', at, at, at,
           seconds, size, row_count, message, details::jsonb
    FROM (VALUES
        (1, 'shop', 'completed', timestamptz '2026-02-26 02:00Z', 10, 100, 1000, NULL, NULL),
        (2, 'shop', 'completed', timestamptz '2026-02-27 02:00Z', 10, 300, 3000, NULL, NULL),
        (3, 'shop', 'failed',    timestamptz '2026-02-27 14:00Z', 10, NULL, NULL, 'no', '{"code": "dump_failed"}'),
        (4, 'shop', 'restored',  timestamptz '2026-02-28 02:00Z', 12, 90, 900, NULL, NULL),
        (5, 'shop', 'expired',   timestamptz '2026-03-01 02:00Z', 12, 7, 7, NULL, NULL),
        (6, 'crm',  'completed', timestamptz '2026-02-28 02:00Z', 5, 50, 500, NULL, NULL),
        (7, 'crm',  'failed',    timestamptz '2026-02-28 14:00Z', 5, NULL, NULL, '', '{"code": "server_unreachable"}'),
        (8, 'crm',  'failed',    timestamptz '2026-03-01 02:00Z', 5, NULL, NULL, 'odd', NULL),
        (9, 'gone', 'completed', timestamptz '2026-02-28 02:00Z', 5, 5, 5, NULL, NULL),
        (10, 'away', 'deleted',  timestamptz '2026-02-28 02:00Z', 5, 5, 5, NULL, NULL)
    ) AS b (n, database, status, at, seconds, size, row_count, message, details)"""

TESTS = """
    INSERT INTO pgproof.restore_tests
        (backup_id, database, status, step, outcome, started_at, completed_at, duration_seconds, error_message)
    SELECT id, database, 'completed', 'done', outcome, at, at, 33.5, message
    FROM pgproof.backup_jobs
    JOIN (VALUES ('shop4', 'passed', timestamptz '2026-02-28 04:00Z', NULL),
                 ('crm6', 'passed', timestamptz '2026-02-27 04:00Z', NULL),
                 ('crm6', 'failed', timestamptz '2026-02-28 04:00Z', '2 rows are missing'),
                 ('crm6', 'not_testable', timestamptz '2026-02-28 05:00Z', 'no room'))
        AS t (name, outcome, at, message) ON filename = name"""

RESTORE = """
    INSERT INTO pgproof.restore_jobs (backup_id, database, dbname, shadow_database, mode, create_safety_backup,
        run_analyze, parallel_jobs, status, step, completed_at, duration_seconds)
    SELECT id, 'shop', 'shop', 's', 'swap', true, true, 2, 'completed', 'done', now(), 44.5
    FROM pgproof.backup_jobs WHERE filename = 'shop4'"""

JOBS = """
    INSERT INTO pgproof.jobs (kind, status, worker_group, requested_by, database, created_at, finished_at, error_code,
                              error_message, subject_id)
    VALUES ('backup', 'queued', 'near', 'ann', 'shop', timestamptz '2026-03-01 11:00Z', NULL, NULL, NULL, NULL),
           ('backup', 'queued', 'near', 'ann', 'shop', timestamptz '2026-03-01 11:30Z', NULL, NULL, NULL, NULL),
           ('verify', 'running', 'default', 'ann', 'shop', now(), NULL, NULL, NULL, NULL),
           ('verify', 'succeeded', 'default', 'ann', 'shop', now(), now(), NULL, NULL, 4),
           ('verify', 'failed', 'default', 'ann', 'crm', now(), now(), 'checksum_mismatch', 'bits rot', 6),
           ('cleanup', 'failed', 'default', 'ann', NULL, now(), now(), 'conflict', 'too much', NULL)"""


@pytest.fixture
def records(catalog: PostgresCatalog) -> OverviewRecords:
    return OverviewRecords(catalog.transactions)


@pytest.fixture
def filled(catalog: PostgresCatalog, catalog_connection: ConnectionInfo, server18: Server) -> None:
    for name in ("shop", "crm", "new"):
        catalog.add_database(name, ConnectionInfo(name, "db", 5432, "app"))
    server18.sql(catalog_connection, BACKUPS, TESTS, RESTORE, JOBS)


def overview_of(catalog: PostgresCatalog, storage: MemoryStorage | None = None) -> OverviewService:
    clock = FakeClock()
    return OverviewService(
        records=OverviewRecords(catalog.transactions),
        alerts=AlertRecords(catalog.transactions, FernetSeal(Secret("a secret of the tests"))),
        storage=storage or MemoryStorage(capacity=5000),
        tools=cast("Any", type("Tools", (), {"clients": lambda _: ()})()),
        clock=clock,
        max_size=1000.0,
        version="1.2",
    )


def states(records: OverviewRecords) -> Mapping[str, DatabaseState]:
    return {state.name: state for state in records.database_states(NOW)}


def test_the_embedded_servers_own_database_is_nobodys_worry(catalog: PostgresCatalog) -> None:
    embedded = ConnectionInfo("postgres", "/home/socket", 5432, "postgres")
    catalog.add_database("postgres", embedded, from_settings=True)
    catalog.add_database("other", ConnectionInfo("postgres", "db", 5432, "app"))
    assert set(states(OverviewRecords(catalog.transactions))) == {"other", "postgres"}
    assert set(states(OverviewRecords(catalog.transactions, embedded))) == {"other"}


@pytest.mark.usefixtures("filled")
def test_every_registered_database_and_every_one_with_backups_is_there(records: OverviewRecords) -> None:
    found = records.database_states(NOW)
    assert [state.name for state in found] == ["crm", "gone", "new", "shop"]
    assert [state.known_since is None for state in found] == [False, True, False, False]


@pytest.mark.usefixtures("filled")
def test_the_state_of_a_database_is_that_of_its_usable_backups(records: OverviewRecords) -> None:
    shop = states(records)["shop"]
    assert (shop.backups, shop.size) == (3, 490)
    assert shop.last
    assert (shop.last.completed_at, shop.last.seconds, shop.last.size, shop.last.rows) == (
        datetime(2026, 2, 28, 2, tzinfo=UTC), 12, 90, 900,
    )  # fmt: skip
    assert (shop.last.usual_size, shop.last.usual_rows) == (200.0, 2000.0)
    assert shop.failing == {}
    assert shop.failures == {"dump_failed": 1}
    assert (shop.proven_at, shop.test_seconds) == (datetime(2026, 2, 28, 4, tzinfo=UTC), 33.5)
    assert shop.restore_seconds == 44.5


@pytest.mark.usefixtures("filled")
def test_what_fails_now_is_told_with_its_cause(records: OverviewRecords) -> None:
    crm = states(records)["crm"]
    assert {about: (one.code, one.message) for about, one in crm.failing.items()} == {
        "backup": ("unexpected", "odd"),
        "verify": ("checksum_mismatch", "bits rot"),
        "restore_test": ("restore_test_failed", "2 rows are missing"),
    }
    assert crm.failures == {"server_unreachable": 1, "unexpected": 1}
    cleanup = records.failing_cleanup()
    assert cleanup
    assert cleanup.message == "too much"


@pytest.mark.usefixtures("filled")
def test_a_database_without_backups_has_an_empty_state(records: OverviewRecords) -> None:
    new = states(records)["new"]
    assert (new.backups, new.size, new.last, new.proven_at) == (0, 0, None, None)


@pytest.mark.usefixtures("filled")
def test_backups_that_were_asked_for_otherwise_are_not_compared(
    records: OverviewRecords, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    server18.sql(catalog_connection, "UPDATE pgproof.backup_jobs SET include_logs = true WHERE filename = 'shop2'")
    last = states(records)["shop"].last
    assert last
    assert last.usual_size == 100.0


@pytest.mark.usefixtures("filled")
def test_jobs_are_counted_by_where_they_stand(
    records: OverviewRecords, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    server18.sql(
        catalog_connection,
        "INSERT INTO pgproof.procrastinate_workers (last_heartbeat) VALUES (now()), (now() - interval '5 minutes')",
    )
    queue = records.queue_state()
    assert (queue.waiting, queue.running) == ({("near", "backup"): 2}, {("default", "verify"): 1})
    assert queue.waiting_since == {"near": datetime(2026, 3, 1, 11, tzinfo=UTC)}
    assert queue.oldest_waiting_at == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert queue.workers == 1
    assert records.finished_jobs() == {
        ("verify", "succeeded", ""): 1,
        ("verify", "failed", "checksum_mismatch"): 1,
        ("cleanup", "failed", "conflict"): 1,
    }


@pytest.mark.usefixtures("filled")
def test_a_job_waits_since_it_could_be_taken_and_each_group_has_its_own_oldest(
    records: OverviewRecords, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    server18.sql(
        catalog_connection,
        "UPDATE pgproof.jobs SET not_before = timestamptz '2026-03-01 11:45Z' WHERE created_at = '2026-03-01 11:00Z'",
        """INSERT INTO pgproof.jobs (kind, status, worker_group, requested_by, database, created_at)
           VALUES ('verify', 'queued', 'far', 'ann', 'shop', timestamptz '2026-03-01 11:50Z'),
                  ('verify', 'queued', 'default', 'ann', 'shop', timestamptz '2026-03-01 10:00Z')""",
    )
    queue = records.queue_state()
    near, far, default = (datetime(2026, 3, 1, *at, tzinfo=UTC) for at in ((11, 30), (11, 50), (10, 0)))
    assert queue.waiting_since == {"near": near, "far": far, "default": default}
    assert queue.oldest_waiting_at == default
    assert queue.untaken() == {"near": near, "far": far}, "in the other a job runs"


@pytest.mark.usefixtures("filled")
def test_what_a_clock_that_was_ahead_has_dated_hides_nothing(
    records: OverviewRecords, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    server18.sql(
        catalog_connection,
        "UPDATE pgproof.backup_jobs SET completed_at = '2027-03-01 02:00Z' WHERE filename IN ('shop1', 'crm6', 'crm7')",
        "UPDATE pgproof.restore_tests SET completed_at = '2027-03-01 02:00Z' WHERE database = 'shop'",
        "UPDATE pgproof.restore_tests SET completed_at = '2027-03-01 02:00Z', outcome = 'passed' "
        "WHERE database = 'crm' AND completed_at < '2026-02-28'",
    )
    found = states(records)
    shop, crm = found["shop"], found["crm"]
    assert shop.last
    assert (shop.last.completed_at, shop.proven_at) == (datetime(2026, 2, 28, 2, tzinfo=UTC), None)
    assert crm.last is None
    assert (crm.failing["backup"].message, crm.failing["restore_test"].message) == ("odd", "2 rows are missing")
    assert crm.proven_at is None
    later = {state.name: state for state in records.database_states(datetime(2027, 3, 1, 1, tzinfo=UTC))}
    assert later["crm"].last, "an hour is no more than clocks may differ"
    assert "backup" not in later["crm"].failing


@pytest.mark.usefixtures("filled")
def test_a_job_that_is_forgotten_still_counts(
    catalog: PostgresCatalog, records: OverviewRecords, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    before = records.finished_jobs()
    for _ in range(2):
        server18.sql(catalog_connection, JOBS)
        assert JobRecords(catalog.transactions).forget_jobs(datetime(9999, 1, 1, tzinfo=UTC), 100) == 3
    server18.sql(catalog_connection, "DELETE FROM pgproof.jobs")
    assert records.finished_jobs() == {key: 2 * count for key, count in before.items()}
    failing = render(overview_of(catalog).read())[0].decode()
    assert 'pgproof_jobs_finished_total{cause="conflict",kind="cleanup",status="failed"} 2.0' in failing


@pytest.mark.usefixtures("filled")
def test_what_fails_now_is_known_however_much_was_forgotten(catalog: PostgresCatalog, records: OverviewRecords) -> None:
    before = states(records)["crm"].failing, records.failing_cleanup()
    JobRecords(catalog.transactions).forget_jobs(datetime(9999, 1, 1, tzinfo=UTC), 100)
    assert (states(records)["crm"].failing, records.failing_cleanup()) == before


def test_an_empty_catalog_has_an_empty_overview(catalog: PostgresCatalog) -> None:
    found = overview_of(catalog).read()
    assert (found.databases, found.queue.waiting, found.alerts, found.storage.used) == ([], {}, [], 0)
    assert render(found)[0]


def metrics(overview: Overview) -> dict[tuple[str, ...], float]:
    """Values by name and by the labels' values, in the order of the labels' names."""
    families = text_string_to_metric_families(render(overview)[0].decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


@pytest.mark.usefixtures("filled")
def test_the_metrics_are_what_the_overview_says(catalog: PostgresCatalog) -> None:
    found = overview_of(catalog).read()
    told = metrics(found)
    assert told["pgproof_backup_last_success_timestamp_seconds", "shop"] == 1772244000
    assert told["pgproof_backup_age_seconds", "shop"] == (found.at.timestamp() - 1772244000)
    assert told["pgproof_backup_age_seconds", "new"] == float("inf")
    assert told["pgproof_backup_last_success_timestamp_seconds", "new"] == 0
    assert told["pgproof_backup_duration_seconds", "shop"] == 12
    assert told["pgproof_backup_size_bytes", "shop"] == 90
    assert told["pgproof_backup_failing", "crm"] == 1
    assert told["pgproof_backup_failing", "shop"] == 0
    assert told["pgproof_backups_failed", "server_unreachable", "crm"] == 1
    assert told["pgproof_restore_test_duration_seconds", "shop"] == 33.5
    assert told["pgproof_restore_duration_seconds", "shop"] == 44.5
    assert ("pgproof_backup_age_seconds", "gone") not in told
    assert ("pgproof_restore_test_age_seconds", "gone") not in told
    assert told["pgproof_backups", "gone"] > 0
    assert told["pgproof_jobs_waiting", "near", "backup"] == 2
    assert told["pgproof_jobs_finished_total", "checksum_mismatch", "verify", "failed"] == 1
    assert told["pgproof_storage_used_bytes",] == 545
    assert told["pgproof_storage_free_bytes",] == 5000
    assert told["pgproof_storage_limit_bytes",] == 1000
    assert told["pgproof_info", "1.2"] == 1
    assert ("pgproof_backup_size_bytes", "new") not in told


def test_names_of_databases_cannot_forge_metrics(catalog: PostgresCatalog) -> None:
    found = overview_of(catalog).read()
    state = DatabaseState(ODD, AT, 1, 1)
    forged = metrics(Overview(AT, "1", [state], found.queue, {}, found.storage, []))
    assert forged["pgproof_backups", ODD] == 1
    assert {key[1] for key in forged if len(key) == 2 and key[0] == "pgproof_backups"} == {ODD}


def test_open_alerts_are_counted_by_kind(catalog: PostgresCatalog) -> None:
    service = overview_of(catalog)
    records = AlertRecords(catalog.transactions, FernetSeal(Secret("a secret of the tests")))
    alerts = [Alert(AlertKey(AlertKind.LATE, name), "s", "h", AT) for name in ("a", "b")]
    over = Alert(AlertKey(AlertKind.LATE, "c"), "s", "h", AT, closed_at=AT)
    records.change_alerts(lambda _: Changes([*alerts, over], []))
    told = metrics(service.read())
    assert told["pgproof_alerts_open", "late"] == 2
    assert told["pgproof_alerts_open", "failed"] == 0


def test_two_renderings_do_not_disturb_each_other(catalog: PostgresCatalog) -> None:
    found = overview_of(catalog).read()
    assert render(found) == render(found)


@pytest.mark.usefixtures("filled")
def test_every_metric_is_documented(catalog: PostgresCatalog) -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    body = render(overview_of(catalog).read())[0].decode()
    names = set(re.findall(r"^# HELP (\S+)", body, re.MULTILINE))
    assert len(names) > 20
    assert {name for name in names if f"`{name}`" not in text} == set()
    told = set(re.findall(r"`(pgproof_[a-z_]+)`", text))
    assert told == names


def test_what_cannot_be_reached_is_not_ready(catalog: PostgresCatalog) -> None:
    storage = MemoryStorage()
    found = overview_of(catalog, storage).readiness()
    assert found.ready
    assert {check.check: check.outcome for check in found.checks} == {
        "catalog": Outcome.OK,
        "queue": Outcome.WARN,
        "storage": Outcome.OK,
        "tools": Outcome.FAIL,
    }
    storage.denied = True
    assert not overview_of(catalog, storage).readiness().ready


def test_a_lost_catalog_is_not_ready(
    catalog: PostgresCatalog, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    service = overview_of(catalog)
    server18.drop_database(catalog_connection.dbname)
    found = service.readiness()
    assert not found.ready
    assert {check.check for check in found.checks if check.outcome is Outcome.FAIL} == {"catalog", "tools"}


@pytest.mark.slow
def test_a_hundred_thousand_backups_are_looked_at_at_once(
    catalog: PostgresCatalog, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    for n in range(100):
        catalog.add_database(f"d{n}", ConnectionInfo("d", "db", 5432, "app"))
    server18.sql(
        catalog_connection,
        f"""INSERT INTO pgproof.backup_jobs (filename, file_path, status, trigger_source, database, storage_url,
                created_at, completed_at, duration_seconds, file_size, rows_count)
            SELECT 'b' || n, 'p', CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'completed' END::pgproof.backup_status,
                   'manual_api', 'd' || n % 100, 's', now() - n * interval '1 minute', now() - n * interval '1 minute',
                   9, n, n FROM generate_series(1, {TOTAL}) n""",
        "ANALYZE pgproof.backup_jobs",
    )
    service = overview_of(catalog)
    service.read()
    begun = time.monotonic()
    found = service.read()
    seconds = time.monotonic() - begun
    begun = time.monotonic()
    render(found)
    print(f"{TOTAL:,} backups: read {seconds * 1000:.0f} ms, render {(time.monotonic() - begun) * 1000:.0f} ms")  # noqa: T201
    assert sum(state.backups for state in found.databases) == TOTAL - TOTAL // 50
