"""A process that dies leaves nothing that the next one does not settle."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict
from pgproof.domain.restore import RestoreOptions, RestoreStatus, RestoreStep
from pgproof.services.ports import BackupFilter, Lock
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

BACKUP_STEPS = ["preflight", "dump", "globals", "read back", "manifest"]
RESTORE_STEPS = ["preflight", "safety_backup", "create_shadow", "load", "analyze", "compare", "properties", "swap"]


@pytest.fixture
def settings(tmp_path: Path, server18: Server) -> dict[str, str]:
    return {
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(server18.create_database()),
    }


@pytest.fixture
def kill(settings: dict[str, str], tmp_path: Path) -> Callable[[str, int, str], None]:
    def run(work: str, number: int, step: str) -> None:
        child = subprocess.run(
            [sys.executable, "-m", "tests.e2e.killed", work, str(number), step],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )
        assert child.returncode == -signal.SIGKILL, child.stderr

    return run


@pytest.fixture
def reopen(make_app: Callable[..., App], settings: dict[str, str]) -> Callable[[], App]:
    return lambda: make_app(**settings)


@pytest.fixture
def shop(server18: Server, reopen: Callable[[], App]) -> Database:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    return reopen().databases.add("shop", to_url(place))


@pytest.fixture
def backup(shop: Database, reopen: Callable[[], App]) -> Backup:
    app = reopen()
    wanted = app.backups.request(shop, BackupOptions(), BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, Recorder())


@pytest.mark.parametrize("step", BACKUP_STEPS)
def test_a_backup_that_was_killed_is_settled_as_failed_and_leaves_no_object(
    kill: Callable[[str, int, str], None], shop: Database, reopen: Callable[[], App], tmp_path: Path, step: str
) -> None:
    kill("backup", 0, step)
    app = reopen()
    (row,) = app.catalog.list_backups(BackupFilter())
    assert (row.status, row.error_details["code"]) == (BackupStatus.FAILED, "worker_lost")
    assert app.settled == [f"backup {row.id}: its process died; what it had stored was removed"]
    assert [path for path in (tmp_path / "backups").rglob("*") if path.is_file()] == []
    wanted = app.backups.request(shop, BackupOptions(), BackupTrigger.MANUAL_CLI)
    assert app.backups.take(wanted.id, Recorder()).status is BackupStatus.COMPLETED


@pytest.mark.parametrize("step", RESTORE_STEPS)
def test_a_restore_that_was_killed_leaves_the_live_database_as_it_was(
    kill: Callable[[str, int, str], None],
    shop: Database,
    backup: Backup,
    server18: Server,
    reopen: Callable[[], App],
    step: str,
) -> None:
    server18.sql(shop.connection, "DELETE FROM t WHERE i > 10")
    kill("restore", backup.id, step)
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(10,)]
    app = reopen()
    restore = app.catalog.list_restores()[0]
    assert restore.status is RestoreStatus.FAILED
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(10,)]
    names = app.server.list_databases(shop.connection)
    assert [name for name in names if name.startswith(f"{shop.connection.dbname}__pgproof")] == []
    app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder())
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(1000,)]


def test_an_undo_that_was_killed_before_the_swap_can_be_done_again(
    kill: Callable[[str, int, str], None],
    shop: Database,
    backup: Backup,
    server18: Server,
    reopen: Callable[[], App],
) -> None:
    server18.sql(shop.connection, "DELETE FROM t WHERE i > 10")
    restore = reopen().restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder())
    kill("undo", restore.id, "undo")
    app = reopen()
    assert app.catalog.get_restore(restore.id).status is RestoreStatus.COMPLETED
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(1000,)]
    app.restores.undo(restore.id, Recorder())
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(10,)]


def test_a_swap_that_committed_is_completed_whatever_the_record_says(
    shop: Database, backup: Backup, server18: Server, reopen: Callable[[], App]
) -> None:
    app = reopen()
    restore = app.catalog.create_restore(
        backup, shop.connection.dbname, RestoreOptions(create_safety_backup=False), app.clock.now()
    )
    app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder())
    done = app.catalog.list_restores()[0]
    app.catalog.save_restore(replace(restore, status=RestoreStatus.FAILED))
    app.catalog.save_restore(replace(done, status=RestoreStatus.RUNNING, step=RestoreStep.SWAP, undo_until=None))
    again = reopen()
    settled = again.catalog.get_restore(done.id)
    assert (settled.status, settled.step) == (RestoreStatus.COMPLETED, RestoreStep.DONE)
    assert settled.undo_until is not None
    again.restores.undo(done.id, Recorder())


def test_a_job_that_a_living_process_owns_is_left_alone(shop: Database, reopen: Callable[[], App]) -> None:
    app = reopen()
    pending = app.backups.request(shop, BackupOptions(), BackupTrigger.MANUAL_CLI)
    with app.catalog.own(Lock.BACKUP, pending.id):
        app.catalog.save_backup(replace(pending, status=BackupStatus.RUNNING), expected=BackupStatus.PENDING)
        assert reopen().settled == []
    assert len(reopen().settled) == 1


def test_two_restores_of_one_database_at_once_are_a_conflict(
    shop: Database, backup: Backup, reopen: Callable[[], App]
) -> None:
    app, other = reopen(), reopen()

    class Intruder(Recorder):
        def step(self, name: str) -> None:
            super().step(name)
            if name == "load":
                with pytest.raises(Conflict):
                    other.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder())

    intruder = Intruder()
    app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), intruder)
    assert "load" in intruder.steps


def test_a_backup_that_a_restore_reads_cannot_be_deleted(
    shop: Database, backup: Backup, reopen: Callable[[], App]
) -> None:
    app = reopen()

    class Deleter(Recorder):
        def step(self, name: str) -> None:
            super().step(name)
            if name == "load":
                with pytest.raises(Conflict):
                    app.backups.delete(backup.id)

    app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Deleter())
