"""Several schedulers on one real catalog: none starts what another has started, and nothing is lost."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.schedule_records import ScheduleRecords
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.schedule import NewSchedule, Task
from pgproof.domain.secret import Secret
from tests.integration.scheduler_process import BEGIN, MINUTE, TurnedClock, scheduler
from tests.servers import Server

SCHEDULES = 20
STEPS = 60

# A job that is taken at once does not wait, so it keeps no later run from asking for another one.
TAKEN_AT_ONCE = (
    """CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN NEW.status := ''running''; RETURN NEW; END'""",
    "CREATE TRIGGER take BEFORE INSERT ON pgproof.jobs FOR EACH ROW EXECUTE FUNCTION take()",
)


@pytest.fixture
def due_every_few_minutes(catalog: PostgresCatalog, catalog_connection: ConnectionInfo, server18: Server) -> None:
    server18.sql(catalog_connection, *TAKEN_AT_ONCE)
    records = ScheduleRecords(catalog.transactions)
    for n in range(SCHEDULES):
        catalog.add_database(f"d{n}", ConnectionInfo(f"d{n}", "db", 5432, "app"))
        new = NewSchedule(Task.BACKUP, f"*/{1 + n % 5} * * * *", database=f"d{n}")
        records.add_schedule(new, by="ann", now=BEGIN)


def check_each_run_was_started_once(server: Server, place: ConnectionInfo) -> None:
    """Every due time up to the last one was started, or counted as missed; every start made one job and one backup."""
    rows = server.sql(
        place,
        """SELECT id, extract(epoch FROM settled_until - created_at)::int / 60, split_part(cron, ' ', 1),
                  (SELECT count(*) FROM pgproof.schedule_runs r WHERE r.schedule_id = s.id),
                  (SELECT sum(1 + missed) FROM pgproof.schedule_runs r WHERE r.schedule_id = s.id),
                  (SELECT sum(jobs) FROM pgproof.schedule_runs r WHERE r.schedule_id = s.id),
                  (SELECT count(*) FROM pgproof.jobs j WHERE j.schedule_id = s.id),
                  (SELECT count(*) FROM pgproof.backup_jobs b WHERE b.database = s.database)
           FROM pgproof.schedules s ORDER BY id""",
    )
    assert len(rows) == SCHEDULES
    for number, minutes, step, runs, handled, asked, jobs, backups in rows:
        every = int(step.removeprefix("*/"))
        assert minutes == (STEPS - 1) // every * every, f"schedule {number} was not brought to the end"
        assert handled == minutes // every, f"schedule {number} lost or doubled a run"
        assert runs == asked == jobs == backups, f"schedule {number} has runs without a job, or jobs without a run"


@pytest.mark.usefixtures("due_every_few_minutes")
def test_threads_that_look_at_the_same_moment_start_every_run_once(
    catalog_connection: ConnectionInfo, server18: Server
) -> None:
    looking = Barrier(4)

    def look(_: int) -> None:
        with closing(PostgresCatalog(catalog_connection, FernetSeal(Secret("a secret of the tests")))) as catalog:
            clock = TurnedClock()
            service = scheduler(catalog, clock)
            for step in range(STEPS):
                clock.time = BEGIN + step * MINUTE
                looking.wait()
                service.tick()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    check_each_run_was_started_once(server18, catalog_connection)
    runs = server18.sql(catalog_connection, "SELECT sum(missed) FROM pgproof.schedule_runs")
    assert runs == [(0,)]


@pytest.mark.usefixtures("due_every_few_minutes")
def test_processes_of_which_some_are_killed_start_every_run_once(
    catalog_connection: ConnectionInfo, server18: Server
) -> None:
    password = catalog_connection.password
    assert password
    place = {
        "dbname": catalog_connection.dbname,
        "host": catalog_connection.host,
        "port": catalog_connection.port,
        "user": catalog_connection.user,
        "password": password.reveal(),
    }
    with ExitStack() as stack:
        processes = []
        for _ in range(4):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.integration.scheduler_process", str(STEPS)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                )
            )
            assert process.stdin
            process.stdin.write(json.dumps(place) + "\n")
            process.stdin.flush()
            processes.append(process)
        for number, process in enumerate(processes[:3]):
            assert process.stdout
            while process.stdout.readline().strip() not in {str(4 + 5 * number), ""}:
                pass
            time.sleep(0.003 * number)  # into the middle of a look
            process.kill()
        last = processes[3]
        said, _ = last.communicate()
        assert last.returncode == 0
        assert said.splitlines()[-1] == str(STEPS - 1)
    check_each_run_was_started_once(server18, catalog_connection)


def test_a_thousand_databases_of_one_moment_are_all_queued(
    catalog: PostgresCatalog, catalog_connection: ConnectionInfo, server18: Server
) -> None:
    records = ScheduleRecords(catalog.transactions)
    for n in range(1000):
        catalog.add_database(f"d{n}", ConnectionInfo(f"d{n}", "db", 5432, "app"))
        records.add_schedule(NewSchedule(Task.BACKUP, "0 2 * * *", database=f"d{n}"), by="ann", now=BEGIN)
    clock = TurnedClock(BEGIN + 4 * 60 * MINUTE)
    begun = time.monotonic()
    assert scheduler(catalog, clock).tick() == 1000
    print(f"1,000 own schedules: {time.monotonic() - begun:.2f} s")  # noqa: T201 - a figure for people, no assertion
    queued = server18.sql(
        catalog_connection,
        "SELECT count(*), count(DISTINCT database), count(DISTINCT subject_id) FROM pgproof.jobs"
        " WHERE status = 'queued' AND queue_id IS NULL",
    )
    assert queued == [(1000, 1000, 1000)]
    assert scheduler(catalog, clock).tick() == 0
