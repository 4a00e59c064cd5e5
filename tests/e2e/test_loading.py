"""Loading: jobs that get into each other's way, and tables that autovacuum is kept away from."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pgproof.bootstrap import App
from pgproof.domain.archive import WRITTEN, ArchiveFormat
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import RestoreFailed
from pgproof.domain.restore import FAILED_LOAD, RestoreMode, RestoreOptions, RestoreStatus
from pgproof.domain.restore_test import RestoreTestOutcome
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

SWAP = RestoreOptions(create_safety_backup=False)
QUIET = replace(SWAP, autovacuum=False)

# Fails as long as a second session of a restore is in the same database: by design what is chance elsewhere.
CLASHES = (
    (
        "CREATE FUNCTION alone(int) RETURNS int LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$BEGIN "
        "IF (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = 'pgproof' "
        "AND datname = pg_catalog.current_database()) > 1 THEN RAISE 'tuple concurrently updated'; END IF; "
        "RETURN $1; END$$"
    ),
    "CREATE TABLE t (a int)",
    "INSERT INTO t VALUES (1)",
    "CREATE INDEX i ON t (alone(a))",
)

OPTIONS = """
    SELECT c.relname, c.reloptions, t.reloptions FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm', 'p') ORDER BY 1
"""


def take(app: App, place: ConnectionInfo, recorder: Recorder, form: ArchiveFormat = ArchiveFormat.CUSTOM) -> Backup:
    database = app.databases.resolve(to_url(place))
    return app.backups.back_up(database, BackupOptions(format=form), BackupTrigger.MANUAL_CLI, recorder)


class TestClashes:
    def test_jobs_that_get_into_each_others_way_are_followed_by_one_that_does_it_alone(
        self, app: App, server: Server, recorder: Recorder
    ) -> None:
        place = server.create_database()
        server.sql(place, *CLASHES)
        backup = take(app, place, recorder)
        restore = app.restores.restore(backup.id, SWAP, recorder)
        assert restore.status is RestoreStatus.COMPLETED
        assert restore.timings[FAILED_LOAD] > 0
        assert recorder.steps.count("create_shadow") == recorder.steps.count("load") == 2
        (told,) = [line for line in recorder.lines if "is done again with one" in line]
        assert told.startswith("the load with 2 jobs failed")
        assert server.sql(place, "SELECT a, to_regclass('i') IS NOT NULL FROM t") == [(1, True)]
        names = app.server.list_databases(place)
        assert f"{place.dbname}__pgproof_shadow_{restore.id}" not in names

    def test_a_restore_test_does_not_blame_the_backup_for_them(
        self, make_app: Callable[..., App], server18: Server, recorder: Recorder
    ) -> None:
        app = make_app(BACKUP_TEST_SERVER_URL=to_url(server18.connection))
        place = server18.create_database()
        server18.sql(place, *CLASHES)
        backup = take(app, place, recorder)
        before = app.server.list_databases(place)
        test = app.restore_tests.test(backup.id, recorder)
        assert test.verdict is not None
        assert test.verdict.outcome is RestoreTestOutcome.PASSED
        assert any("is done again with one" in line for line in recorder.lines)
        assert app.server.list_databases(place) == before

    def test_the_state_of_a_trigger_on_a_partition_of_a_partition_comes_back_whatever_the_jobs_do(
        self, app: App, server: Server, recorder: Recorder
    ) -> None:
        place = server.create_database()
        server.sql(
            place,
            "CREATE TABLE p (a int, b int) PARTITION BY LIST (a)",
            "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY LIST (b)",
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER aaa AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION nothing()",
            *(f"CREATE TABLE p1{i} PARTITION OF p1 FOR VALUES IN ({i})" for i in range(20)),
            *(f"ALTER TABLE p1{i} DISABLE TRIGGER aaa" for i in range(20)),
        )
        backup = take(app, place, recorder)
        app.restores.restore(backup.id, replace(SWAP, parallel_jobs=4), recorder)
        states = "SELECT tgenabled, count(*) FROM pg_trigger WHERE tgname = 'aaa' GROUP BY 1 ORDER BY 1"
        assert server.sql(place, states) == [("D", 20), ("O", 2)]

    def test_what_one_job_would_meet_again_is_not_tried_again(
        self, app: App, server: Server, recorder: Recorder
    ) -> None:
        place = server.create_database()
        server.sql(
            place,
            "CREATE TABLE t (a int)",
            "INSERT INTO t VALUES (1)",
            "CREATE FUNCTION first_time() RETURNS bool LANGUAGE sql AS "
            "'SELECT NOT EXISTS (SELECT FROM pg_settings WHERE name = ''row_security'' AND setting = ''off'')'",
            "ALTER TABLE t ADD CONSTRAINT odd CHECK (public.first_time())",
        )
        backup = take(app, place, recorder)
        with pytest.raises(RestoreFailed, match="violates check constraint"):
            app.restores.restore(backup.id, SWAP, recorder)
        assert recorder.steps.count("load") == 1


class TestAutovacuum:
    @pytest.fixture
    def place(self, server: Server) -> ConnectionInfo:
        place = server.create_database()
        server.sql(
            place,
            "CREATE TABLE plain (a int PRIMARY KEY, b text)",
            "INSERT INTO plain SELECT i, 'x' FROM generate_series(1, 100) i",
            "CREATE TABLE filled (a int) WITH (fillfactor = 70)",
            "CREATE TABLE own (a int, b text) WITH (fillfactor = 60, autovacuum_enabled = true, "
            "autovacuum_vacuum_threshold = 7, toast.autovacuum_enabled = true, toast.vacuum_truncate = false)",
            "CREATE TABLE never (a int, b text) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)",
            "CREATE TABLE parted (a int) PARTITION BY LIST (a)",
            "CREATE TABLE part PARTITION OF parted FOR VALUES IN (1) WITH (autovacuum_enabled = false)",
            "INSERT INTO parted VALUES (1)",
            "CREATE MATERIALIZED VIEW seen WITH (fillfactor = 80) AS SELECT a FROM plain",
            'CREATE TABLE "odd ""name" (a int REFERENCES plain)',
            "GRANT SELECT ON plain TO PUBLIC",
            "CREATE TABLE heard (tag text)",
            "CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql SET search_path = '' AS "
            "$$BEGIN INSERT INTO public.heard VALUES (tg_tag); END$$",
            "CREATE EVENT TRIGGER listener ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION hear()",
            "COMMENT ON EVENT TRIGGER listener IS 'hears'",
        )
        return place

    @pytest.mark.parametrize("form", WRITTEN)
    def test_storage_parameters_come_back_exactly_and_event_triggers_hear_nothing(
        self, app: App, server: Server, place: ConnectionInfo, recorder: Recorder, form: ArchiveFormat
    ) -> None:
        before = server.sql(place, OPTIONS)
        assert len(before) > 8
        backup = take(app, place, recorder, form)
        restore = app.restores.restore(backup.id, QUIET, recorder)
        assert server.sql(place, OPTIONS) == before
        assert server.sql(place, "SELECT count(*) FROM heard") == [(0,)]
        comment = "SELECT obj_description(oid) FROM pg_event_trigger WHERE evtname = 'listener'"
        assert server.sql(place, comment) == [("hears",)]
        assert server.sql(place, "SELECT count(*), has_table_privilege('public', 'plain', 'select') FROM seen") == [
            (100, True)
        ]
        assert app.catalog.get_restore(restore.id).options.autovacuum is False

    def test_it_is_away_while_rows_are_loaded(
        self, app: App, server: Server, place: ConnectionInfo, recorder: Recorder
    ) -> None:
        # A column whose default looks at its own table while each row is loaded.
        server.sql(
            place,
            "CREATE FUNCTION options_of_own() RETURNS text LANGUAGE sql STABLE SET search_path = '' AS "
            "$$SELECT coalesce(reloptions::text, 'none') FROM pg_catalog.pg_class WHERE relname = 'witness'$$",
            "CREATE TABLE witness (a int)",
            "INSERT INTO witness VALUES (1)",
            "CREATE MATERIALIZED VIEW saw AS SELECT public.options_of_own() AS options FROM witness",
        )
        backup = take(app, place, recorder)
        app.restores.restore(backup.id, QUIET, recorder)
        assert server.sql(place, "SELECT options FROM saw") == [("{autovacuum_enabled=false}",)]
        app.restores.restore(backup.id, SWAP, recorder)
        assert server.sql(place, "SELECT options FROM saw") == [("none",)]

    def test_it_goes_with_chosen_tables_and_with_other_roles(
        self, app: App, server: Server, place: ConnectionInfo, recorder: Recorder
    ) -> None:
        old, new = server.create_role().user, server.create_role().user
        server.sql(place, f'ALTER TABLE own OWNER TO "{old}"', f'GRANT SELECT ON plain TO "{old}"')
        backup = take(app, place, recorder)
        target = place.to_database(f"{place.dbname}_part")
        options = RestoreOptions(
            mode=RestoreMode.NEW_DATABASE,
            target_database=target.dbname,
            tables=("public.own", "public.plain"),
            role_map={old: new},
            autovacuum=False,
        )
        app.restores.restore(backup.id, options, recorder)
        wanted = [row for row in server.sql(place, OPTIONS) if row[0] in ("own", "plain")]
        assert server.sql(target, OPTIONS) == wanted
        assert server.sql(target, "SELECT tableowner FROM pg_tables WHERE tablename = 'own'") == [(new,)]
        assert server.sql(target, "SELECT count(*) FROM plain") == [(100,)]

    def test_a_role_that_is_no_superuser_can_ask_for_it(self, app: App, server: Server, recorder: Recorder) -> None:
        role = server.create_role(attributes="LOGIN CREATEDB")
        place = server.create_database()
        server.sql(place, f'ALTER DATABASE "{place.dbname}" OWNER TO "{role.user}"')
        mine = replace(place, user=role.user, password=role.password)
        server.sql(
            mine,
            "CREATE TABLE t (a int PRIMARY KEY) WITH (autovacuum_enabled = true, fillfactor = 50)",
            "CREATE TABLE u (a int REFERENCES t)",
            "INSERT INTO t VALUES (1)",
            f'REVOKE ALL ON t FROM "{role.user}"',
            f'GRANT SELECT, REFERENCES ON t TO "{role.user}"',
        )
        before = server.sql(place, OPTIONS)
        backup = take(app, mine, recorder)
        app.restores.restore(backup.id, QUIET, recorder)
        assert server.sql(place, OPTIONS) == before
        assert server.sql(mine, "SELECT count(*) FROM t") == [(1,)]
