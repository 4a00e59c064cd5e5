"""What went wrong once and must not again: each a way to lose data, to lie, or to be had."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgproof.adapters.embedded.wheel import wheel_binaries
from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import CatalogUnreachable, Conflict, PrivilegeMissing, SwapFailed
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStatus, RestoreStep, shadow_name
from pgproof.services.contents import read_manifest
from pgproof.services.patience import impatient
from tests.e2e.conftest import Recorder
from tests.servers import Server, connect, to_url

QUICK = RestoreOptions(create_safety_backup=False)


@pytest.fixture
def place(server18: Server) -> ConnectionInfo:
    database = server18.create_database()
    server18.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 500) AS i")
    return database


@pytest.fixture
def protected(app: App, place: ConnectionInfo) -> Database:
    return app.databases.add("shop", to_url(place))


def back_up(app: App, database: Database, observer: Recorder | None = None) -> Backup:
    wanted = app.backups.request(database, BackupOptions(), BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, observer or Recorder(), database=database)


class Delegate:
    """An adapter that does what another does, but for one method."""

    def __init__(self, target: Any, **methods: Callable[..., Any]) -> None:
        self._target = target
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._target, name)


class TestBackup:
    def test_a_table_that_is_rewritten_while_the_dump_begins_is_not_backed_up_as_empty(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        taken: list[Backup] = []
        with connect(place, autocommit=False) as other:
            other.execute("ALTER TABLE t ALTER i TYPE bigint")
            thread = threading.Thread(target=lambda: taken.append(back_up(app, protected)))
            thread.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'"
            while server18.sql(server18.connection, waiting.format(place.dbname)) == [(0,)]:
                time.sleep(0.02)
            other.commit()
            thread.join()
        assert read_manifest(app.storage, taken[0]).fingerprint.tables == {"public.t": 500}
        app.restores.restore(taken[0].id, QUICK, Recorder())
        assert server18.sql(place, "SELECT count(*) FROM t") == [(500,)]

    def test_somebody_who_waits_to_truncate_a_table_does_not_fail_the_backup(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        waiters: list[threading.Thread] = []

        class Truncater(Recorder):
            def log(self, line: str) -> None:
                super().log(line)
                if "reading schemas" in line:
                    waiters.append(threading.Thread(target=lambda: server18.sql(place, "TRUNCATE t")))
                    waiters[0].start()
                    time.sleep(0.2)

        backup = back_up(app, protected, Truncater())
        waiters[0].join()
        assert read_manifest(app.storage, backup).fingerprint.tables == {"public.t": 500}

    def test_an_interruption_after_the_last_commit_does_not_remove_a_completed_backup(
        self, app: App, protected: Database
    ) -> None:
        catalog = app.catalog

        def change_backup(backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
            changed = catalog.change_backup(backup_id, change)
            if changed.status is BackupStatus.COMPLETED:
                raise KeyboardInterrupt
            return changed

        app.backups._catalog = Delegate(catalog, change_backup=change_backup)
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        with pytest.raises(KeyboardInterrupt):
            app.backups.take(wanted.id, Recorder())
        assert catalog.get_backup(wanted.id).status is BackupStatus.COMPLETED
        app.backups._catalog = catalog
        app.backups.verify(wanted.id, Recorder())

    def test_a_commit_whose_answer_is_lost_counts(self, app: App, protected: Database) -> None:
        catalog, lost = app.catalog, [CatalogUnreachable("gone")]

        def change_backup(backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
            changed = catalog.change_backup(backup_id, change)
            if changed.status is BackupStatus.COMPLETED and lost:
                raise lost.pop()
            return changed

        app.backups._catalog = Delegate(catalog, change_backup=change_backup)
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        taken = app.backups.take(wanted.id, Recorder())
        assert lost == []
        assert taken == catalog.get_backup(wanted.id)
        assert taken.status is BackupStatus.COMPLETED

    def test_a_backup_that_lacks_only_its_record_is_completed_by_the_next_process(
        self, app: App, make_app: Callable[..., App], protected: Database
    ) -> None:
        catalog = app.catalog

        def change_backup(backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
            raise CatalogUnreachable("gone")

        app.backups._catalog = Delegate(catalog, change_backup=change_backup)
        app.backups._patiently = impatient
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        with pytest.raises(CatalogUnreachable):
            app.backups.take(wanted.id, Recorder())
        again = make_app()
        assert again.settled == [f"backup {wanted.id}: its process died when the work was done; the backup is whole"]
        assert again.catalog.get_backup(wanted.id).file_size
        again.backups.verify(wanted.id, Recorder())

    def test_a_log_table_that_a_foreign_key_needs_keeps_its_rows(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        server18.sql(
            place,
            "CREATE TABLE audit_logs (id int PRIMARY KEY)",
            "CREATE TABLE events (log int REFERENCES audit_logs)",
            "CREATE TABLE system_logs (id int)",
            "INSERT INTO audit_logs VALUES (1)",
            "INSERT INTO events VALUES (1)",
            "INSERT INTO system_logs VALUES (1)",
        )
        recorder = Recorder()
        backup = back_up(app, protected, recorder)
        assert any("audit_logs are taken after all" in line for line in recorder.lines)
        app.restores.restore(backup.id, QUICK, Recorder())
        assert server18.sql(place, "SELECT count(*) FROM events JOIN audit_logs ON log = id") == [(1,)]
        assert server18.sql(place, "SELECT count(*) FROM system_logs") == [(0,)]

    def test_a_table_with_an_odd_name_is_left_out_in_a_database_of_another_encoding(
        self, make_app: Callable[..., App], server15: Server
    ) -> None:
        name = "latin_one"
        server15.drop_database(name)
        server15.sql(
            server15.connection,
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        )
        place = server15.connection.to_database(name)
        server15.sql(place, 'CREATE TABLE "protokollé" (i int)', 'INSERT INTO "protokollé" VALUES (1)')
        app = make_app(BACKUP_LOG_TABLES='"protokollé"')
        backup = back_up(app, app.databases.add(name, to_url(place)))
        app.restores.restore(backup.id, QUICK, Recorder())
        assert server15.sql(place, 'SELECT count(*) FROM "protokollé"') == [(0,)]

    def test_objects_that_somebody_put_in_the_way_are_never_run_as_us(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        server18.sql(
            place,
            "CREATE FUNCTION public.trap(oid, regclass) RETURNS bool LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'trapped'; END $$",
            "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.trap)",
            "CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'",
        )
        name = sql.Identifier(place.dbname)
        server18.sql(place, sql.SQL("ALTER DATABASE {} SET search_path = public, pg_catalog").format(name))
        backup = back_up(app, protected)
        app.restores.restore(backup.id, replace(QUICK, create_safety_backup=True), Recorder())

    def test_another_pgproofs_catalog_is_data_like_any_other(
        self, app: App, make_app: Callable[..., App], server18: Server
    ) -> None:
        other = server18.create_database()
        make_app(BACKUP_CATALOG_URL=to_url(other))
        backup = back_up(app, app.databases.add("their catalog", to_url(other)))
        assert "pgproof.backup_jobs" in read_manifest(app.storage, backup).fingerprint.tables
        app.restores.restore(backup.id, QUICK, Recorder())
        assert server18.sql(other, "SELECT count(*) FROM pgproof.installation") == [(1,)]


class TestRestore:
    def test_a_database_of_the_same_name_that_somebody_else_made_is_never_dropped(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        backup = back_up(app, protected)
        theirs = server18.create_database(shadow_name(place.dbname, 1))
        with pytest.raises(Conflict, match="already") as refused:
            app.restores.restore(backup.id, QUICK, Recorder())
        assert "another number" in refused.value.hint
        assert server18.sql(theirs, "SELECT 1") == [(1,)]
        app.restores.restore(backup.id, QUICK, Recorder())
        assert server18.sql(theirs, "SELECT 1") == [(1,)]

    def test_recovery_does_not_call_a_restore_complete_whose_shadow_was_dropped(
        self, app: App, make_app: Callable[..., App], place: ConnectionInfo, protected: Database
    ) -> None:
        backup = back_up(app, protected)
        restore = app.catalog.create_restore(backup, place.dbname, QUICK, app.clock.now())
        oids = app.server.list_databases(place)
        lost = replace(restore, step=RestoreStep.SWAP, live_oid=oids[place.dbname], shadow_oid=1)
        app.catalog.save_restore(lost)
        again = make_app()
        assert again.catalog.get_restore(restore.id).status is RestoreStatus.FAILED
        assert again.catalog.get_backup(backup.id).status is BackupStatus.COMPLETED

    def test_an_undo_whose_acknowledgement_is_lost_is_recorded_as_what_happened(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        backup = back_up(app, protected)
        server18.sql(place, "DELETE FROM t")
        restore = app.restores.restore(backup.id, QUICK, Recorder())

        def swap(*arguments: Any, **names: Any) -> float:
            app.server.swap(*arguments, **names)
            raise SwapFailed("the connection broke")

        app.restores._world = replace(app.restores._world, server=Delegate(app.server, swap=swap))
        assert app.restores.undo(restore.id, Recorder()).status is RestoreStatus.UNDONE
        assert server18.sql(place, "SELECT count(*) FROM t") == [(0,)]

    @pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
    def test_newer_tools_restore_onto_an_older_server(
        self, make_app: Callable[..., App], server15: Server, mode: RestoreMode
    ) -> None:
        place = server15.create_database()
        server15.sql(place, "CREATE TABLE t AS SELECT generate_series(1, 9) AS i", "SELECT lo_from_bytea(0, 'large')")
        app = make_app(BACKUP_PG_BIN=str(wheel_binaries()[18]))
        backup = back_up(app, app.databases.add("old", to_url(place)))
        server15.sql(place, "DELETE FROM t")
        app.restores.restore(backup.id, replace(QUICK, mode=mode), Recorder())
        assert server15.sql(place, "SELECT count(*) FROM t") == [(9,)]
        assert server15.sql(place, "SELECT count(*) FROM pg_largeobject_metadata") == [(1,)]

    def test_a_login_trigger_that_came_back_does_not_write_into_the_comparison(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        server18.sql(
            place,
            "CREATE TABLE logins (who text)",
            "CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS "
            "$$ BEGIN IF NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' THEN "
            "INSERT INTO public.logins VALUES (session_user); END IF; END $$",
            "CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION note_login()",
            "ALTER EVENT TRIGGER on_login ENABLE ALWAYS",
        )
        backup = back_up(app, protected)
        restore = app.restores.restore(backup.id, QUICK, Recorder())
        assert restore.status is RestoreStatus.COMPLETED

    def test_nobody_enters_the_shadow_of_a_database_that_is_closed_to_them(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        server18.sql(place, sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(place.dbname)))
        stranger = server18.create_role()
        backup = back_up(app, protected)
        refused: list[str] = []

        class Intruder(Recorder):
            def step(self, name: str) -> None:
                super().step(name)
                if name in ("load", "compare"):
                    shadow = app.catalog.list_restores()[0].shadow_database
                    with suppress(psycopg.OperationalError), connect(stranger.to_database(shadow)):
                        return
                    refused.append(name)

        app.restores.restore(backup.id, QUICK, Intruder())
        assert refused == ["load", "compare"]

    def test_an_owner_who_may_create_databases_needs_no_other_right(self, app: App, server18: Server) -> None:
        role = server18.create_role(attributes="LOGIN CREATEDB")
        place = server18.create_database()
        owner = sql.Identifier(role.user)
        server18.sql(place, sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(place.dbname), owner))
        mine = replace(place, user=role.user, password=role.password)
        server18.sql(mine, "CREATE TABLE t AS SELECT generate_series(1, 5) AS i")
        backup = back_up(app, app.databases.add("mine", to_url(mine)))
        server18.sql(mine, "DELETE FROM t")
        app.restores.restore(backup.id, RestoreOptions(), Recorder())
        assert server18.sql(mine, "SELECT count(*) FROM t") == [(5,)]

    def test_a_setting_that_only_a_superuser_may_make_is_found_before_the_load(
        self, app: App, server18: Server
    ) -> None:
        role = server18.create_role(attributes="LOGIN CREATEDB")
        place = server18.create_database()
        name = sql.Identifier(place.dbname)
        server18.sql(
            place,
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(role.user)),
            sql.SQL("ALTER DATABASE {} SET log_min_duration_statement = 500").format(name),
        )
        mine = replace(place, user=role.user, password=role.password)
        backup = back_up(app, app.databases.add("mine", to_url(mine)))
        recorder = Recorder()
        with pytest.raises(PrivilegeMissing, match="log_min_duration_statement"):
            app.restores.restore(backup.id, QUICK, recorder)
        assert "load" not in recorder.steps
        assert [name for name in app.server.list_databases(place) if name.startswith(f"{place.dbname}__")] == []

    def test_a_template_database_is_one_again(
        self, app: App, server18: Server, place: ConnectionInfo, protected: Database
    ) -> None:
        server18.sql(place, sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(place.dbname)))
        backup = back_up(app, protected)
        app.restores.restore(backup.id, QUICK, Recorder())
        query = "SELECT datistemplate FROM pg_database WHERE datname = current_database()"
        assert server18.sql(place, query) == [(True,)]

    def test_a_session_that_we_may_not_end_and_that_came_after_the_preflight_is_named(
        self, app: App, server18: Server
    ) -> None:
        role = server18.create_role(attributes="LOGIN CREATEDB")
        place = server18.create_database()
        owner = sql.Identifier(role.user)
        server18.sql(place, sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(place.dbname), owner))
        mine = replace(place, user=role.user, password=role.password)
        backup = back_up(app, app.databases.add("mine", to_url(mine)))
        with ExitStack() as stack:
            arrived = []

            class Latecomer(Recorder):
                """The preflight finds nobody; then a superuser connects."""

                def step(self, name: str) -> None:
                    if name == "compare":
                        arrived.append(stack.enter_context(connect(place)))

            with pytest.raises(SwapFailed) as refused:
                app.restores.restore(backup.id, QUICK, Latecomer())
            assert str(arrived[0].info.backend_pid) in refused.value.hint
            assert arrived[0].execute("SELECT 1").fetchone() == (1,)
