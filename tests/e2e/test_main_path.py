"""Back up, destroy, restore, compare, undo: on every server version, in every format."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql

from pgproof.bootstrap import App
from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Conflict
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.services.contents import read_manifest
from pgproof.services.ports import Lock
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

ODD = "we\"ird 'näme"


def fill(server: Server, database: ConnectionInfo) -> None:
    """A small database with what often gets lost."""
    server.sql(
        database,
        "CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, extra jsonb)",
        "INSERT INTO customers (name, extra) SELECT i, jsonb_build_object('i', i) FROM generate_series(1, 500) i",
        "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customers)",
        "INSERT INTO orders (customer) SELECT 1 + i % 500 FROM generate_series(1, 2000) i",
        'CREATE TABLE "Odd.Table ""x""" (n int)',
        'INSERT INTO "Odd.Table ""x""" VALUES (1)',
        "CREATE TABLE audit_logs (line text)",
        "INSERT INTO audit_logs SELECT 'entry' FROM generate_series(1, 50)",
        "CREATE VIEW recent AS SELECT * FROM audit_logs",
        "CREATE TABLE empty_one (i int)",
        "SELECT lo_from_bytea(0, 'large')",
    )


def counts(server: Server, database: ConnectionInfo) -> list[tuple[int, ...]]:
    tables = ["customers", "orders", '"Odd.Table ""x"""', "audit_logs", "empty_one"]
    return [tuple(server.sql(database, f"SELECT count(*) FROM {table}")[0]) for table in tables]


def back_up(app: App, database: Database, recorder: Recorder, options: BackupOptions | None = None) -> Backup:
    wanted = app.backups.request(database, options or BackupOptions(), BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, recorder, database=database)


@pytest.fixture
def protected(server: Server, app: App) -> Database:
    database = server.create_database()
    fill(server, database)
    return app.databases.add("shop", to_url(database))


class TestWholePath:
    @pytest.mark.parametrize(
        "options",
        [
            BackupOptions(),
            BackupOptions(compression_level=0),
            BackupOptions(compression=Compression.GZIP, compression_level=1),
            BackupOptions(format=ArchiveFormat.DIRECTORY, parallel_jobs=2),
            BackupOptions(format=ArchiveFormat.DIRECTORY, compression=Compression.NONE, parallel_jobs=2),
        ],
        ids=["custom-zstd", "custom-none", "custom-gzip", "directory-zstd", "directory-none"],
    )
    def test_what_was_destroyed_comes_back_equal_and_the_restore_can_be_undone(
        self, app: App, server: Server, protected: Database, recorder: Recorder, options: BackupOptions
    ) -> None:
        place = protected.connection
        before = counts(server, place)
        backup = back_up(app, protected, recorder, options)
        assert backup.status is BackupStatus.COMPLETED
        verification = app.backups.verify(backup.id, recorder)
        assert len(verification.contents.tables) == 4
        server.sql(place, "DROP TABLE orders", "DELETE FROM customers", "CREATE TABLE newer (i int)")

        restore = app.restores.restore(backup.id, RestoreOptions(), recorder)

        assert restore.status is RestoreStatus.COMPLETED
        expected = [*before[:3], (0,), before[4]]  # rows of log tables are left out
        assert counts(server, place) == expected
        assert server.sql(place, "SELECT count(*) FROM recent") == [(0,)]
        assert server.sql(place, "SELECT to_regclass('newer') IS NULL") == [(True,)]
        assert server.sql(place, "INSERT INTO customers (name) VALUES ('next') RETURNING id") == [(501,)]
        assert app.catalog.get_backup(backup.id).status is BackupStatus.RESTORED

        undone = app.restores.undo(restore.id, recorder)

        assert undone.status is RestoreStatus.UNDONE
        assert server.sql(place, "SELECT count(*) FROM customers") == [(0,)]
        assert server.sql(place, "SELECT to_regclass('newer') IS NOT NULL") == [(True,)]

    def test_logs_and_caches_come_along_when_they_are_asked_for(
        self, app: App, server: Server, protected: Database, recorder: Recorder
    ) -> None:
        backup = back_up(app, protected, recorder, BackupOptions(include_logs=True, include_cache=True))
        app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)
        assert server.sql(protected.connection, "SELECT count(*) FROM recent") == [(50,)]

    def test_a_restore_begins_with_a_safety_backup_of_everything_that_is_held(
        self, app: App, server: Server, protected: Database, recorder: Recorder
    ) -> None:
        backup = back_up(app, protected, recorder)
        restore = app.restores.restore(backup.id, RestoreOptions(), recorder)
        assert restore.safety_backup_id is not None
        safety = app.catalog.get_backup(restore.safety_backup_id)
        assert (safety.trigger_source, safety.held) == (BackupTrigger.PRE_RESTORE_SAFETY, True)
        assert read_manifest(app.storage, safety).fingerprint.tables["public.audit_logs"] == 50
        with pytest.raises(Conflict, match="held"):
            app.backups.delete(safety.id)
        app.backups.hold(safety.id, held=False)
        assert app.backups.delete(safety.id).status is BackupStatus.DELETED

    def test_restoring_twice_and_undoing_twice_walks_back_step_by_step(
        self, app: App, server: Server, protected: Database, recorder: Recorder
    ) -> None:
        backup = back_up(app, protected, recorder)
        options = RestoreOptions(create_safety_backup=False)
        restores: list[Restore] = []
        for mark in ("one", "two"):
            server.sql(protected.connection, f"CREATE TABLE {mark} (i int)")
            restores.append(app.restores.restore(backup.id, options, recorder))
        with pytest.raises(Conflict) as refused:
            app.restores.undo(restores[0].id, recorder)
        assert f"pgproof undo {restores[1].id}" in refused.value.hint
        for restore, mark in ((restores[1], "two"), (restores[0], "one")):
            app.restores.undo(restore.id, recorder)
            assert server.sql(protected.connection, f"SELECT to_regclass('{mark}') IS NOT NULL") == [(True,)]
        with pytest.raises(Conflict, match="undone"):
            app.restores.undo(restores[0].id, recorder)

    def test_a_database_that_is_gone_altogether_is_put_back(
        self, app: App, server: Server, protected: Database, recorder: Recorder
    ) -> None:
        before = counts(server, protected.connection)
        backup = back_up(app, protected, recorder, BackupOptions(include_logs=True))
        server.drop_database(protected.connection.dbname)
        restore = app.restores.restore(backup.id, RestoreOptions(), recorder)
        assert restore.previous_database is None
        assert restore.safety_backup_id is None
        assert counts(server, protected.connection) == before

    def test_a_database_with_an_odd_name_goes_the_whole_way(self, app: App, server: Server, recorder: Recorder) -> None:
        place = server.create_database(f"{ODD} {server.major}")
        fill(server, place)
        protected = app.databases.resolve(to_url(place))
        assert protected.name == place.dbname
        backup = back_up(app, protected, recorder)
        server.sql(place, "DELETE FROM orders")
        app.restores.restore(backup.id, RestoreOptions(), recorder)
        assert server.sql(place, "SELECT count(*) FROM orders") == [(2000,)]
        server.drop_database(place.dbname)


class TestDatabaseItself:
    def test_owner_settings_grants_and_comment_come_back_with_the_content(
        self, app: App, server: Server, protected: Database, recorder: Recorder
    ) -> None:
        place = protected.connection
        name = sql.Identifier(place.dbname)
        role = server.create_role()
        server.sql(
            place,
            sql.SQL("ALTER DATABASE {} SET search_path = 'a, b', public").format(name),
            sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(name, sql.Identifier(role.user)),
            sql.SQL("COMMENT ON DATABASE {} IS 'ours'").format(name),
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(role.user)),
        )
        backup = back_up(app, protected, recorder)
        with app.server.open_snapshot(place) as snapshot:
            before = snapshot.facts.properties
        app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)
        with app.server.open_snapshot(place) as snapshot:
            after = snapshot.facts.properties
        assert (after.owner, after.settings, after.comment) == (before.owner, before.settings, "ours")
        assert set(after.grants or ()) == set(before.grants or ())


class TestStoredBackup:
    def test_a_folder_describes_itself_and_standard_tools_restore_it_by_hand(
        self, app: App, server: Server, protected: Database, recorder: Recorder, tmp_path: Path
    ) -> None:
        if shutil.which("sha256sum") is None:
            pytest.skip("sha256sum belongs to GNU coreutils")
        backup = back_up(app, protected, recorder, BackupOptions(compression=Compression.GZIP))
        folder = tmp_path / "backups" / backup.folder
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [backup.filename, "globals.sql.gz", "SHA256SUMS", "RESTORE.md", "manifest.json"]
        )
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
        by_hand = server.create_database()
        unpacked = subprocess.run(["gzip", "-dc", backup.filename], cwd=folder, check=True, capture_output=True)
        target = f"host={by_hand.host} port={by_hand.port} user={by_hand.user} dbname={by_hand.dbname}"
        assert by_hand.password is not None
        subprocess.run(
            [server.bin / "pg_restore", "--exit-on-error", "--dbname", target],
            input=unpacked.stdout,
            env={"PGPASSWORD": by_hand.password.reveal()},
            check=True,
        )
        assert server.sql(by_hand, "SELECT count(*) FROM customers") == [(500,)]

    def test_the_catalog_row_tells_what_lies_there(
        self, app: App, protected: Database, recorder: Recorder, tmp_path: Path
    ) -> None:
        backup = back_up(app, protected, recorder, BackupOptions(description="before the release"))
        stored = (tmp_path / "backups" / backup.file_path).read_bytes()
        row = app.catalog.get_backup(backup.id)
        assert (row.file_size, row.checksum_sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
        assert (row.tables_count, row.description) == (5, "before the release")
        assert row.database_size_bytes
        assert row.duration_seconds is not None

    def test_globals_hold_the_roles(
        self, app: App, server: Server, protected: Database, recorder: Recorder, tmp_path: Path
    ) -> None:
        role = server.create_role()
        backup = back_up(app, protected, recorder, BackupOptions(compression_level=0))
        text = (tmp_path / "backups" / backup.folder / "globals.sql").read_text()
        assert f"CREATE ROLE {role.user}" in text

    def test_deleting_removes_every_object_and_keeps_the_row(
        self, app: App, protected: Database, recorder: Recorder, tmp_path: Path
    ) -> None:
        backup = back_up(app, protected, recorder)
        app.backups.delete(backup.id)
        assert app.catalog.get_backup(backup.id).status is BackupStatus.DELETED
        assert list((tmp_path / "backups").rglob("backup_*")) == []
        with pytest.raises(Conflict, match="deleted already"):
            app.backups.delete(backup.id)

    def test_progress_and_log_tell_what_happened(self, app: App, protected: Database, recorder: Recorder) -> None:
        backup = back_up(app, protected, recorder)
        assert recorder.steps == ["preflight", "dump", "globals", "read back", "manifest"]
        assert any("dumping contents of table" in line for line in recorder.lines)
        kept = app.catalog.read_log(Lock.BACKUP, backup.id)
        assert [line for line in kept if not line.startswith("step: ")] == recorder.lines


def test_an_empty_database_is_backed_up_with_a_warning(
    make_app: Callable[..., App], server: Server, recorder: Recorder
) -> None:
    app = make_app()
    place = server.create_database()
    database = app.databases.resolve(to_url(place))
    backup = back_up(app, database, recorder)
    assert backup.tables_count == 0
    assert any("holds no tables" in line for line in recorder.lines)
    app.restores.restore(backup.id, RestoreOptions(), recorder)
