"""A whole pgproof on a schedule: it backs up, fails, tells people, recovers, and tells them again."""

import time
from collections.abc import Callable, Iterator

import pytest

from pgproof.bootstrap import App
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.job import JobStatus
from pgproof.domain.schedule import NewSchedule, Task
from pgproof.entrypoints.worker import Worker
from pgproof.services.ports import JobFilter
from pgproof.services.schedules import ScheduleChange
from tests.e2e.test_worker import register, until, working
from tests.receiver import Receiver, receiver
from tests.servers import Server, to_url

BY = "ann"


@pytest.fixture
def place() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def app(make_app: Callable[..., App], place: Receiver, server18: Server) -> App:
    return make_app(
        BACKUP_NOTIFY_URLS=f"json://{place.address}/hook",
        BACKUP_HEARTBEAT_URL=f"http://{place.address}/beat",
        BACKUP_SCHEDULE="0 2 * * *",
        BACKUP_CLEANUP_SCHEDULE="",
        BACKUP_TEST_SERVER_URL=to_url(server18.connection),
        BACKUP_TIMEZONE="Europe/Berlin",
    )


@pytest.fixture
def worker(app: App) -> Iterator[Worker]:
    with working(app) as running:
        yield running


def check(app: App) -> None:
    app.alerts.check()
    app.alerts.deliver()


def test_the_settings_make_one_schedule_where_the_other_is_empty(app: App) -> None:
    app.schedules.tick()
    (schedule,) = app.schedules.list()
    assert (schedule.task, schedule.cron, schedule.zone) == (Task.BACKUP, "0 2 * * *", "Europe/Berlin")


def test_a_worker_starts_what_is_due_and_does_it(app: App, server18: Server, worker: Worker) -> None:
    register(app, server18)
    schedule = app.schedules.add(NewSchedule(Task.BACKUP, "* * * * *", database="shop"), by=BY)
    # As if the schedule had been made yesterday.
    app.schedules.change(schedule.id, ScheduleChange(options={"description": "nightly"}))
    with app.catalog.transactions() as session:  # type: ignore[attr-defined]
        session.connection().exec_driver_sql("UPDATE pgproof.schedules SET settled_until = now() - interval '1 day'")
    until(lambda: bool(app.jobs.list(JobFilter(status=JobStatus.SUCCEEDED))))
    job = app.jobs.list(JobFilter(status=JobStatus.SUCCEEDED))[0]
    assert (job.schedule_id, job.requested_by, job.database) == (schedule.id, "scheduler", "shop")
    assert job.subject_id
    backup = app.catalog.get_backup(job.subject_id)
    assert backup.trigger_source == "scheduled_cron"
    assert backup.description == "nightly"
    assert backup.rows_count == 2000
    runs = app.schedules.last_runs(schedule.id)
    assert runs[-1].missed == 1000


def test_run_now_asks_for_the_jobs_of_every_task(app: App, server18: Server, worker: Worker) -> None:
    register(app, server18)
    for task in Task:
        schedule = app.schedules.add(NewSchedule(task, "0 0 1 1 *"), by=BY)
        (job,) = app.schedules.run_now(schedule.id, by=BY)
        ended = app.jobs.wait(job.id, 120)
        assert ended.status is JobStatus.SUCCEEDED, ended.error_message
        assert (ended.kind.value, ended.schedule_id, ended.requested_by) == (task.value, schedule.id, BY)


def test_a_failure_is_told_once_and_its_end_too_and_the_heartbeat_keeps_silent(
    app: App, place: Receiver, server18: Server, worker: Worker
) -> None:
    register(app, server18)
    address = app.databases.resolve("shop").connection
    server18.drop_database(address.dbname)
    schedule = app.schedules.add(NewSchedule(Task.BACKUP, "0 0 1 1 *"), by=BY)
    (job,) = app.schedules.run_now(schedule.id, by=BY)
    assert app.jobs.wait(job.id, 60).status is JobStatus.FAILED
    for _ in range(3):
        check(app)
    ((method, path, message),) = place.requests
    assert (method, path) == ("POST", "/hook")
    assert message["title"] == "pgproof: shop failed"
    assert address.dbname in message["message"]
    server18.create_database(address.dbname)
    (job,) = app.schedules.run_now(schedule.id, by=BY)
    assert app.jobs.wait(job.id, 60).status is JobStatus.SUCCEEDED
    for _ in range(3):
        check(app)
    assert sorted((method, path) for method, path, _ in place.requests[1:]) == [("GET", "/beat"), ("POST", "/hook")]
    assert "pgproof: shop recovered" in [message["title"] for _, _, message in place.requests if message]


def test_a_receiver_that_refuses_fails_no_job_and_gets_the_message_later(
    app: App, place: Receiver, server18: Server, worker: Worker
) -> None:
    register(app, server18)
    place.status = 500
    schedule = app.schedules.add(NewSchedule(Task.BACKUP, "0 0 1 1 *"), by=BY)
    (job,) = app.schedules.run_now(schedule.id, by=BY)
    check(app)
    assert app.jobs.wait(job.id, 60).status is JobStatus.SUCCEEDED
    check(app)
    assert app.overview.read().queue.workers == 1
    assert app.overview.readiness().ready


@pytest.mark.slow
def test_a_thousand_databases_of_one_moment_are_in_the_queue_in_their_groups(app: App) -> None:
    catalog = app.catalog
    for n in range(1000):
        catalog.add_database(f"d{n}", ConnectionInfo(f"d{n}", "db", 5432, "app"))
    app.schedules.tick()
    with catalog.transactions() as session:  # type: ignore[attr-defined]
        session.connection().exec_driver_sql("UPDATE pgproof.schedules SET settled_until = now() - interval '1 day'")
    begun = time.monotonic()
    assert app.schedules.tick() == 1000
    print(f"1,000 databases queued in {time.monotonic() - begun:.2f} s")  # noqa: T201 - a figure, no assertion
    assert len(app.queue.entries()) == 1000
    jobs = app.jobs.list(JobFilter(limit=2000))
    assert len({job.database for job in jobs}) == 1000
    assert app.jobs.dispatch() == 0
    begun = time.monotonic()
    app.alerts.check()
    print(f"and looked at in {time.monotonic() - begun:.2f} s")  # noqa: T201 - the same
