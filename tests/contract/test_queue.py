"""What a queue promises: the same assertions in memory and on Procrastinate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from pgproof.adapters.queue import ProcrastinateQueue
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.job import Job, JobKind, JobStatus
from pgproof.services.ports import JobQueue
from tests.fakes.jobs import MemoryQueue
from tests.servers import Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TAKE = "SELECT (pgproof.procrastinate_fetch_job_v2(NULL, {worker})).id"


@dataclass
class Place:
    """A queue, and a way to take its next entry as a worker would; its worker can fall silent."""

    queue: JobQueue
    take: Callable[[], int | None]
    fall_silent: Callable[[int], None]


@pytest.fixture(params=["memory", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        memory = MemoryQueue()

        def take_from_memory() -> int | None:
            entry = memory.take()
            return None if entry is None else entry.id

        yield Place(memory, take_from_memory, memory.silent.add)
        return
    server: Server = request.getfixturevalue("server18")
    connection: ConnectionInfo = request.getfixturevalue("catalog_connection")
    queue = ProcrastinateQueue(connection)

    def take() -> int | None:
        inside = connection.with_settings({"search_path": "pgproof"})
        worker = server.sql(inside, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")[0][0]
        rows = server.sql(inside, TAKE.format(worker=worker))
        entry: int | None = rows[0][0]
        return entry

    def fall_silent(entry: int) -> None:
        server.sql(
            connection,
            f"""UPDATE pgproof.procrastinate_workers SET last_heartbeat = now() - interval '1 hour'
                WHERE id = (SELECT worker_id FROM pgproof.procrastinate_jobs WHERE id = {entry})""",
        )

    yield Place(queue, take, fall_silent)
    queue.close()


def job(number: int, kind: JobKind = JobKind.BACKUP, database: str = "shop", subject: int | None = None) -> Job:
    return Job(
        id=number,
        kind=kind,
        status=JobStatus.QUEUED,
        group="near",
        requested_by="ann",
        created_at=NOW,
        database=database,
        subject_id=number if subject is None else subject,
    )


def test_every_job_gets_an_entry_of_its_own(place: Place) -> None:
    put = place.queue.put([job(1), job(2, database="bakery")])
    assert set(put) == {1, 2}
    assert place.queue.entries() == frozenset(put.values())
    assert len(place.queue.entries()) == 2
    assert place.queue.put([]) == {}


def test_entries_are_taken_in_their_order(place: Place) -> None:
    put = place.queue.put([job(1), job(2, database="bakery")])
    assert [place.take(), place.take(), place.take()] == [put[1], put[2], None]
    assert {(entry.id, entry.job_id) for entry in place.queue.taken()} == {(put[1], 1), (put[2], 2)}


def test_of_the_jobs_of_a_database_one_is_taken_at_a_time(place: Place) -> None:
    put = place.queue.put([job(1), job(2)])
    assert [place.take(), place.take()] == [put[1], None]
    place.queue.withdraw(put[1])
    assert place.take() == put[2]


def test_a_restore_overtakes_backups(place: Place) -> None:
    put = place.queue.put([job(1), job(2, JobKind.RESTORE), job(3)])
    assert place.take() == put[2]


def test_what_reads_stored_backups_does_not_keep_a_restore_from_beginning(place: Place) -> None:
    put = place.queue.put([job(1, JobKind.RESTORE_TEST, subject=9), job(2, JobKind.RESTORE, subject=9)])
    assert {place.take(), place.take()} == {put[1], put[2]}


def test_one_cleanup_at_a_time(place: Place) -> None:
    put = place.queue.put([job(1, JobKind.CLEANUP), job(2, JobKind.CLEANUP, "bakery")])
    assert [place.take(), place.take()] == [put[1], None]


def test_what_is_withdrawn_is_gone_and_may_be_gone_already(place: Place) -> None:
    put = place.queue.put([job(1)])
    place.queue.withdraw(put[1])
    place.queue.withdraw(put[1])
    assert place.queue.entries() == frozenset()
    assert place.take() is None


def test_an_entry_whose_worker_is_silent_is_stalled(place: Place) -> None:
    put = place.queue.put([job(1), job(2, database="bakery"), job(3, database="mill")])
    first, second = place.take(), place.take()
    assert (first, second) == (put[1], put[2])
    assert list(place.queue.stalled(30)) == []
    place.fall_silent(put[2])
    assert [(entry.id, entry.job_id) for entry in place.queue.stalled(30)] == [(put[2], 2)]
