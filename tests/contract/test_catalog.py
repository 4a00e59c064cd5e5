"""What every catalog promises: the same assertions on the one in memory and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger, tombstone
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Conflict, NotFound, WorkerLost
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.restore import RestoreOptions, RestoreStatus, RestoreStep
from pgproof.domain.secret import Secret
from pgproof.services.ports import BackupFilter, Catalog, Lock
from tests.fakes.catalog import MemoryCatalog

NOW = datetime(2025, 3, 30, 1, 59, 59, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOP = ConnectionInfo(
    dbname="we\"ird 'näme",
    host="db.example",
    port=6543,
    user="o'wner",
    password=Secret("p@ss/w:rd %"),
    options={"sslmode": "verify-full"},
)


@pytest.fixture(params=["memory", "postgres"])
def any_catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    if request.param == "memory":
        yield MemoryCatalog()
    else:
        yield request.getfixturevalue("catalog")


def new_backup(
    catalog: Catalog,
    database: str = "shop",
    *,
    trigger: BackupTrigger = BackupTrigger.MANUAL_CLI,
    now: datetime = NOW,
    options: BackupOptions | None = None,
) -> Backup:
    return catalog.create_backup(
        database, storage_url="file:///backups", options=options or BackupOptions(), trigger=trigger, now=now
    )


def completed(catalog: Catalog, database: str = "shop", *, now: datetime = NOW, size: int = 10) -> Backup:
    return advance(
        catalog,
        new_backup(catalog, database, now=now),
        replace_with={"file_size": size, "completed_at": now + HOUR},
        path=(BackupStatus.RUNNING, BackupStatus.COMPLETED),
    )


def advance(
    catalog: Catalog, backup: Backup, *, path: tuple[BackupStatus, ...], replace_with: dict[str, Any] | None = None
) -> Backup:
    for status in path:
        following = replace(backup, status=status, **(replace_with or {}))
        catalog.save_backup(following, expected=backup.status)
        backup = following
    return backup


# Databases


def test_a_registered_database_comes_back_as_it_went_in(any_catalog: Catalog) -> None:
    added = any_catalog.add_database("Shop ä", SHOP)
    assert any_catalog.get_database("Shop ä") == added == Database(added.id, "Shop ä", SHOP)


def test_a_database_without_password_has_none_afterwards(any_catalog: Catalog) -> None:
    plain = ConnectionInfo(dbname="shop", host="/run/postgresql")
    any_catalog.add_database("shop", plain)
    assert any_catalog.get_database("shop").connection == plain


def test_a_name_is_registered_only_once(any_catalog: Catalog) -> None:
    any_catalog.add_database("shop", SHOP)
    with pytest.raises(Conflict, match='"shop"'):
        any_catalog.add_database("shop", replace(SHOP, host="other"))
    assert any_catalog.get_database("shop").connection == SHOP


def test_databases_are_listed_by_name(any_catalog: Catalog) -> None:
    for name in ("b", "B", "a-1", "a"):
        any_catalog.add_database(name, SHOP)
    assert [database.name for database in any_catalog.list_databases()] == ["B", "a", "a-1", "b"]


def test_a_connection_can_be_stored_anew(any_catalog: Catalog) -> None:
    added = any_catalog.add_database("shop", SHOP)
    moved = replace(added, connection=ConnectionInfo(dbname="shop", host="other", password=Secret("new")))
    any_catalog.update_database(moved)
    assert any_catalog.get_database("shop") == moved


def test_it_is_known_whether_the_settings_registered_a_database(any_catalog: Catalog) -> None:
    added = any_catalog.add_database("shop", SHOP, from_settings=True)
    assert any_catalog.get_database("shop") == added == Database(added.id, "shop", SHOP, from_settings=True)
    any_catalog.update_database(replace(added, from_settings=False))
    assert any_catalog.list_databases() == [replace(added, from_settings=False)]


def test_a_removed_database_leaves_its_backups(any_catalog: Catalog) -> None:
    any_catalog.add_database("shop", SHOP)
    backup = new_backup(any_catalog)
    any_catalog.remove_database("shop")
    assert any_catalog.list_databases() == []
    assert any_catalog.get_backup(backup.id) == backup


def test_an_unknown_database_is_not_found(any_catalog: Catalog) -> None:
    with pytest.raises(NotFound, match='"shop"'):
        any_catalog.get_database("shop")
    with pytest.raises(NotFound, match='"shop"'):
        any_catalog.remove_database("shop")
    with pytest.raises(NotFound, match='"shop"'):
        any_catalog.update_database(Database(1, "shop", SHOP))


# Backups


def test_a_new_backup_is_pending_and_named_after_its_id(any_catalog: Catalog) -> None:
    options = BackupOptions(
        format=ArchiveFormat.DIRECTORY,
        compression=Compression.GZIP,
        compression_level=9,
        parallel_jobs=4,
        include_logs=True,
        include_cache=True,
        description="before the move",
        fingerprint=FingerprintLevel.CONTENT,
    )
    backup = new_backup(any_catalog, "we/ird", options=options, trigger=BackupTrigger.SCHEDULED_CRON)
    stem = f"backup_20250330_015959_{backup.id}"
    assert backup.filename == f"{stem}.tar.gz"
    assert backup.file_path == f"we%2Fird/{stem}/{stem}.tar.gz"
    assert backup.status is BackupStatus.PENDING
    assert any_catalog.get_backup(backup.id) == backup


def test_a_backup_that_begins_is_running_and_owned_until_its_block_ends(any_catalog: Catalog) -> None:
    begun = any_catalog.begin_backup(
        "shop", storage_url="file:///backups", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    with begun as running:
        assert (running.status, running.started_at) == (BackupStatus.RUNNING, NOW)
        assert any_catalog.get_backup(running.id) == running
        assert any_catalog.is_owned(Lock.BACKUP, running.id)
        any_catalog.check_owned(Lock.BACKUP, running.id)
    assert not any_catalog.is_owned(Lock.BACKUP, running.id)
    assert any_catalog.get_backup(running.id) == running


def test_level_zero_and_no_wish_for_a_compression_come_back_as_such(any_catalog: Catalog) -> None:
    backup = new_backup(any_catalog, options=BackupOptions(compression_level=0))
    stored = any_catalog.get_backup(backup.id)
    assert (stored.options.compression_level, stored.options.compression) == (0, None)
    assert stored.compression is Compression.NONE


def test_every_field_of_a_backup_is_kept(any_catalog: Catalog) -> None:
    pending = new_backup(any_catalog)
    running = replace(pending, status=BackupStatus.RUNNING, started_at=NOW)
    any_catalog.save_backup(running, expected=BackupStatus.PENDING)
    done = replace(
        running,
        status=BackupStatus.COMPLETED,
        file_size=5 * 2**40,
        checksum_sha256="0f" * 32,
        completed_at=NOW + timedelta(hours=1),
        duration_seconds=3600,
        error_message="almost",
        error_details={"stderr": ["a", "b"], "exit_status": 1},
        database_size_bytes=9 * 2**40,
        tables_count=10_000,
        expires_at=NOW + timedelta(days=7),
        held=True,
        verified_at=NOW + timedelta(hours=2),
        held_until=NOW + timedelta(days=1),
        deletion_started_at=NOW + timedelta(days=2),
        deletion_target=BackupStatus.EXPIRED,
    )
    any_catalog.save_backup(done, expected=BackupStatus.RUNNING)
    assert any_catalog.get_backup(pending.id) == done


def test_times_of_any_zone_stay_the_same_moment(any_catalog: Catalog) -> None:
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    stored = any_catalog.get_backup(new_backup(any_catalog, now=local).id)
    assert stored.created_at == NOW
    assert stored.created_at.utcoffset() is not None


def test_a_backup_whose_status_changed_meanwhile_is_not_overwritten(any_catalog: Catalog) -> None:
    pending = new_backup(any_catalog)
    any_catalog.save_backup(replace(pending, status=BackupStatus.CANCELLED), expected=BackupStatus.PENDING)
    with pytest.raises(Conflict, match="is cancelled, not pending"):
        any_catalog.save_backup(replace(pending, status=BackupStatus.RUNNING), expected=BackupStatus.PENDING)
    assert any_catalog.get_backup(pending.id).status is BackupStatus.CANCELLED


def test_an_illegal_transition_is_refused(any_catalog: Catalog) -> None:
    pending = new_backup(any_catalog)
    with pytest.raises(Conflict, match="pending cannot become completed"):
        any_catalog.save_backup(replace(pending, status=BackupStatus.COMPLETED), expected=BackupStatus.PENDING)
    assert any_catalog.get_backup(pending.id) == pending


def test_fields_can_change_while_the_status_stays(any_catalog: Catalog) -> None:
    backup = completed(any_catalog)
    held = replace(backup, held=True, verified_at=NOW)
    any_catalog.save_backup(held, expected=BackupStatus.COMPLETED)
    assert any_catalog.get_backup(backup.id) == held


def test_a_change_is_made_to_what_is_stored_now(any_catalog: Catalog) -> None:
    backup = completed(any_catalog)
    any_catalog.change_backup(backup.id, lambda stored: replace(stored, held=True))
    changed = any_catalog.change_backup(backup.id, lambda stored: replace(stored, verified_at=NOW))
    assert changed == any_catalog.get_backup(backup.id) == replace(backup, held=True, verified_at=NOW)


def test_a_change_that_raises_stores_nothing(any_catalog: Catalog) -> None:
    backup = completed(any_catalog)

    def refuse(stored: Backup) -> Backup:
        raise Conflict(f"not {stored.id}")

    with pytest.raises(Conflict, match=f"not {backup.id}"):
        any_catalog.change_backup(backup.id, refuse)
    with pytest.raises(Conflict, match="completed cannot become running"):
        any_catalog.change_backup(backup.id, lambda stored: replace(stored, status=BackupStatus.RUNNING))
    assert any_catalog.get_backup(backup.id) == backup


def test_changes_at_the_same_moment_are_all_kept(any_catalog: Catalog) -> None:
    backup = completed(any_catalog, size=0)

    def grow(_: int) -> None:
        any_catalog.change_backup(backup.id, lambda stored: replace(stored, file_size=(stored.file_size or 0) + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(grow, range(40)))
    assert any_catalog.get_backup(backup.id).file_size == 40


def test_backups_that_are_present_come_oldest_first_and_without_those_that_are_gone(any_catalog: Catalog) -> None:
    young = new_backup(any_catalog, "shop", now=NOW)
    old = completed(any_catalog, "app", now=NOW - HOUR)
    for path in ((BackupStatus.EXPIRED,), (BackupStatus.DELETED,)):
        advance(any_catalog, completed(any_catalog), path=path)
    assert any_catalog.present_backups() == [old, young]


def test_what_is_being_deleted_is_present_but_not_counted_as_usable(any_catalog: Catalog) -> None:
    late, early, gone = (
        any_catalog.change_backup(completed(any_catalog).id, partial(tombstone, target=BackupStatus.DELETED, now=when))
        for when in (NOW + HOUR, NOW, NOW)
    )
    any_catalog.change_backup(gone.id, lambda stored: replace(stored, status=BackupStatus.DELETED))
    completed(any_catalog, size=7)
    assert any_catalog.unfinished_deletions() == [early, late]
    assert {one.id for one in any_catalog.present_backups()} > {late.id, early.id}
    found = any_catalog.backup_stats()
    assert (found.total_backups, found.completed_backups, found.total_size) == (3, 1, 7)


@pytest.mark.parametrize("unknown", [0, -1, 4711, 2**63, 10**30])
def test_an_unknown_id_is_not_found(any_catalog: Catalog, unknown: int) -> None:
    backup = new_backup(any_catalog)
    with pytest.raises(NotFound, match=str(unknown)) as no_backup:
        any_catalog.get_backup(unknown)
    assert "`pgproof list`" in no_backup.value.hint
    with pytest.raises(NotFound, match=str(unknown)) as no_restore:
        any_catalog.get_restore(unknown)
    assert "`pgproof list --restores`" in no_restore.value.hint
    with pytest.raises(NotFound, match=str(unknown)):
        any_catalog.save_backup(replace(backup, id=unknown), expected=BackupStatus.PENDING)
    with pytest.raises(NotFound, match=str(unknown)):
        any_catalog.change_backup(unknown, lambda stored: stored)


def test_backups_are_listed_newest_first_and_up_to_a_limit(any_catalog: Catalog) -> None:
    middle = new_backup(any_catalog, now=NOW)
    newest = new_backup(any_catalog, now=NOW + timedelta(seconds=1))
    oldest = new_backup(any_catalog, now=NOW - timedelta(seconds=1))
    same_moment = new_backup(any_catalog, now=NOW)
    assert any_catalog.list_backups(BackupFilter()) == [newest, same_moment, middle, oldest]
    assert any_catalog.list_backups(BackupFilter(limit=2)) == [newest, same_moment]


def test_filters_narrow_the_list_together(any_catalog: Catalog) -> None:
    shop = completed(any_catalog, "shop")
    new_backup(any_catalog, "shop")
    completed(any_catalog, "shop-prod")
    safety = new_backup(any_catalog, "shop", trigger=BackupTrigger.PRE_RESTORE_SAFETY)
    assert any_catalog.list_backups(BackupFilter(database="shop", status=BackupStatus.COMPLETED)) == [shop]
    assert any_catalog.list_backups(BackupFilter(trigger_source=BackupTrigger.PRE_RESTORE_SAFETY)) == [safety]
    assert any_catalog.list_backups(BackupFilter(database="sho%")) == []


def test_totals_of_an_empty_catalog_are_zero(any_catalog: Catalog) -> None:
    found = any_catalog.backup_stats()
    assert (found.total_backups, found.completed_backups, found.total_size) == (0, 0, 0)
    assert found.latest_backup_at is None


def test_totals_count_what_is_usable_and_size_only_that(any_catalog: Catalog) -> None:
    completed(any_catalog, now=NOW, size=2**41)
    restored = completed(any_catalog, now=NOW + timedelta(days=1), size=5)
    advance(any_catalog, restored, path=(BackupStatus.RESTORED,))
    later = NOW + timedelta(days=2)
    failed = replace(new_backup(any_catalog, now=later), file_size=100, completed_at=later)
    advance(any_catalog, failed, path=(BackupStatus.RUNNING, BackupStatus.FAILED))
    advance(any_catalog, completed(any_catalog, size=1000), path=(BackupStatus.DELETED,))
    found = any_catalog.backup_stats()
    assert (found.total_backups, found.completed_backups, found.total_size) == (3, 2, 2**41 + 5)
    assert found.latest_backup_at == NOW + timedelta(days=1) + HOUR


# Restores


def test_a_new_restore_runs_and_names_its_databases(any_catalog: Catalog) -> None:
    options = RestoreOptions(create_safety_backup=False, run_analyze=False, parallel_jobs=7)
    restore = any_catalog.create_restore(completed(any_catalog, "shop"), "shop_db", options, NOW)
    assert restore.shadow_database == f"shop_db__pgproof_shadow_{restore.id}"
    assert restore.previous_database == f"shop_db__pgproof_previous_{restore.id}"
    assert (restore.database, restore.dbname, restore.options) == ("shop", "shop_db", options)
    assert (restore.status, restore.step) == (RestoreStatus.RUNNING, RestoreStep.PREFLIGHT)
    assert any_catalog.get_restore(restore.id) == restore


def test_every_field_of_a_restore_is_kept(any_catalog: Catalog) -> None:
    backup, safety = completed(any_catalog), completed(any_catalog)
    restore = any_catalog.create_restore(backup, "shop", RestoreOptions(), NOW)
    changed = replace(
        restore,
        status=RestoreStatus.COMPLETED,
        step=RestoreStep.DONE,
        previous_database=None,
        safety_backup_id=safety.id,
        started_at=NOW,
        completed_at=NOW + timedelta(minutes=3),
        duration_seconds=180.25,
        undo_until=NOW + timedelta(days=1),
        timings={"load": 1.5, "swap": 0.01},
        error_message="nothing",
        error_details={"differences": [{"kind": "table"}]},
        databases_dropped_at=NOW + timedelta(days=2),
        transaction="18446744073709551615",
        live_oid=16384,
        shadow_oid=4294967295,
        system_identifier="7300000000000000001",
    )
    any_catalog.save_restore(changed)
    assert any_catalog.get_restore(restore.id) == changed


def test_a_restore_whose_status_changed_meanwhile_is_not_overwritten(any_catalog: Catalog) -> None:
    running = any_catalog.create_restore(completed(any_catalog), "shop", RestoreOptions(), NOW)
    any_catalog.save_restore(replace(running, step=RestoreStep.LOAD), expected=RestoreStatus.RUNNING)
    failed = replace(running, status=RestoreStatus.FAILED)
    any_catalog.save_restore(failed)
    with pytest.raises(Conflict, match="is failed, not running"):
        any_catalog.save_restore(running, expected=RestoreStatus.RUNNING)
    assert any_catalog.get_restore(running.id) == failed


def test_restores_are_listed_newest_first_and_unfinished_ones_oldest_first(any_catalog: Catalog) -> None:
    backup = completed(any_catalog)
    first, second, third, fourth = (
        any_catalog.create_restore(backup, "shop", RestoreOptions(), NOW + timedelta(seconds=number))
        for number in range(4)
    )
    second = replace(second, status=RestoreStatus.COMPLETED)
    third = replace(third, status=RestoreStatus.UNDOING)
    any_catalog.save_restore(second)
    any_catalog.save_restore(third)
    assert any_catalog.list_restores() == [fourth, third, second, first]
    assert any_catalog.list_restores(limit=1) == [fourth]
    other = replace(any_catalog.create_restore(completed(any_catalog), "shop", RestoreOptions(), NOW), database="other")
    any_catalog.save_restore(other)
    assert any_catalog.list_restores(database="other") == [other]
    assert any_catalog.list_restores(limit=1, database="shop") == [fourth]
    other = replace(other, status=RestoreStatus.COMPLETED)
    any_catalog.save_restore(other)
    assert any_catalog.unfinished_restores() == [first, third, fourth]


def test_restores_that_keep_a_database_come_oldest_first(any_catalog: Catalog) -> None:
    backup = completed(any_catalog)
    changes: list[dict[str, Any]] = [
        {"status": RestoreStatus.COMPLETED, "undo_until": NOW},
        {"status": RestoreStatus.UNDONE, "undo_until": NOW},
        {"status": RestoreStatus.COMPLETED, "undo_until": NOW, "previous_database": None},
        {"status": RestoreStatus.COMPLETED, "undo_until": None},
        {"status": RestoreStatus.COMPLETED, "undo_until": NOW, "databases_dropped_at": NOW},
        {"status": RestoreStatus.UNDOING, "undo_until": NOW},
        {"status": RestoreStatus.FAILED, "undo_until": NOW},
    ]
    made = []
    for number, change in enumerate(changes):
        restore = any_catalog.create_restore(backup, "shop", RestoreOptions(), NOW - number * HOUR)
        made.append(replace(restore, **change))
        any_catalog.save_restore(made[-1])
    kept = any_catalog.keeping_restores()
    assert kept == [made[1], made[0]]
    assert [restore.kept_database for restore in kept] == [made[1].shadow_database, made[0].previous_database]


def test_a_restore_needs_a_backup_that_exists(any_catalog: Catalog) -> None:
    backup = replace(completed(any_catalog), id=4711)
    with pytest.raises(NotFound, match="4711"):
        any_catalog.create_restore(backup, "shop", RestoreOptions(), NOW)


def test_an_unknown_restore_cannot_be_saved(any_catalog: Catalog) -> None:
    restore = any_catalog.create_restore(completed(any_catalog), "shop", RestoreOptions(), NOW)
    with pytest.raises(NotFound, match="4711"):
        any_catalog.save_restore(replace(restore, id=4711))


# Logs


def test_a_log_keeps_its_lines_in_their_order(any_catalog: Catalog) -> None:
    for number in range(5):
        any_catalog.append_log(Lock.BACKUP, 7, [f"{number} a", f"{number} b\nsame line"], NOW)
    any_catalog.append_log(Lock.BACKUP, 7, [], NOW)
    assert any_catalog.read_log(Lock.BACKUP, 7) == [
        line for number in range(5) for line in (f"{number} a", f"{number} b\nsame line")
    ]


def test_the_logs_of_jobs_do_not_mix(any_catalog: Catalog) -> None:
    any_catalog.append_log(Lock.BACKUP, 1, ["backup"], NOW)
    any_catalog.append_log(Lock.RESTORE, 1, ["restore"], NOW)
    assert any_catalog.read_log(Lock.BACKUP, 1) == ["backup"]
    assert any_catalog.read_log(Lock.RESTORE, 1) == ["restore"]
    assert any_catalog.read_log(Lock.BACKUP, 2) == []


# Ownership


def test_a_job_has_one_owner_at_a_time(any_catalog: Catalog) -> None:
    with any_catalog.own(Lock.BACKUP, 1):
        assert any_catalog.is_owned(Lock.BACKUP, 1)
        with pytest.raises(Conflict, match="backup 1"), any_catalog.own(Lock.BACKUP, 1):
            pass
        assert any_catalog.is_owned(Lock.BACKUP, 1)
    assert not any_catalog.is_owned(Lock.BACKUP, 1)
    with any_catalog.own(Lock.BACKUP, 1):
        pass


def test_an_owner_can_ask_whether_it_still_is_one(any_catalog: Catalog) -> None:
    with any_catalog.own(Lock.BACKUP, 1):
        any_catalog.check_owned(Lock.BACKUP, 1)
        for kind, number in ((Lock.RESTORE, 1), (Lock.BACKUP, 2)):
            with pytest.raises(WorkerLost, match=f"{kind.name.lower()} {number}"):
                any_catalog.check_owned(kind, number)
    with pytest.raises(WorkerLost, match="backup 1"):
        any_catalog.check_owned(Lock.BACKUP, 1)


def test_ownership_ends_with_an_error(any_catalog: Catalog) -> None:
    with pytest.raises(RuntimeError, match="broken"), any_catalog.own(Lock.RESTORE, 1):
        raise RuntimeError("broken")
    assert not any_catalog.is_owned(Lock.RESTORE, 1)


def test_kinds_and_ids_are_owned_apart(any_catalog: Catalog) -> None:
    with ExitStack() as stack:
        stack.enter_context(any_catalog.own(Lock.BACKUP, 1))
        stack.enter_context(any_catalog.own(Lock.RESTORE, 1))
        stack.enter_context(any_catalog.own(Lock.BACKUP, 2))
        assert not any_catalog.is_owned(Lock.DATABASE, 1)
        assert not any_catalog.is_owned(Lock.RESTORE, 2)


class TestAdoptedBackups:
    def found(self, number: int, name: str = "") -> Backup:
        stem = f"backup_20250330_015959_{number}{name}"
        return Backup(
            id=number,
            database="shop",
            filename=f"{stem}.dump",
            file_path=f"shop/{stem}/{stem}.dump",
            storage_url="file:///backups",
            options=BackupOptions(description="näme"),
            compression=Compression.NONE,
            status=BackupStatus.COMPLETED,
            trigger_source=BackupTrigger.IMPORTED,
            created_at=NOW,
            started_at=NOW,
            completed_at=NOW + HOUR,
            file_size=7,
            held=True,
            held_until=NOW + HOUR,
        )

    def test_one_keeps_its_number_and_later_ones_get_higher_ones(self, any_catalog: Catalog) -> None:
        adopted = any_catalog.adopt_backup(self.found(41))
        assert adopted == self.found(41)
        assert any_catalog.get_backup(41) == adopted
        assert new_backup(any_catalog).id > 41

    def test_a_lower_number_never_turns_the_numbers_back(self, any_catalog: Catalog) -> None:
        any_catalog.adopt_backup(self.found(41))
        any_catalog.adopt_backup(self.found(3))
        assert new_backup(any_catalog).id > 41

    def test_one_whose_number_is_taken_gets_another_and_overwrites_nothing(self, any_catalog: Catalog) -> None:
        there = any_catalog.adopt_backup(self.found(41))
        adopted = any_catalog.adopt_backup(self.found(41, "_other"))
        assert adopted.id > 41
        assert any_catalog.get_backup(41) == there
        assert any_catalog.get_backup(adopted.id) == replace(self.found(41, "_other"), id=adopted.id)

    def test_one_whose_file_name_is_known_is_refused(self, any_catalog: Catalog) -> None:
        there = any_catalog.adopt_backup(self.found(41))
        with pytest.raises(Conflict, match="known already"):
            any_catalog.adopt_backup(replace(self.found(41), id=42, file_path="copy/x/y.dump"))
        assert list(any_catalog.present_backups()) == [there]
