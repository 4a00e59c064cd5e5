"""What the catalog promises about jobs: the same assertions in memory and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from pgproof.adapters.catalog import JobRecords as PostgresJobRecords
from pgproof.adapters.catalog import PostgresCatalog
from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.job import ONCE, Job, JobKind, JobProgress, JobStatus, NewJob
from pgproof.domain.restore import RestoreOptions, RestoreStatus
from pgproof.services.ports import Catalog, JobFilter, JobRecords, Lock, WantedBackup
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.jobs import MemoryJobRecords
from tests.servers import Server

NOW = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OPTIONS = BackupOptions(parallel_jobs=3, description="nightly")


@dataclass
class Place:
    catalog: Catalog
    records: JobRecords


@pytest.fixture(params=["memory", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        catalog = MemoryCatalog()
        yield Place(catalog, MemoryJobRecords(catalog))
    else:
        stored: PostgresCatalog = request.getfixturevalue("catalog")
        yield Place(stored, PostgresJobRecords(stored.transactions))


def wanted(database: str = "shop", *, schedule_id: int | None = None) -> WantedBackup:
    return WantedBackup(database, "near", OPTIONS, BackupTrigger.SCHEDULED_CRON, "cli:ann", schedule_id)


def backup_job(place: Place, database: str = "shop") -> Job:
    return place.records.add_backup_jobs([wanted(database)], storage_url="file:///b", now=NOW)[0][1]


def verify(place: Place, subject_id: int = 1, database: str = "shop") -> Job:
    return place.records.add_job(
        NewJob(JobKind.VERIFY, "ann", NOW, database=database, subject_id=subject_id, options={"a": [1, None]})
    )


def running(place: Place, job: Job) -> Job:
    begun = replace(job, status=JobStatus.RUNNING, attempt=1, worker="here:1", started_at=NOW)
    place.records.save_job(begun, expected=JobStatus.QUEUED)
    return begun


def ended(place: Place, job: Job, status: JobStatus = JobStatus.SUCCEEDED) -> Job:
    done = replace(running(place, job), status=status, finished_at=NOW + SECOND)
    place.records.save_job(done, expected=JobStatus.RUNNING)
    return done


def unsent(place: Place, at: datetime = NOW + SECOND) -> list[int]:
    return [job.id for job in place.records.unsent_jobs(due_at=at, asked_before=at, limit=10)]


def test_a_job_comes_back_as_it_went_in(place: Place) -> None:
    job = verify(place)
    assert place.records.get_job(job.id) == job
    whole = replace(
        job,
        status=JobStatus.RUNNING,
        attempt=1,
        worker="höst:1",
        started_at=NOW,
        not_before=NOW,
        progress=JobProgress("dump", 1, 2, 3, 4, 5.5, 6.5),
        result={"restore_id": 7},
        error_code="x",
        error_message="y",
        error_details={"hint": "z"},
        queue_id=9,
    )
    place.records.save_job(whole, expected=JobStatus.QUEUED)
    assert place.records.get_job(job.id) == whole


def test_a_job_that_is_not_there_is_not_found(place: Place) -> None:
    for number in (1, 0, -1, 2**70):
        with pytest.raises(NotFound):
            place.records.get_job(number)


def test_backups_and_their_jobs_are_made_together(place: Place) -> None:
    made = place.records.add_backup_jobs(
        [wanted("shop", schedule_id=5), wanted("bakery")], storage_url="file:///b", now=NOW
    )
    for backup, job in made:
        stored = place.catalog.get_backup(backup.id)
        assert (stored.status, stored.options, stored.storage_url) == (BackupStatus.PENDING, OPTIONS, "file:///b")
        assert place.records.get_job(job.id) == job
        assert (job.kind, job.subject_id, job.group) == (JobKind.BACKUP, backup.id, "near")
    assert [job.schedule_id for _, job in made] == [5, None]
    assert [job.database for _, job in made] == ["shop", "bakery"]


def test_a_backup_knows_the_user_who_asked_for_it_until_that_user_is_gone(
    catalog: PostgresCatalog, server18: Server
) -> None:
    where = catalog.transactions.connection
    ((user,),) = server18.sql(
        where,
        """INSERT INTO pgproof.users (name, name_key, role, password_hash)
           VALUES ('Ann', 'ann', 'operator', 'x') RETURNING id""",
    )
    records = PostgresJobRecords(catalog.transactions)
    asked = [replace(wanted(), user_id=user), replace(wanted(), user_id=user + 1), wanted()]
    records.add_backup_jobs(asked, storage_url="file:///b", now=NOW)
    recorded = "SELECT created_by_id FROM pgproof.backup_jobs ORDER BY id"
    assert server18.sql(where, recorded) == [(user,), (None,), (None,)]
    server18.sql(where, "DELETE FROM pgproof.users")
    assert server18.sql(where, recorded) == [(None,)] * 3


def test_a_job_is_stored_only_over_the_status_that_was_expected(place: Place) -> None:
    job = verify(place)
    running(place, job)
    with pytest.raises(Conflict, match="is running, not queued"):
        running(place, job)


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_job_that_has_ended_stays_ended(place: Place, status: JobStatus) -> None:
    done = ended(place, verify(place), status)
    with pytest.raises(Conflict, match="cannot become"):
        place.records.save_job(replace(done, status=JobStatus.QUEUED), expected=status)


def test_saving_a_job_does_not_forget_that_somebody_wants_it_to_end(place: Place) -> None:
    begun = running(place, verify(place))
    place.records.request_cancel(begun.id, NOW)
    place.records.save_job(replace(begun, attempt=2), expected=JobStatus.RUNNING)
    assert place.records.get_job(begun.id).cancel_requested_at == NOW
    assert place.records.cancel_requested([begun.id, 99]) == {begun.id}


def test_a_queued_backup_is_cancelled_with_its_job(place: Place) -> None:
    job = backup_job(place)
    cancelled = place.records.request_cancel(job.id, NOW)
    assert (cancelled.status, cancelled.finished_at) == (JobStatus.CANCELLED, NOW)
    assert job.subject_id is not None
    assert place.catalog.get_backup(job.subject_id).status is BackupStatus.CANCELLED
    with pytest.raises(Conflict, match="has ended"):
        place.records.request_cancel(job.id, NOW)


def test_the_first_wish_to_cancel_counts(place: Place) -> None:
    begun = running(place, verify(place))
    assert place.records.request_cancel(begun.id, NOW).status is JobStatus.RUNNING
    assert place.records.request_cancel(begun.id, NOW + SECOND).cancel_requested_at == NOW


def test_jobs_are_listed_the_newest_first_and_filtered(place: Place) -> None:
    first, second, third = backup_job(place), verify(place), backup_job(place, "bakery")
    ended(place, first)

    def listed(wanted: JobFilter) -> list[int]:
        return [job.id for job in place.records.list_jobs(wanted)]

    assert listed(JobFilter()) == [third.id, second.id, first.id]
    assert listed(JobFilter(limit=1)) == [third.id]
    assert listed(JobFilter(before=third.id)) == [second.id, first.id]
    assert listed(JobFilter(status=JobStatus.SUCCEEDED)) == [first.id]
    assert listed(JobFilter(kind=JobKind.VERIFY)) == [second.id]
    assert listed(JobFilter(database="bakery")) == [third.id]


def test_only_what_is_queued_and_due_and_not_in_the_queue_is_sent(place: Place) -> None:
    job = verify(place)
    assert unsent(place, NOW) == []  # whoever asked for it is about to send it
    assert unsent(place) == [job.id]
    place.records.mark_sent({job.id: 7})
    assert unsent(place) == []
    assert place.records.sent_jobs() == {job.id: 7}
    begun = running(place, place.records.get_job(job.id))
    assert place.records.sent_jobs() == {}
    later = replace(begun, status=JobStatus.QUEUED, not_before=NOW + 2 * SECOND, queue_id=None)
    place.records.save_job(later, expected=JobStatus.RUNNING)
    assert unsent(place) == []
    assert unsent(place, NOW + 2 * SECOND) == [job.id]


def test_what_is_marked_as_sent_stays_with_its_first_entry(place: Place) -> None:
    job, begun = verify(place), running(place, verify(place, 2))
    place.records.mark_sent({job.id: 7, begun.id: 8, 99: 9})
    place.records.mark_sent({job.id: 10})
    assert place.records.get_job(job.id).queue_id == 7
    assert place.records.get_job(begun.id).queue_id is None


def test_only_a_job_that_still_waits_with_that_entry_is_sent_again(place: Place) -> None:
    job = verify(place)
    place.records.mark_sent({job.id: 7})
    place.records.mark_unsent({job.id: 6})
    place.records.mark_unsent({})
    assert place.records.get_job(job.id).queue_id == 7
    place.records.mark_unsent({job.id: 7})
    assert place.records.get_job(job.id).queue_id is None


def test_the_unfinished_job_of_a_subject_is_found_by_its_kind(place: Place) -> None:
    old = ended(place, verify(place, 3))
    job = verify(place, 3)
    assert place.records.unfinished_job(JobKind.VERIFY, 3) == job != old
    assert place.records.unfinished_job(JobKind.RESTORE, 3) is None


def test_unfinished_jobs_of_a_database_are_found_by_their_kinds(place: Place) -> None:
    verify(place)
    undo = place.records.add_job(NewJob(JobKind.UNDO, "ann", NOW, database="shop", subject_id=1))
    place.records.add_job(NewJob(JobKind.UNDO, "ann", NOW, database="bakery", subject_id=2))
    assert [job.id for job in place.records.unfinished_jobs_of("shop", ONCE)] == [undo.id]


def test_a_second_restore_of_a_database_is_not_added_until_the_first_has_ended(place: Place) -> None:
    first = place.records.add_job(NewJob(JobKind.RESTORE, "ann", NOW, database="shop", subject_id=1))
    for kind in (JobKind.RESTORE, JobKind.UNDO):
        with pytest.raises(Conflict, match=f"restored already, by job {first.id}"):
            place.records.add_job(NewJob(kind, "ann", NOW, database="shop", subject_id=2))
    place.records.add_job(NewJob(JobKind.RESTORE, "ann", NOW, database="bakery", subject_id=3))
    ended(place, first)
    place.records.add_job(NewJob(JobKind.UNDO, "ann", NOW, database="shop", subject_id=2))


def test_the_last_run_is_the_newest_that_succeeded(place: Place) -> None:
    ended(place, verify(place, 1))
    second = ended(place, verify(place, 2))
    ended(place, verify(place, 3), JobStatus.FAILED)
    ended(place, verify(place, 4, "bakery"))
    found = place.records.last_run(JobKind.VERIFY, "shop")
    assert found is not None
    assert found.id == second.id
    assert place.records.last_run(JobKind.BACKUP, "shop") is None


def test_progress_and_results_are_stored_only_while_the_job_runs(place: Place) -> None:
    job = verify(place)
    place.records.report(job.id, JobProgress("early"))
    place.records.note_result(job.id, {"a": 1})
    assert place.records.get_job(job.id) == job
    begun = running(place, job)
    place.records.report(job.id, JobProgress("dump", 5))
    place.records.note_result(job.id, {"a": 1})
    place.records.note_result(job.id, {"b": "2"})
    stored = place.records.get_job(job.id)
    assert stored == replace(begun, progress=JobProgress("dump", 5), result={"a": 1, "b": "2"})
    assert [one.id for one in place.records.running_jobs()] == [job.id]


LATER = NOW + timedelta(days=1)


def numbers(place: Place) -> list[int]:
    return sorted(job.id for job in place.records.list_jobs(JobFilter()))


def restore_job(place: Place, *, ends_with: RestoreStatus) -> Job:
    """A job that succeeded, and the restore that it began."""
    backup = place.catalog.create_backup(
        "shop", storage_url="file:///b", options=OPTIONS, trigger=BackupTrigger.MANUAL_API, now=NOW
    )
    restore = place.catalog.create_restore(backup, "shop", RestoreOptions(), NOW)
    place.catalog.save_restore(replace(restore, status=ends_with))
    job = place.records.add_job(NewJob(JobKind.RESTORE, "ann", NOW, database="shop", subject_id=backup.id))
    done = replace(
        running(place, job), status=JobStatus.FAILED, finished_at=NOW + SECOND, result={"restore_id": restore.id}
    )
    place.records.save_job(done, expected=JobStatus.RUNNING)
    return done


def test_what_ended_before_is_forgotten_and_its_log_with_it(place: Place) -> None:
    old, newest = ended(place, verify(place)), ended(place, verify(place))
    for job in (old, newest):
        place.catalog.append_log(Lock.JOB, job.id, ["a line"], NOW)
    assert place.records.forget_jobs(NOW + SECOND, 10) == 0
    assert place.records.forget_jobs(LATER, 10) == 1
    with pytest.raises(NotFound):
        place.records.get_job(old.id)
    assert place.catalog.read_log(Lock.JOB, old.id) == []
    assert place.records.get_job(newest.id).status is JobStatus.SUCCEEDED
    assert place.catalog.read_log(Lock.JOB, newest.id) == ["a line"]
    assert place.records.forget_jobs(LATER, 10) == 0


def test_the_newest_of_each_database_kind_and_status_is_never_forgotten(place: Place) -> None:
    kept = {
        ended(place, verify(place, database=database), status).id
        for database in ("shop", "crm")
        for status in (JobStatus.SUCCEEDED, JobStatus.FAILED)
    }
    kept.add(ended(place, place.records.add_job(NewJob(JobKind.CLEANUP, "ann", NOW))).id)
    assert place.records.forget_jobs(LATER, 10) == 0
    again = ended(place, place.records.add_job(NewJob(JobKind.CLEANUP, "ann", NOW)))
    assert place.records.forget_jobs(LATER, 10) == 1
    assert set(numbers(place)) == {*kept, again.id} - {max(kept)}


def test_what_waits_or_runs_is_never_forgotten(place: Place) -> None:
    waiting, works = verify(place, 1), running(place, verify(place, 2))
    newer = [verify(place, 3), running(place, verify(place, 4))]
    assert place.records.forget_jobs(LATER, 10) == 0
    assert numbers(place) == [waiting.id, works.id, *(job.id for job in newer)]


@pytest.mark.parametrize("status", [RestoreStatus.RUNNING, RestoreStatus.UNDOING])
def test_a_job_stays_as_long_as_its_restore_has_not_ended(place: Place, status: RestoreStatus) -> None:
    job = restore_job(place, ends_with=status)
    over = restore_job(place, ends_with=RestoreStatus.COMPLETED)
    newest = restore_job(place, ends_with=RestoreStatus.COMPLETED)
    assert place.records.forget_jobs(LATER, 10) == 1
    assert numbers(place) == [job.id, newest.id]
    assert over.id not in numbers(place)


def test_a_job_stays_as_long_as_its_backup_has_not_ended(place: Place) -> None:
    job = ended(place, backup_job(place), JobStatus.FAILED)
    newer = ended(place, backup_job(place), JobStatus.FAILED)
    assert place.records.forget_jobs(LATER, 10) == 0
    backup = place.catalog.get_backup(job.subject_id or 0)
    place.catalog.save_backup(replace(backup, status=BackupStatus.CANCELLED), expected=BackupStatus.PENDING)
    assert place.records.forget_jobs(LATER, 10) == 1
    assert numbers(place) == [newer.id]


def test_no_more_is_forgotten_at_once_than_was_said(place: Place) -> None:
    for _ in range(6):
        ended(place, verify(place))
    assert [place.records.forget_jobs(LATER, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_numbers_of_forgotten_jobs_are_not_given_again(place: Place) -> None:
    for _ in range(3):
        last = ended(place, verify(place))
    place.records.forget_jobs(LATER, 10)
    assert verify(place).id > last.id


def test_the_log_of_a_backup_goes_when_the_backup_has_been_gone_for_long(place: Place) -> None:
    backups = [
        place.catalog.create_backup(
            "shop", storage_url="file:///b", options=OPTIONS, trigger=BackupTrigger.MANUAL_API, now=NOW
        )
        for _ in range(3)
    ]
    gone, deleting, there = backups
    test = place.catalog.create_restore_test(gone, NOW)
    other = place.catalog.create_restore_test(there, NOW)
    for backup in backups:
        place.catalog.append_log(Lock.BACKUP, backup.id, ["a line"], NOW)
    for one in (test, other):
        place.catalog.append_log(Lock.RESTORE_TEST, one.id, ["a line"], NOW)
    place.catalog.change_backup(gone.id, lambda one: replace(one, status=BackupStatus.RUNNING))
    place.catalog.change_backup(gone.id, lambda one: replace(one, status=BackupStatus.COMPLETED))
    place.catalog.change_backup(gone.id, lambda one: replace(one, status=BackupStatus.EXPIRED, deletion_started_at=NOW))
    place.catalog.change_backup(deleting.id, lambda one: replace(one, deletion_started_at=NOW))
    assert place.catalog.forget_logs(NOW, 10) == 0
    assert place.catalog.forget_logs(LATER, 1) == 1
    assert place.catalog.forget_logs(LATER, 10) == 1
    assert place.catalog.forget_logs(LATER, 10) == 0
    assert place.catalog.read_log(Lock.BACKUP, gone.id) == place.catalog.read_log(Lock.RESTORE_TEST, test.id) == []
    assert place.catalog.read_log(Lock.BACKUP, deleting.id) == place.catalog.read_log(Lock.BACKUP, there.id) != []
    assert place.catalog.read_log(Lock.RESTORE_TEST, other.id) == ["a line"]
    assert place.catalog.get_backup(gone.id).status is BackupStatus.EXPIRED
    assert place.catalog.get_restore_test(test.id).backup_id == gone.id
