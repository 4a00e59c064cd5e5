"""Cleaning up on a real server, catalog and storage: what goes, what stays, and what a crash leaves."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger, tombstone
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import ChecksumMismatch, Conflict, DatabaseMissing, InvalidInput
from pgproof.domain.restore import Restore, RestoreOptions
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

S = BackupStatus
QUICK = RestoreOptions(create_safety_backup=False, run_analyze=False)


@pytest.fixture
def catalog_place(server18: Server) -> ConnectionInfo:
    return server18.create_database()


@pytest.fixture
def settings(tmp_path: Path, catalog_place: ConnectionInfo) -> dict[str, str]:
    return {
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(catalog_place),
        "BACKUP_CLEANUP_MAX_SHARE": "1",
    }


@pytest.fixture
def reopen(make_app: Callable[..., App], settings: dict[str, str]) -> Callable[[], App]:
    return lambda: make_app(**settings)


@pytest.fixture
def app(reopen: Callable[[], App]) -> App:
    return reopen()


@pytest.fixture
def shop(server18: Server, app: App) -> Database:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    return app.databases.add("shop", to_url(place))


def take(app: App, shop: Database, *, days: int) -> Backup:
    """A real backup, and its record made so many days older."""
    wanted = app.backups.request(shop, BackupOptions(), BackupTrigger.SCHEDULED_CRON)
    taken = app.backups.take(wanted.id, Recorder())
    return app.catalog.change_backup(taken.id, partial(made_older, age=timedelta(days=days)))


def made_older(backup: Backup, age: timedelta) -> Backup:
    return replace(backup, created_at=backup.created_at - age, started_at=backup.taken_at - age)


def status(app: App, backup: Backup) -> BackupStatus:
    return app.catalog.get_backup(backup.id).status


def folders(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "backups").glob("*/*")}


def name_of(backup: Backup) -> str:
    return backup.folder.rpartition("/")[2]


def test_what_no_rule_keeps_goes_and_what_stays_is_whole(
    app: App, shop: Database, server18: Server, tmp_path: Path
) -> None:
    old, young = take(app, shop, days=8), take(app, shop, days=1)
    held = app.backups.hold(take(app, shop, days=9).id, held=True)
    done = app.expiry.sweep(app.expiry.plan(app.clock.now()))
    assert [backup.id for backup in done.expired] == [old.id]
    assert (status(app, old), status(app, young), status(app, held)) == (S.EXPIRED, S.COMPLETED, S.COMPLETED)
    assert folders(tmp_path) == {name_of(young), name_of(held)}
    server18.sql(shop.connection, "DELETE FROM t")
    app.restores.restore(young.id, QUICK, Recorder())
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(1000,)]
    with pytest.raises(Conflict, match="is expired"):
        app.restores.restore(old.id, QUICK, Recorder())


def test_trap_19_after_an_outage_the_last_good_backup_is_still_there(
    app: App, shop: Database, server18: Server
) -> None:
    last, older = take(app, shop, days=30), take(app, shop, days=31)
    done = app.expiry.sweep(app.expiry.plan(app.clock.now()))
    assert [backup.id for backup in done.expired] == [older.id]
    assert app.backups.verify(last.id, Recorder()).backup.id == last.id


def test_trap_24_a_delete_that_fails_stops_nothing_and_is_finished_when_it_can_be(
    reopen: Callable[[], App], app: App, shop: Database, tmp_path: Path
) -> None:
    first, stuck, last, young = (take(app, shop, days=days) for days in (12, 11, 10, 1))
    folder = tmp_path / "backups" / stuck.folder
    folder.rename(tmp_path / "aside")
    folder.symlink_to(tmp_path / "aside")  # the storage refuses to follow it
    done = app.expiry.sweep(app.expiry.plan(app.clock.now()))
    assert [backup.id for backup in done.expired] == [first.id, last.id]
    assert [(one.what, type(one.error)) for one in done.failures] == [(f"backup {stuck.id} of shop", InvalidInput)]
    row = app.catalog.get_backup(stuck.id)
    assert (row.status, row.being_deleted) == (S.COMPLETED, True), "the row does not go while the objects stay"
    assert "cannot be settled now" in reopen().settled[0]

    folder.unlink()
    (tmp_path / "aside").rename(folder)
    again = reopen()
    assert again.settled == [f"backup {stuck.id}: its deletion had been interrupted; it is finished"]
    assert status(again, stuck) is S.EXPIRED
    assert folders(tmp_path) == {name_of(young)}


@pytest.mark.parametrize("objects_gone", ["0", "1", "4", "all"])
def test_a_cleanup_that_was_killed_after_the_tombstone_is_finished_by_the_next_start(
    reopen: Callable[[], App],
    app: App,
    shop: Database,
    settings: dict[str, str],
    tmp_path: Path,
    objects_gone: str,
) -> None:
    old, young = take(app, shop, days=8), take(app, shop, days=1)
    child = subprocess.run(
        [sys.executable, "-m", "tests.e2e.killed_cleanup", objects_gone],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    left = list((tmp_path / "backups" / old.folder).glob("*"))
    assert len(left) == (0 if objects_gone == "all" else 5 - int(objects_gone))
    row = app.catalog.get_backup(old.id)
    assert (row.status, row.being_deleted) == (S.COMPLETED, True)
    with pytest.raises(Conflict, match="is being deleted"):
        app.restores.restore(old.id, QUICK, Recorder())
    with pytest.raises(Conflict, match="is being deleted"):
        app.backups.verify(old.id, Recorder())

    again = reopen()
    assert again.settled == [f"backup {old.id}: its deletion had been interrupted; it is finished"]
    assert status(again, old) is S.EXPIRED
    assert folders(tmp_path) == {name_of(young)}


def close_window(app: App, restore: Restore) -> None:
    app.catalog.save_restore(replace(app.catalog.get_restore(restore.id), undo_until=app.clock.now()))


def test_a_previous_database_is_dropped_only_after_its_undo_window(app: App, shop: Database, server18: Server) -> None:
    backup = take(app, shop, days=1)
    server18.sql(shop.connection, "DELETE FROM t WHERE i > 10")
    first = app.restores.restore(backup.id, RestoreOptions(), Recorder())
    second = app.restores.restore(backup.id, QUICK, Recorder())
    assert app.expiry.sweep(app.expiry.plan(app.clock.now())).dropped == []
    close_window(app, first)
    done = app.expiry.sweep(app.expiry.plan(app.clock.now()))
    assert [kept.name for kept in done.dropped] == [first.previous_database]
    names = set(app.server.list_databases(shop.connection))
    assert first.previous_database not in names
    assert {shop.connection.dbname, second.previous_database} <= names
    app.restores.undo(second.id, Recorder())
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(1000,)]
    with pytest.raises(DatabaseMissing) as gone:
        app.restores.undo(first.id, Recorder())
    assert gone.value.hint == f"Restore the safety backup instead: pgproof restore {first.safety_backup_id}"


def test_what_an_undo_swapped_out_is_dropped_only_after_the_window_and_never_the_live_database(
    app: App, shop: Database, server18: Server
) -> None:
    backup = take(app, shop, days=1)
    server18.sql(shop.connection, "DELETE FROM t WHERE i > 10")
    restore = app.restores.restore(backup.id, QUICK, Recorder())
    app.restores.undo(restore.id, Recorder())
    assert app.expiry.sweep(app.expiry.plan(app.clock.now())).dropped == []
    close_window(app, restore)
    done = app.expiry.sweep(app.expiry.plan(app.clock.now()))
    assert [kept.name for kept in done.dropped] == [restore.shadow_database]
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(10,)]
    assert restore.shadow_database not in app.server.list_databases(shop.connection)


def test_a_safety_backup_is_held_until_its_restore_cannot_be_undone(app: App, shop: Database) -> None:
    backup = take(app, shop, days=1)
    restore = app.restores.restore(backup.id, RestoreOptions(), Recorder())
    assert restore.safety_backup_id is not None
    safety = app.catalog.get_backup(restore.safety_backup_id)
    assert (safety.held, safety.held_until) == (True, restore.undo_until)
    kept_by_hand = app.backups.hold(safety.id, held=True)
    assert kept_by_hand.held_until is None, "a hold by hand ends by hand"


def test_trap_12_a_sweep_during_a_restore_leaves_the_backup_that_it_reads(app: App, shop: Database) -> None:
    read = take(app, shop, days=9)
    take(app, shop, days=1)

    class Sweeper(Recorder):
        def step(self, name: str) -> None:
            super().step(name)
            if name == "load":
                assert app.expiry.sweep(app.expiry.plan(app.clock.now())).expired == []

    sweeper = Sweeper()
    app.restores.restore(read.id, QUICK, sweeper)
    assert "load" in sweeper.steps
    assert status(app, read) is S.RESTORED


def test_trap_12_a_backup_that_is_being_deleted_cannot_be_restored(app: App, shop: Database) -> None:
    backup = take(app, shop, days=1)
    app.catalog.change_backup(backup.id, lambda one: tombstone(one, S.DELETED, app.clock.now()))
    with pytest.raises(Conflict, match="is being deleted"):
        app.restores.restore(backup.id, QUICK, Recorder())
    assert app.catalog.list_restores() == []


def test_a_hold_during_a_verification_is_not_lost(app: App, shop: Database) -> None:
    backup = take(app, shop, days=1)

    class Holder(Recorder):
        def step(self, name: str) -> None:
            super().step(name)
            if name == "table of contents":
                app.backups.hold(backup.id, held=True)

    assert app.backups.verify(backup.id, Holder()).backup.held
    assert app.catalog.get_backup(backup.id).held


def test_a_deletion_during_a_verification_is_no_damage(app: App, shop: Database) -> None:
    backup = take(app, shop, days=1)

    class Deleter(Recorder):
        def step(self, name: str) -> None:
            super().step(name)
            if name.startswith("checksum of globals"):
                app.backups.delete(backup.id)

    with pytest.raises(Conflict, match="is deleted"):
        app.backups.verify(backup.id, Deleter())
    assert status(app, backup) is S.DELETED


def test_a_backup_that_was_found_damaged_does_not_replace_the_last_verified_one(
    app: App, shop: Database, tmp_path: Path
) -> None:
    whole, damaged = take(app, shop, days=9), take(app, shop, days=8)
    archive = tmp_path / "backups" / damaged.file_path
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(ChecksumMismatch):
        app.backups.verify(damaged.id, Recorder())
    assert app.catalog.get_backup(damaged.id).verified_at is None
    assert app.expiry.sweep(app.expiry.plan(app.clock.now())).expired == []
    assert app.backups.verify(whole.id, Recorder()).backup.verified_at is not None


def test_leftovers_in_the_storage_are_removed_only_when_that_is_asked(app: App, shop: Database, tmp_path: Path) -> None:
    backup = take(app, shop, days=1)
    place = tmp_path / "backups" / "shop"
    leftover, unknown = place / "backup_20200101_000000_998", place / "backup_20200101_000000_999"
    for copy in (leftover, unknown):
        shutil.copytree(tmp_path / "backups" / backup.folder, copy)
    (leftover / "manifest.json").unlink()
    plan = app.expiry.plan(app.clock.now())
    assert [one.folder for one in plan.orphans.removable] == ["shop/backup_20200101_000000_998"]
    assert [one.folder for one in plan.orphans.importable] == ["shop/backup_20200101_000000_999"]
    app.expiry.sweep(plan)
    assert leftover.exists()
    app.expiry.sweep(plan, remove_orphans=True)
    assert folders(tmp_path) == {name_of(backup), unknown.name}


def test_the_command_cleans_up_as_cron_would_call_it(
    app: App, shop: Database, settings: dict[str, str], tmp_path: Path
) -> None:
    old, young = take(app, shop, days=8), take(app, shop, days=1)
    done = subprocess.run(
        [sys.executable, "-m", "pgproof", "cleanup", "--yes"],
        env={**os.environ, **settings},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "expired: older than 7 days" in done.stdout
    assert "removed: 1 backup" in done.stdout
    assert (status(app, old), status(app, young)) == (S.EXPIRED, S.COMPLETED)
