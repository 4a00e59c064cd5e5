"""What can go wrong with a backup goes wrong loudly, with a hint, and leaves nothing half-made."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pgproof.bootstrap import App
from pgproof.domain.archive import WRITTEN, ArchiveFormat
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import (
    ArchiveUnreadable,
    Cancelled,
    ChecksumMismatch,
    ClientMissing,
    Conflict,
    DumpFailed,
    IntegrityError,
    ManifestInvalid,
    NotFound,
    ObjectMissing,
    PgproofError,
    PrivilegeMissing,
    RestoreFailed,
    StorageError,
    StorageFull,
)
from pgproof.domain.restore import RestoreOptions, RestoreStatus
from pgproof.services.ports import BackupFilter, Progress
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

MANY_ROWS = "INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i"  # about 13 MB


@pytest.fixture
def place(server18: Server) -> ConnectionInfo:
    database = server18.create_database()
    server18.sql(database, "CREATE TABLE t (i int PRIMARY KEY, text text)", MANY_ROWS)
    return database


@pytest.fixture
def protected(app: App, place: ConnectionInfo) -> Database:
    return app.databases.add("shop", to_url(place))


def back_up(app: App, database: Database, observer: Recorder, options: BackupOptions | None = None) -> Backup:
    wanted = app.backups.request(database, options or BackupOptions(), BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, observer, database=database)


def assert_nothing_half_made(app: App, server: Server, place: ConnectionInfo, folder: Path) -> Backup:
    """No object, no session, no listed success; returns the row of the failure."""
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    activity = "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 30  # a server notices a client that is gone in its own time
    while server.sql(place, activity.format(place.dbname)) != [(0,)]:
        assert time.monotonic() < deadline, "a session was left behind"
        time.sleep(0.05)
    (row,) = app.catalog.list_backups(BackupFilter())
    assert row.status in (BackupStatus.FAILED, BackupStatus.CANCELLED)
    assert row.error_message
    return row


def psql_environment(server: Server) -> dict[str, str]:
    """What psql needs to be found, and to be let in."""
    password = server.connection.password.reveal() if server.connection.password else ""
    return {"PATH": f"{server.bin}{os.pathsep}{os.environ['PATH']}", "PGPASSWORD": password}


class TestServer:
    def test_a_role_that_may_not_read_one_table_is_told_which_before_anything_is_dumped(
        self, app: App, server18: Server, place: ConnectionInfo, recorder: Recorder, tmp_path: Path
    ) -> None:
        role = server18.create_role()
        reader = Database(1, "shop", replace(place, user=role.user, password=role.password))
        app.databases.add("shop", to_url(place))
        with pytest.raises(PrivilegeMissing, match=r"public\.t") as refused:
            back_up(app, reader, recorder)
        assert f'TO "{role.user}"' in refused.value.hint
        assert_nothing_half_made(app, server18, place, tmp_path / "backups")
        server18.sql(place, refused.value.hint.removeprefix("Run there: ").partition(";")[0])
        assert back_up(app, reader, recorder).status is BackupStatus.COMPLETED

    def test_a_failing_registration_registers_nothing(self, app: App) -> None:
        with pytest.raises(PgproofError):
            app.databases.add("down", "postgresql://u@127.0.0.1:1/d")
        with pytest.raises(NotFound):
            app.databases.resolve("down")


class TestTools:
    def test_only_older_clients_is_an_error_that_names_what_is_needed(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder, tmp_path: Path
    ) -> None:
        folder = fake_tools(tmp_path / "old", "pg_dump (PostgreSQL) 15.18")
        app = make_app(BACKUP_PG_BIN=str(folder))
        with pytest.raises(ClientMissing, match="server of version 18") as missing:
            back_up(app, app.databases.resolve(to_url(place)), recorder)
        assert "postgresql-client-18" in missing.value.hint
        assert_nothing_half_made(app, server18, place, tmp_path / "backups")

    def test_a_dump_that_ends_early_is_no_backup(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder, tmp_path: Path
    ) -> None:
        folder = fake_tools(
            tmp_path / "cut", "pg_dump (PostgreSQL) 18.4", f'{server18.bin}/pg_dump "$@" | head -c 99999; exit 1'
        )
        app = make_app(BACKUP_PG_BIN=str(folder))
        with pytest.raises(DumpFailed, match="exit status 1"):
            back_up(app, app.databases.resolve(to_url(place)), recorder)
        assert_nothing_half_made(app, server18, place, tmp_path / "backups")

    def test_a_dump_that_ends_early_and_calls_it_success_is_no_backup_either(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder, tmp_path: Path
    ) -> None:
        folder = fake_tools(
            tmp_path / "lie", "pg_dump (PostgreSQL) 18.4", f'{server18.bin}/pg_dump "$@" --schema-only; exit 0',
            restore=server18.bin / "pg_restore",
        )  # fmt: skip
        app = make_app(BACKUP_PG_BIN=str(folder))
        with pytest.raises(ArchiveUnreadable, match=r"lacks the rows of 1 table: public\.t"):
            back_up(app, app.databases.resolve(to_url(place)), recorder)
        assert_nothing_half_made(app, server18, place, tmp_path / "backups")

    @pytest.mark.parametrize("form", WRITTEN)
    def test_pg_dump_killed_in_the_middle_is_no_backup(
        self, app: App, server18: Server, protected: Database, tmp_path: Path, form: ArchiveFormat
    ) -> None:
        class Killer(Recorder):
            def log(self, line: str) -> None:
                super().log(line)
                if "dumping contents of table" in line:
                    for child in psutil.Process().children():
                        with suppress(psutil.NoSuchProcess):
                            if child.name() == "pg_dump":
                                child.kill()

        with pytest.raises(DumpFailed, match=r"killed by SIGKILL"):
            back_up(app, protected, Killer(), BackupOptions(format=form))
        assert_nothing_half_made(app, server18, protected.connection, tmp_path / "backups")
        assert list((tmp_path / "home" / "staging").glob("*")) == []

    def test_a_cancelled_backup_ends_its_tools_and_is_recorded_as_cancelled(
        self, app: App, server18: Server, protected: Database, tmp_path: Path
    ) -> None:
        cancelled = threading.Event()

        class Canceller(Recorder):
            def progress(self, progress: Progress) -> None:
                if progress.bytes_done:
                    cancelled.set()

        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        with pytest.raises(Cancelled):
            app.backups.take(wanted.id, Canceller(), cancelled=cancelled)
        row = assert_nothing_half_made(app, server18, protected.connection, tmp_path / "backups")
        assert row.status is BackupStatus.CANCELLED


class TestStorage:
    def test_a_folder_that_cannot_be_written_is_found_before_the_dump(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("not a folder")
        app = make_app(BACKUP_DIR=str(tmp_path / "file" / "backups"))
        with pytest.raises(StorageError) as refused:
            back_up(app, app.databases.resolve(to_url(place)), recorder)
        assert refused.value.hint
        assert "dump" not in recorder.steps

    def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(
        self,
        make_app: Callable[..., App],
        server18: Server,
        place: ConnectionInfo,
        recorder: Recorder,
        small_disk: Path,
    ) -> None:
        app = make_app(BACKUP_DIR=str(small_disk))
        with pytest.raises(StorageFull) as full:
            back_up(app, app.databases.resolve(to_url(place)), recorder, BackupOptions(compression_level=0))
        assert full.value.hint
        assert_nothing_half_made(app, server18, place, small_disk)

    def test_a_staging_folder_that_fills_up_leaves_nothing(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder,
        small_disk: Path, tmp_path: Path,
    ) -> None:  # fmt: skip
        app = make_app(BACKUP_STAGING_DIR=str(small_disk / "staging"))
        database = app.databases.resolve(to_url(place))
        with pytest.raises(StorageFull, match="pg_dump") as full:
            back_up(app, database, recorder, BackupOptions(format=ArchiveFormat.DIRECTORY))
        assert "BACKUP_STAGING_DIR" in full.value.hint
        assert_nothing_half_made(app, server18, place, tmp_path / "backups")
        backup = back_up(app, database, recorder)
        with pytest.raises(StorageFull):
            app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)
        assert_untouched(app, server18, place)


def assert_untouched(app: App, server: Server, place: ConnectionInfo) -> None:
    """The live database is as it was, and nothing lies beside it."""
    assert server.sql(place, "SELECT count(*) FROM t") == [(20000,)]
    leftovers = [name for name in app.server.list_databases(place) if name.startswith(f"{place.dbname}__pgproof")]
    assert leftovers == []


class TestDamagedBackup:
    @pytest.fixture
    def backup(self, app: App, protected: Database, recorder: Recorder) -> Backup:
        return back_up(app, protected, recorder)

    @pytest.fixture
    def folder(self, backup: Backup, tmp_path: Path) -> Path:
        return tmp_path / "backups" / backup.folder

    def flip(self, path: Path, position: int) -> None:
        content = bytearray(path.read_bytes())
        content[position] ^= 1
        path.write_bytes(content)

    def assert_refused(
        self, app: App, backup: Backup, error: type[PgproofError], server: Server, place: ConnectionInfo
    ) -> None:
        with pytest.raises(error) as refused:
            app.backups.verify(backup.id, Recorder())
        assert refused.value.hint
        with pytest.raises(error):
            app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder())
        assert_untouched(app, server, place)
        assert app.catalog.list_restores()[0].status is RestoreStatus.FAILED

    def test_an_archive_that_was_truncated(
        self, app: App, backup: Backup, folder: Path, server18: Server, place: ConnectionInfo
    ) -> None:
        archive = folder / backup.filename
        os.truncate(archive, archive.stat().st_size // 2)
        self.assert_refused(app, backup, IntegrityError, server18, place)

    def test_an_archive_with_one_flipped_bit(
        self, app: App, backup: Backup, folder: Path, server18: Server, place: ConnectionInfo
    ) -> None:
        self.flip(folder / backup.filename, (folder / backup.filename).stat().st_size // 2)
        self.assert_refused(app, backup, IntegrityError, server18, place)

    def test_an_archive_that_is_gone(
        self, app: App, backup: Backup, folder: Path, server18: Server, place: ConnectionInfo
    ) -> None:
        (folder / backup.filename).unlink()
        self.assert_refused(app, backup, ObjectMissing, server18, place)

    def test_a_manifest_that_is_gone(
        self, app: App, backup: Backup, folder: Path, server18: Server, place: ConnectionInfo
    ) -> None:
        (folder / "manifest.json").unlink()
        self.assert_refused(app, backup, ManifestInvalid, server18, place)

    def test_a_manifest_of_a_newer_pgproof(
        self, app: App, backup: Backup, folder: Path, server18: Server, place: ConnectionInfo
    ) -> None:
        manifest = folder / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format_version": 99}))
        self.assert_refused(app, backup, ManifestInvalid, server18, place)

    def test_a_manifest_that_claims_other_row_counts_than_it_had(
        self, app: App, backup: Backup, folder: Path, server18: Server, place: ConnectionInfo
    ) -> None:
        manifest = folder / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"public.t": 20000', '"public.t": 19999'))
        with pytest.raises(ChecksumMismatch):
            app.backups.verify(backup.id, Recorder())
        with pytest.raises(IntegrityError):
            app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder())
        assert_untouched(app, server18, place)

    def test_a_manifest_of_another_backup(
        self, app: App, backup: Backup, folder: Path, protected: Database, server18: Server, place: ConnectionInfo,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        other = back_up(app, protected, Recorder())
        shutil.copy(tmp_path / "backups" / other.folder / "manifest.json", folder / "manifest.json")
        self.assert_refused(app, backup, ManifestInvalid, server18, place)


class TestRestore:
    @pytest.mark.parametrize("way", ["the globals of the backup", "by hand"])
    def test_a_missing_role_is_found_before_anything_starts_with_the_commands_that_mend_it(
        self, app: App, server18: Server, protected: Database, place: ConnectionInfo, recorder: Recorder, way: str
    ) -> None:
        owner = server18.create_role().user
        server18.sql(place, f'ALTER TABLE t OWNER TO "{owner}"')
        backup = back_up(app, protected, recorder)
        server18.sql(place, "ALTER TABLE t OWNER TO postgres", f'DROP ROLE "{owner}"')
        with pytest.raises(RestoreFailed, match=owner) as refused:
            app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)
        assert "create_shadow" not in recorder.steps
        assert_untouched(app, server18, place)
        command, statement = re.findall(r"(zstd -dc .*) Or by hand: (CREATE ROLE .*;)", refused.value.hint)[0]
        if way == "by hand":
            server18.sql(place, statement)
        else:
            # What exists already gives errors on the way, as the hint says.
            subprocess.run(command, shell=True, check=False, env={**os.environ, **psql_environment(server18)})
        assert server18.sql(place, f"SELECT count(*) FROM pg_roles WHERE rolname = '{owner}'") == [(1,)]
        app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)

    def test_a_role_that_may_not_create_databases_is_told_so_before_anything_starts(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder
    ) -> None:
        role = server18.create_role()
        server18.sql(place, f'GRANT pg_read_all_data TO "{role.user}"')
        app = make_app()
        weak = app.databases.add("weak", to_url(replace(place, user=role.user, password=role.password)))
        backup = back_up(app, weak, recorder)
        with pytest.raises(PrivilegeMissing) as refused:
            app.restores.restore(backup.id, RestoreOptions(), recorder)
        assert f'ALTER ROLE "{role.user}" CREATEDB' in refused.value.hint
        assert_untouched(app, server18, place)

    def test_a_restore_that_fails_while_loading_drops_its_shadow(
        self, app: App, server18: Server, protected: Database, place: ConnectionInfo, recorder: Recorder
    ) -> None:
        # A function that a constraint needs and that fails on the restored side only.
        server18.sql(
            place,
            "CREATE FUNCTION only_here() RETURNS bool LANGUAGE plpgsql AS "
            f"$$ BEGIN RETURN current_database() = '{place.dbname}'; END $$",
            "ALTER TABLE t ADD CHECK (public.only_here())",
        )
        backup = back_up(app, protected, recorder)
        with pytest.raises(RestoreFailed, match="violates check constraint"):
            app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)
        assert_untouched(app, server18, place)
        assert app.catalog.list_restores()[0].status is RestoreStatus.FAILED

    def test_only_a_backup_that_is_whole_can_be_restored(
        self, app: App, protected: Database, recorder: Recorder
    ) -> None:
        pending = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        for attempt in (app.restores.restore,):
            with pytest.raises(Conflict, match="is pending"):
                attempt(pending.id, RestoreOptions(), recorder)
        with pytest.raises(Conflict, match="is pending"):
            app.backups.verify(pending.id, recorder)

    def test_an_unknown_id_is_not_found(self, app: App, recorder: Recorder) -> None:
        for attempt in (
            lambda: app.backups.verify(4711, recorder),
            lambda: app.backups.delete(4711),
            lambda: app.restores.restore(4711, RestoreOptions(), recorder),
            lambda: app.restores.undo(4711, recorder),
        ):
            with pytest.raises(NotFound, match="4711"):
                attempt()

    def test_a_swap_of_the_database_that_holds_the_catalog_is_refused(
        self, make_app: Callable[..., App], server18: Server, place: ConnectionInfo, recorder: Recorder
    ) -> None:
        app = make_app(BACKUP_CATALOG_URL=to_url(place))
        backup = back_up(app, app.databases.resolve(to_url(place)), recorder)
        with pytest.raises(Conflict, match="catalog lives in") as refused:
            app.restores.restore(backup.id, RestoreOptions(), recorder)
        assert "BACKUP_CATALOG_URL" in refused.value.hint
        assert server18.sql(place, "SELECT count(*) FROM t") == [(20000,)]


def fake_tools(folder: Path, version: str, dump: str = "exit 1", restore: Path | None = None) -> Path:
    """Tools that say a version, and then do something else."""
    folder.mkdir()
    for name in ("pg_dump", "pg_dumpall", "pg_restore"):
        body = dump if name == "pg_dump" else f'exec {restore.with_name(name)} "$@"' if restore else "exit 1"
        (folder / name).write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit 0; fi\n{body}\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
