"""In place, into a new database, and parts of a backup: what each mode touches, and what it leaves alone."""

from dataclasses import replace

import pytest
from psycopg import sql

from pgproof.bootstrap import App
from pgproof.domain.archive import WRITTEN, ArchiveFormat
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Conflict, FingerprintMismatch, InvalidInput, NotFound, PgproofError, RestoreFailed
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStatus
from tests.e2e.conftest import Recorder
from tests.servers import Server, connect, to_url

IN_PLACE = RestoreOptions(mode=RestoreMode.IN_PLACE, create_safety_backup=False)


def build(server: Server, place: ConnectionInfo) -> None:
    server.sql(
        place,
        "CREATE SCHEMA app",
        "CREATE TYPE app.mood AS ENUM ('good', 'bad')",
        "CREATE TABLE app.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood app.mood)",
        "INSERT INTO app.customers (mood) SELECT 'good' FROM generate_series(1, 100)",
        "CREATE TABLE app.orders (id serial PRIMARY KEY, customer int REFERENCES app.customers)",
        "INSERT INTO app.orders (customer) SELECT 1 + i % 100 FROM generate_series(1, 300) i",
        "CREATE INDEX ON app.orders (customer)",
        "CREATE VIEW app.totals AS SELECT customer, count(*) AS orders FROM app.orders GROUP BY customer",
        "CREATE TABLE notes (line text)",
        "INSERT INTO notes VALUES ('one'), ('two')",
        "CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)'",
        "CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$\nBEGIN\nPERFORM 1;\nCOMMIT;\nEND $$",
        "SELECT lo_from_bytea(0, 'large')",
    )


@pytest.fixture
def place(server: Server) -> ConnectionInfo:
    database = server.create_database()
    build(server, database)
    return database


@pytest.fixture
def protected(app: App, place: ConnectionInfo) -> Database:
    return app.databases.add("shop", to_url(place))


@pytest.fixture
def backup(app: App, protected: Database, recorder: Recorder) -> Backup:
    wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, recorder, database=protected)


def wreck(server: Server, place: ConnectionInfo) -> None:
    server.sql(
        place,
        "DROP TABLE app.orders CASCADE",
        "DELETE FROM app.customers WHERE id > 3",
        "CREATE TABLE app.newer (i int REFERENCES app.customers)",
        "CREATE VIEW notes_view AS SELECT * FROM notes",
        "CREATE DOMAIN posint AS int CHECK (VALUE > 0)",
        "CREATE SCHEMA later",
        "CREATE TABLE later.t (i posint)",
        "SELECT lo_from_bytea(0, 'another')",
        "CREATE PUBLICATION everything FOR ALL TABLES",
    )


def state(server: Server, place: ConnectionInfo) -> tuple[object, ...]:
    return (
        server.sql(place, "SELECT count(*) FROM app.customers"),
        server.sql(place, "SELECT to_regclass('app.orders') IS NOT NULL, to_regclass('app.newer') IS NOT NULL"),
        server.sql(place, "SELECT to_regclass('notes_view') IS NOT NULL, to_regclass('later.t') IS NOT NULL"),
        server.sql(place, "SELECT count(*) FROM pg_largeobject_metadata"),
        server.sql(place, "SELECT count(*) FROM pg_publication"),
    )


class TestInPlace:
    def test_everything_is_replaced_in_one_transaction_and_nothing_newer_stays(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        whole = state(server, place)
        wreck(server, place)
        restore = app.restores.restore(backup.id, IN_PLACE, recorder)
        assert restore.status is RestoreStatus.COMPLETED
        assert restore.transaction is not None
        assert state(server, place) == whole
        assert server.sql(place, "SELECT sum(orders) FROM app.totals") == [(300,)]
        assert server.sql(place, "INSERT INTO app.orders (customer) VALUES (1) RETURNING id") == [(301,)]
        assert app.catalog.get_backup(backup.id).status is BackupStatus.RESTORED
        names = app.server.list_databases(place)
        assert [name for name in names if name.startswith(f"{place.dbname}__pgproof")] == []
        with pytest.raises(Conflict, match="cannot be undone"):
            app.restores.undo(restore.id, recorder)

    def test_a_failure_in_the_middle_changes_nothing(
        self, app: App, server: Server, place: ConnectionInfo, protected: Database, recorder: Recorder
    ) -> None:
        # Valid when it was added, violated by every row that is loaded anew.
        server.sql(
            place,
            "CREATE FUNCTION first_time() RETURNS bool LANGUAGE sql AS "
            "'SELECT NOT EXISTS (SELECT FROM pg_settings WHERE name = ''row_security'' AND setting = ''off'')'",
            "ALTER TABLE notes ADD CONSTRAINT odd CHECK (public.first_time())",
        )
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        backup = app.backups.take(wanted.id, recorder, database=protected)
        wreck(server, place)
        before = state(server, place)
        with pytest.raises(RestoreFailed, match="violates check constraint"):
            app.restores.restore(backup.id, IN_PLACE, recorder)
        assert state(server, place) == before
        assert app.catalog.list_restores()[0].status is RestoreStatus.FAILED

    def test_a_difference_is_found_before_the_commit(
        self, app: App, server: Server, place: ConnectionInfo, protected: Database, recorder: Recorder
    ) -> None:
        server.sql(
            place,
            "CREATE FUNCTION swallow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF tg_tag = 'ALTER TABLE' THEN DELETE FROM public.notes; END IF; END $$",
        )
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        backup = app.backups.take(wanted.id, recorder, database=protected)
        manifest = app.storage.local_path(f"{backup.folder}/manifest.json")
        assert manifest is not None
        manifest.write_text(manifest.read_text().replace('"public.notes": 2', '"public.notes": 3'))
        wreck(server, place)
        before = state(server, place)
        with pytest.raises(PgproofError) as refused:
            app.restores.restore(backup.id, IN_PLACE, recorder)
        assert isinstance(refused.value, FingerprintMismatch) or "SHA256SUMS" in refused.value.detail
        assert state(server, place) == before

    def test_a_role_that_owns_the_database_but_may_not_create_any_can_do_it(
        self, app: App, server: Server, recorder: Recorder
    ) -> None:
        role = server.create_role()
        place = server.create_database()
        owner = sql.Identifier(role.user)
        server.sql(place, sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(place.dbname), owner))
        server.sql(place, sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(owner))
        mine = replace(place, user=role.user, password=role.password)
        build(server, mine)
        protected = app.databases.add("mine", to_url(mine))
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        backup = app.backups.take(wanted.id, recorder, database=protected)
        whole = state(server, place)
        server.sql(mine, "DROP TABLE app.orders CASCADE", "CREATE SCHEMA later", "CREATE TABLE later.t (i int)")
        restore = app.restores.restore(backup.id, replace(IN_PLACE, create_safety_backup=True), recorder)
        assert restore.safety_backup_id is not None
        assert state(server, place) == whole

    def test_a_reader_that_keeps_a_lock_makes_it_fail_after_a_while_and_changes_nothing(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        before = state(server, place)
        with connect(place, autocommit=False) as reader:
            reader.execute("SELECT * FROM notes")
            with pytest.raises(RestoreFailed, match="lock timeout"):
                app.restores.restore(backup.id, IN_PLACE, recorder)
        assert state(server, place) == before


class TestNewDatabase:
    def test_the_live_database_is_not_involved(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        whole = state(server, place)
        wreck(server, place)
        wrecked = state(server, place)
        target = f"{place.dbname}_copy"
        with connect(place) as client:
            options = RestoreOptions(mode=RestoreMode.NEW_DATABASE, target_database=target)
            restore = app.restores.restore(backup.id, options, recorder)
            assert client.execute("SELECT 1").fetchone() == (1,)
        assert (restore.safety_backup_id, restore.previous_database, restore.dbname) == (None, None, target)
        assert state(server, place.to_database(target)) == whole
        assert state(server, place) == wrecked

    def test_an_existing_name_is_a_conflict(
        self, app: App, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        options = RestoreOptions(mode=RestoreMode.NEW_DATABASE, target_database=place.dbname)
        with pytest.raises(Conflict, match="already"):
            app.restores.restore(backup.id, options, recorder)


class TestDropExistingFalse:
    @pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
    def test_a_database_that_holds_something_is_a_conflict_that_says_what(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder, mode: RestoreMode
    ) -> None:
        options = RestoreOptions(mode=mode, drop_existing=False, create_safety_backup=False)
        with pytest.raises(Conflict, match=r"function public\.shout") as refused:
            app.restores.restore(backup.id, options, recorder)
        assert "table app.orders" in refused.value.facts["objects"]
        server.sql(place, "DROP SCHEMA app CASCADE", "DROP TABLE notes", "DROP ROUTINE shout", "DROP ROUTINE commits")
        app.restores.restore(backup.id, options, recorder)
        assert server.sql(place, "SELECT count(*) FROM app.orders") == [(300,)]

    def test_a_partitioned_table_counts_and_is_replaced_like_any_other(
        self, app: App, server: Server, recorder: Recorder
    ) -> None:
        place = server.create_database()
        server.sql(place, "CREATE TABLE parted (a int) PARTITION BY LIST (a)")
        protected = app.databases.add("shop", to_url(place))
        wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
        backup = app.backups.take(wanted.id, recorder, database=protected)
        with pytest.raises(Conflict, match=r"table public\.parted"):
            app.restores.check(backup.id, replace(IN_PLACE, drop_existing=False))
        server.sql(place, "CREATE TABLE part PARTITION OF parted FOR VALUES IN (1)", "INSERT INTO parted VALUES (1)")
        app.restores.restore(backup.id, IN_PLACE, recorder)
        assert server.sql(place, "SELECT count(*) FROM parted") == [(0,)]


class TestSelection:
    @pytest.mark.parametrize("form", WRITTEN)
    def test_chosen_tables_come_into_a_new_database_with_what_they_use(
        self,
        app: App,
        server: Server,
        place: ConnectionInfo,
        protected: Database,
        recorder: Recorder,
        form: ArchiveFormat,
    ) -> None:
        wanted = app.backups.request(protected, BackupOptions(format=form), BackupTrigger.MANUAL_CLI)
        backup = app.backups.take(wanted.id, recorder, database=protected)
        target = place.to_database(f"{place.dbname}_part")
        options = RestoreOptions(
            mode=RestoreMode.NEW_DATABASE, target_database=target.dbname, tables=("app.customers", "app.orders")
        )
        app.restores.restore(backup.id, options, recorder)
        assert server.sql(target, "SELECT count(*) FROM app.customers") == [(100,)]
        assert server.sql(target, "SELECT count(*) FROM app.orders") == [(300,)]
        assert server.sql(target, "SELECT to_regclass('notes') IS NULL, to_regclass('app.totals') IS NULL") == [
            (True, True)
        ]
        constraints = (
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 'app.orders'::regclass AND contype IN ('f', 'p')"
        )
        assert server.sql(target, constraints) == [(2,)]
        assert server.sql(target, "INSERT INTO app.orders (customer) VALUES (1) RETURNING id") == [(301,)]

    def test_a_schema_is_all_of_its_tables(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        target = place.to_database(f"{place.dbname}_schema")
        options = RestoreOptions(mode=RestoreMode.NEW_DATABASE, target_database=target.dbname, schemas=("app",))
        app.restores.restore(backup.id, options, recorder)
        assert server.sql(target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'app'") == [(2,)]

    def test_a_table_goes_back_into_the_live_database_and_the_others_stay_as_they_are(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        server.sql(place, "DELETE FROM notes", "DELETE FROM app.orders WHERE id > 5", "DROP VIEW app.totals")
        app.restores.restore(backup.id, replace(IN_PLACE, tables=("app.orders",)), recorder)
        assert server.sql(place, "SELECT count(*) FROM app.orders") == [(300,)]
        assert server.sql(place, "SELECT count(*) FROM notes") == [(0,)]
        foreign = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'app.orders'::regclass AND contype = 'f'"
        assert server.sql(place, foreign) == [(1,)]
        assert server.sql(place, "INSERT INTO app.orders (customer) VALUES (1) RETURNING id") == [(301,)]

    def test_what_depends_on_a_chosen_table_and_was_not_chosen_refuses_it(
        self, app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
    ) -> None:
        server.sql(place, "DELETE FROM app.orders WHERE id > 5")
        with pytest.raises(RestoreFailed, match="other objects depend on it"):
            app.restores.restore(backup.id, replace(IN_PLACE, tables=("app.customers",)), recorder)
        with pytest.raises(RestoreFailed, match="other objects depend on it"):
            app.restores.restore(backup.id, replace(IN_PLACE, tables=("app.orders",)), recorder)
        assert server.sql(place, "SELECT count(*) FROM app.orders") == [(5,)]

    def test_a_name_that_the_backup_does_not_hold_is_not_found(
        self, app: App, backup: Backup, recorder: Recorder
    ) -> None:
        with pytest.raises(NotFound, match=r"app\.nothing"):
            app.restores.restore(backup.id, replace(IN_PLACE, tables=("app.nothing",)), recorder)
        with pytest.raises(NotFound, match="nowhere"):
            app.restores.restore(backup.id, replace(IN_PLACE, schemas=("nowhere",)), recorder)

    def test_chosen_tables_cannot_be_swapped_in(self) -> None:
        with pytest.raises(InvalidInput, match="leave all others behind"):
            RestoreOptions(tables=("app.orders",))


def test_owners_and_grants_can_be_left_out_where_their_roles_are_missing(
    app: App, server: Server, place: ConnectionInfo, protected: Database, recorder: Recorder
) -> None:
    role = server.create_role().user
    server.sql(place, f'ALTER TABLE notes OWNER TO "{role}"', f'GRANT SELECT ON app.orders TO "{role}"')
    wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
    backup = app.backups.take(wanted.id, recorder, database=protected)
    server.sql(place, f'DROP OWNED BY "{role}" CASCADE', f'DROP ROLE "{role}"')
    with pytest.raises(RestoreFailed, match="the server lacks"):
        app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), recorder)
    bare = RestoreOptions(create_safety_backup=False, no_owner=True, no_acl=True)
    app.restores.restore(backup.id, bare, recorder)
    assert server.sql(place, "SELECT tableowner FROM pg_tables WHERE tablename = 'notes'") == [("postgres",)]


@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
def test_what_belonged_to_one_role_can_be_given_to_another(
    app: App, server: Server, place: ConnectionInfo, protected: Database, recorder: Recorder, mode: RestoreMode
) -> None:
    old, reader, new = (server.create_role().user for _ in range(3))
    server.sql(
        place,
        f'ALTER TABLE notes OWNER TO "{old}"',
        f'ALTER TABLE app.orders OWNER TO "{old}"',
        f'GRANT SELECT (line) ON notes TO "{reader}" WITH GRANT OPTION',
        f'ALTER DEFAULT PRIVILEGES FOR ROLE "{old}" GRANT SELECT ON TABLES TO "{reader}"',
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY visible ON notes TO \"{old}\" USING (line <> ' TO {old} ')",
        f'ALTER ROLE "{old}" IN DATABASE "{place.dbname}" SET work_mem = \'7MB\'',
    )
    wanted = app.backups.request(protected, BackupOptions(), BackupTrigger.MANUAL_CLI)
    backup = app.backups.take(wanted.id, recorder, database=protected)
    server.sql(place, f'DROP OWNED BY "{old}" CASCADE', f'DROP ROLE "{old}"')
    options = RestoreOptions(mode=mode, create_safety_backup=False, role_map={old: new})
    app.restores.restore(backup.id, options, recorder)
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('notes', 'orders')"
    assert server.sql(place, owners) == [(new,)]
    assert server.sql(place, "SELECT roles::text[], qual FROM pg_policies") == [
        ([new], f"(line <> ' TO {old} '::text)")
    ]
    column = f"SELECT has_column_privilege('{reader}', 'notes', 'line', 'SELECT WITH GRANT OPTION')"
    assert server.sql(place, column) == [(True,)]
    assert server.sql(place, "SELECT defaclrole::regrole::text FROM pg_default_acl") == [(new,)]
    assert server.sql(place, "SELECT count(*) FROM notes") == [(2,)]
