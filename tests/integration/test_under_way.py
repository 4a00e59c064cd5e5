"""Which backups the catalog calls under way, so that nobody calls them late."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.overview_records import OverviewRecords
from pgproof.domain.database import ConnectionInfo
from pgproof.services.ports import Lock
from tests.servers import Server

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ASKED = datetime(2026, 3, 1, 2, tzinfo=UTC)
WORKER = "INSERT INTO pgproof.procrastinate_workers (last_heartbeat) VALUES (now() - interval '{} seconds')"
JOB = """
    INSERT INTO pgproof.jobs (kind, status, worker_group, requested_by, database, created_at, not_before, finished_at)
    VALUES ('{kind}', '{status}', '{group}', 'ann', '{database}', {at}, {not_before}, {finished})
    RETURNING id"""
BACKUP = """
    INSERT INTO pgproof.backup_jobs (filename, file_path, status, trigger_source, database, storage_url, created_at)
    VALUES ('f', 'p', '{}', 'manual_cli', 'shop', 's', timestamptz '2026-03-01 02:00Z') RETURNING id"""


class Place:
    """A catalog with two databases in the group `near`."""

    def __init__(self, catalog: PostgresCatalog, server: Server, connection: ConnectionInfo) -> None:
        self.catalog = catalog
        self.records = OverviewRecords(catalog.transactions)
        self._server, self._connection = server, connection
        for name in ("shop", "crm"):
            catalog.add_database(name, ConnectionInfo(name, "db", 5432, "app"))

    def sql(self, statement: str) -> int:
        rows = self._server.sql(self._connection, statement)
        return int(rows[0][0]) if rows else 0

    def job(
        self, status: str, *, database: str = "shop", kind: str = "backup", group: str = "near", age: str = "",
        not_before: str = "NULL", finished: str = "NULL",
    ) -> int:  # fmt: skip
        at = f"now() - interval '{age}'" if age else "timestamptz '2026-03-01 02:00Z'"
        values = {"kind": kind, "status": status, "group": group, "database": database, "at": at}
        return self.sql(JOB.format(**values, not_before=not_before, finished=finished))

    @property
    def under_way(self) -> dict[str, datetime]:
        found = {state.name: state.unfinished_since for state in self.records.database_states(NOW)}
        return {name: since for name, since in found.items() if since is not None}


@pytest.fixture
def place(catalog: PostgresCatalog, server18: Server, catalog_connection: ConnectionInfo) -> Place:
    return Place(catalog, server18, catalog_connection)


def test_a_job_that_runs_is_under_way_as_long_as_its_owner_lives(place: Place) -> None:
    number = place.job("running")
    assert place.under_way == {}
    with place.catalog.own(Lock.JOB, number):
        assert place.under_way == {"shop": ASKED}
    assert place.under_way == {}


def test_what_another_owns_is_not_taken_for_it(place: Place) -> None:
    number = place.job("running")
    verify = place.job("running", kind="verify")
    with place.catalog.own(Lock.BACKUP, number), place.catalog.own(Lock.JOB, verify):
        assert place.under_way == {}


def test_a_backup_of_the_command_line_is_under_way_without_any_job(place: Place) -> None:
    number = place.sql(BACKUP.format("running"))
    assert place.under_way == {}
    with place.catalog.own(Lock.BACKUP, number):
        assert place.under_way == {"shop": ASKED}
        place.sql("UPDATE pgproof.backup_jobs SET status = 'failed', completed_at = now()")
        assert place.under_way == {}, "what is owned after its end is not being taken"


def test_what_waits_is_in_line_while_a_job_of_its_group_runs(place: Place) -> None:
    place.job("queued")
    running = place.job("running", database="crm", kind="verify")
    place.sql(WORKER.format(5))
    assert place.under_way == {}, "nobody lives who runs it"
    with place.catalog.own(Lock.JOB, running):
        assert place.under_way == {"shop": ASKED}
        place.sql("UPDATE pgproof.jobs SET worker_group = 'far' WHERE status = 'running'")
        assert place.under_way == {}, "another group's worker takes none of these"


def test_without_a_worker_that_lives_nothing_is_in_line(place: Place) -> None:
    place.job("queued")
    running = place.job("running", database="crm")
    place.sql(WORKER.format(90))
    with place.catalog.own(Lock.JOB, running):
        assert set(place.under_way) == {"crm"}


@pytest.mark.parametrize(("minutes", "expected"), [(4, {"shop"}), (6, set())])
def test_between_two_jobs_of_a_line_the_next_one_is_not_forgotten(
    place: Place, minutes: int, expected: set[str]
) -> None:
    place.sql(WORKER.format(5))
    place.job("succeeded", database="crm", finished=f"now() - interval '{minutes} minutes'")
    place.job("queued")
    assert set(place.under_way) == expected


@pytest.mark.parametrize(
    ("age", "not_before", "expected"),
    [
        ("1 minute", "NULL", {"shop"}),
        ("6 minutes", "NULL", set()),
        ("3 hours", "now() + interval '10 minutes'", {"shop"}),
        ("3 hours", "now() - interval '6 minutes'", set()),
    ],
    ids=["new", "not taken", "tried again soon", "not tried again"],
)
def test_what_nobody_has_had_time_to_take_is_in_line(
    place: Place, age: str, not_before: str, expected: set[str]
) -> None:
    place.job("queued", age=age, not_before=not_before)
    assert place.under_way == {}
    place.sql(WORKER.format(5))
    assert set(place.under_way) == expected


def test_the_oldest_counts_and_other_work_does_not(place: Place) -> None:
    numbers = [
        place.job("running", age="1 hour"),
        place.job("running"),
        place.job("running", database="crm", kind="verify"),
    ]
    with ExitStack() as stack:
        for number in numbers:
            stack.enter_context(place.catalog.own(Lock.JOB, number))
        assert place.under_way == {"shop": ASKED}
