"""What every catalog promises about restore tests: the same on the one in memory and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.errors import NotFound
from pgproof.domain.fingerprint import Difference
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    Verdict,
)
from pgproof.services.ports import Catalog, Lock
from tests.fakes.catalog import MemoryCatalog

NOW = datetime(2025, 3, 30, 1, 59, 59, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["memory", "postgres"])
def any_catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    if request.param == "memory":
        yield MemoryCatalog()
    else:
        yield request.getfixturevalue("catalog")


@pytest.fixture
def backup(any_catalog: Catalog) -> Backup:
    return new_backup(any_catalog)


def new_backup(catalog: Catalog) -> Backup:
    return catalog.create_backup(
        "shop", storage_url="file:///b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )


def test_a_new_test_runs_and_says_nothing_yet(any_catalog: Catalog, backup: Backup) -> None:
    test = any_catalog.create_restore_test(backup, NOW)
    running = RestoreTest(test.id, backup.id, "shop", RestoreTestStatus.RUNNING, RestoreTestStep.PREFLIGHT, NOW)
    assert any_catalog.get_restore_test(test.id) == test == running
    assert test.outcome is None


def test_every_field_of_a_test_is_kept(any_catalog: Catalog, backup: Backup) -> None:
    test = any_catalog.create_restore_test(backup, NOW)
    done = replace(
        test,
        status=RestoreTestStatus.COMPLETED,
        step=RestoreTestStep.DONE,
        completed_at=NOW + SECOND,
        duration_seconds=1.25,
        timings={"load": 0.5},
        server="PostgreSQL 18.4, one of its own",
        system_identifier="7300000000000000001",
        database_name="pgproof_restore_test_1_ab",
        database_oid=4_294_967_295,
        verdict=Verdict(
            outcome=RestoreTestOutcome.FAILED,
            differences=(
                Difference("table", 'public."odd \'näme"', "3 rows", None),
                Difference("definition", "VIEW public.v", None, "CREATE VIEW"),
            ),
            missing=("extension hstore",),
            compared={"tables": 3, "rows": 10**12},
            remarks=("a remark",),
            error_message="pg_restore ended with exit status 1",
            error_details={"stderr": ["a", "b"], "exit_status": 1},
        ),
    )
    any_catalog.save_restore_test(done)
    assert any_catalog.get_restore_test(test.id) == done


def test_a_test_that_ended_early_has_an_error_and_no_verdict(any_catalog: Catalog, backup: Backup) -> None:
    test = any_catalog.create_restore_test(backup, NOW)
    lost = replace(
        test, status=RestoreTestStatus.FAILED, error_message="it died", error_details={"code": "worker_lost"}
    )
    any_catalog.save_restore_test(lost)
    assert any_catalog.get_restore_test(test.id) == lost


def test_tests_are_listed_newest_first_and_unfinished_ones_oldest_first(any_catalog: Catalog, backup: Backup) -> None:
    other = new_backup(any_catalog)
    tests = [any_catalog.create_restore_test(one, NOW + SECOND * n) for n, one in enumerate([backup, other, backup])]
    any_catalog.save_restore_test(replace(tests[1], status=RestoreTestStatus.COMPLETED))
    assert [one.id for one in any_catalog.list_restore_tests()] == [test.id for test in reversed(tests)]
    assert [one.id for one in any_catalog.list_restore_tests(1)] == [tests[2].id]
    assert [one.id for one in any_catalog.list_restore_tests(backup_id=other.id)] == [tests[1].id]
    assert [one.id for one in any_catalog.unfinished_restore_tests()] == [tests[0].id, tests[2].id]


def test_since_when_a_backup_is_proven_is_kept(any_catalog: Catalog, backup: Backup) -> None:
    any_catalog.change_backup(backup.id, lambda one: replace(one, proven_at=NOW))
    assert any_catalog.get_backup(backup.id).proven_at == NOW
    any_catalog.change_backup(backup.id, lambda one: replace(one, proven_at=None))
    assert any_catalog.get_backup(backup.id).proven_at is None


def test_what_is_not_there_is_not_found(any_catalog: Catalog, backup: Backup) -> None:
    test = any_catalog.create_restore_test(backup, NOW)
    with pytest.raises(NotFound, match="restore test 4711"):
        any_catalog.get_restore_test(4711)
    with pytest.raises(NotFound, match="restore test 4711"):
        any_catalog.save_restore_test(replace(test, id=4711))
    with pytest.raises(NotFound, match="backup 4711"):
        any_catalog.create_restore_test(replace(backup, id=4711), NOW)


def test_the_log_and_the_ownership_of_a_test_are_its_own(any_catalog: Catalog) -> None:
    any_catalog.append_log(Lock.RESTORE_TEST, 1, ["test"], NOW)
    any_catalog.append_log(Lock.RESTORE, 1, ["restore"], NOW)
    assert list(any_catalog.read_log(Lock.RESTORE_TEST, 1)) == ["test"]
    with any_catalog.own(Lock.RESTORE_TEST, 1):
        assert any_catalog.is_owned(Lock.RESTORE_TEST, 1)
        assert not any_catalog.is_owned(Lock.RESTORE, 1)
