"""What others hold in the live database refuses a restore before anything is made, and says what takes it away."""

from dataclasses import replace

import pytest
from psycopg import sql

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict, PgproofError
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStatus
from tests.e2e.conftest import Recorder
from tests.servers import Server, connect, to_url

SWAP = RestoreOptions(create_safety_backup=False)
IN_PLACE = replace(SWAP, mode=RestoreMode.IN_PLACE)
SUBSCRIBE = (
    "CREATE SUBSCRIPTION {} CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = 's')"
)


@pytest.fixture
def place(server: Server) -> ConnectionInfo:
    database = server.create_database()
    server.sql(database, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (a int)")
    return database


def take(app: App, place: ConnectionInfo, recorder: Recorder) -> Backup:
    database = app.databases.resolve(to_url(place))
    return app.backups.back_up(database, BackupOptions(), BackupTrigger.MANUAL_CLI, recorder)


@pytest.fixture
def backup(app: App, place: ConnectionInfo, recorder: Recorder) -> Backup:
    return take(app, place, recorder)


def prepare(place: ConnectionInfo, gid: str, statement: str) -> None:
    """Slots must be made before: making one waits for every transaction of the server, prepared ones too."""
    with connect(place) as session:
        session.execute("BEGIN")
        session.execute(statement.encode())
        session.execute(sql.SQL("PREPARE TRANSACTION {}").format(sql.Literal(gid)))


def refusal(app: App, backup: Backup, options: RestoreOptions, recorder: Recorder) -> Conflict:
    """What `check` refuses, which the restore itself must refuse as well, before anything is made."""
    before = app.server.list_databases(app.databases.resolve(backup.database).connection)
    with pytest.raises(Conflict) as refused:
        app.restores.check(backup.id, options)
    assert list(app.catalog.list_restores()) == []
    with pytest.raises(Conflict) as again:
        app.restores.restore(backup.id, options, recorder)
    assert again.value.facts == refused.value.facts
    (failed,) = app.catalog.list_restores()
    assert (failed.status, failed.shadow_oid, recorder.steps[-1]) == (RestoreStatus.FAILED, None, "preflight")
    assert app.server.list_databases(app.databases.resolve(backup.database).connection) == before
    return refused.value


def test_everything_in_the_way_of_a_swap_is_told_at_once_and_each_hint_mends_it(
    app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
) -> None:
    slot = f"slot_{place.dbname}"
    server.sql(place, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    prepare(place, "it's half done", "INSERT INTO t VALUES (2)")
    server.sql(place, SUBSCRIBE.format('"odd ""name"'), 'ALTER SUBSCRIPTION "odd ""name" ENABLE')
    refused = refusal(app, backup, SWAP, recorder)
    assert refused.facts["obstacles"] == [
        (
            'the prepared transaction "it\'s half done" of "postgres": '
            f"ROLLBACK PREPARED 'it''s half done'; or COMMIT PREPARED 'it''s half done'; in \"{place.dbname}\""
        ),
        f"the logical replication slot \"{slot}\": SELECT pg_drop_replication_slot('{slot}');",
        f'the enabled subscription "odd "name": ALTER SUBSCRIPTION "odd ""name" DISABLE; in "{place.dbname}"',
    ]
    server.sql(
        place,
        "ROLLBACK PREPARED 'it''s half done'",
        f"SELECT pg_drop_replication_slot('{slot}')",
        'ALTER SUBSCRIPTION "odd ""name" DISABLE',
    )
    app.restores.check(backup.id, SWAP)
    restore = app.restores.restore(backup.id, SWAP, recorder)
    assert restore.status is RestoreStatus.COMPLETED
    assert restore.previous_database is not None
    assert restore.live_oid is not None
    app.server.drop_database(place, restore.previous_database, restore.live_oid)


def test_what_comes_into_the_way_during_the_load_is_found_before_the_swap(
    app: App, server: Server, place: ConnectionInfo, backup: Backup
) -> None:
    slot = f"late_{place.dbname}"

    class Meddler(Recorder):
        def step(self, name: str) -> None:
            super().step(name)
            if name == "compare":
                server.sql(place, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")

    server.sql(place, "INSERT INTO t VALUES (2)")
    meddler = Meddler()
    with pytest.raises(Conflict, match=slot):
        app.restores.restore(backup.id, SWAP, meddler)
    assert "swap" not in meddler.steps
    assert server.sql(place, "SELECT count(*) FROM t") == [(2,)]
    assert [name for name in app.server.list_databases(place) if name.startswith(f"{place.dbname}__")] == []
    server.sql(place, f"SELECT pg_drop_replication_slot('{slot}')")


def test_the_reader_of_a_slot_is_named(app: App, server: Server, place: ConnectionInfo, backup: Backup) -> None:
    slot = f"slot_{place.dbname}"
    server.sql(place, "CREATE PUBLICATION p", f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    with connect(place, replication="database") as reader:
        start = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names 'p')"
        reader.pgconn.exec_(start.encode())
        with pytest.raises(Conflict, match=f"which process {reader.info.backend_pid} reads"):
            app.restores.check(backup.id, SWAP)
        reader.pgconn.finish()
    server.sql(place, f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{slot}'")


def test_slots_of_other_databases_and_of_a_session_alone_are_in_nobodys_way(
    app: App, server: Server, place: ConnectionInfo, backup: Backup
) -> None:
    other = server.create_database()
    name = f"slot_{other.dbname}"
    server.sql(other, f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")
    with connect(place) as session:
        session.execute(f"SELECT pg_create_logical_replication_slot('mine_{place.dbname}', 'pgoutput', true)".encode())
        prepare(other, name, "CREATE TABLE t (a int)")
        app.restores.check(backup.id, SWAP)
    server.sql(other, f"ROLLBACK PREPARED '{name}'")
    server.sql(other, f"SELECT pg_drop_replication_slot('{name}')")


def test_sessions_that_our_role_may_not_end_are_named_with_who_may(
    app: App, server: Server, recorder: Recorder
) -> None:
    role = server.create_role(attributes="LOGIN CREATEDB")
    place = server.create_database()
    mine = replace(place, user=role.user, password=role.password)
    server.sql(place, f'ALTER DATABASE "{place.dbname}" OWNER TO "{role.user}"')
    stranger = server.create_role()
    server.sql(mine, f'GRANT ALL ON DATABASE "{place.dbname}" TO "{stranger.user}"')
    backup = take(app, mine, recorder)
    others = replace(place, user=stranger.user, password=stranger.password)
    with connect(place) as superuser, connect(others) as other, connect(mine):
        refused = refusal(app, backup, SWAP, recorder)
        assert refused.facts["obstacles"] == [
            f'the session {pid} of "{user}", which "{role.user}" may not end: SELECT pg_terminate_backend({pid}); '
            f"as a superuser{once}"
            for pid, user, once in sorted(
                [
                    (superuser.info.backend_pid, "postgres", ""),
                    (
                        other.info.backend_pid,
                        stranger.user,
                        f', or once and for all GRANT pg_signal_backend TO "{role.user}";',
                    ),
                ]
            )
        ]
        app.restores.check(backup.id, IN_PLACE)
        server.sql(place, f'GRANT pg_signal_backend TO "{role.user}"')
        with pytest.raises(Conflict) as less:
            app.restores.check(backup.id, SWAP)
        assert len(less.value.facts["obstacles"]) == 1
    app.restores.check(backup.id, SWAP)


def test_in_place_only_locks_are_in_the_way_and_of_chosen_tables_only_theirs(
    app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
) -> None:
    slot, gid = f"slot_{place.dbname}", f"half {place.dbname}"
    server.sql(place, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    server.sql(place, SUBSCRIBE.format("feed"), "ALTER SUBSCRIPTION feed ENABLE")
    prepare(place, gid, "INSERT INTO t VALUES (2)")
    refused = refusal(app, backup, IN_PLACE, recorder)
    assert len(refused.facts["obstacles"]) == 1
    with pytest.raises(Conflict):
        app.restores.check(backup.id, replace(IN_PLACE, tables=("public.t",)))
    app.restores.restore(backup.id, replace(IN_PLACE, tables=("public.u",)), recorder)
    server.sql(place, f"ROLLBACK PREPARED '{gid}'")
    app.restores.restore(backup.id, IN_PLACE, recorder)
    assert server.sql(place, "SELECT count(*) FROM pg_subscription WHERE subname = 'feed'") == [(0,)]
    server.sql(place, f"SELECT pg_drop_replication_slot('{slot}')")


def test_a_new_database_has_nothing_in_its_way(
    app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
) -> None:
    gid = f"half {place.dbname}"
    prepare(place, gid, "INSERT INTO t VALUES (2)")
    options = replace(SWAP, mode=RestoreMode.NEW_DATABASE, target_database=f"{place.dbname}_copy")
    app.restores.check(backup.id, options)
    app.restores.restore(backup.id, options, recorder)
    server.sql(place, f"ROLLBACK PREPARED '{gid}'")


def test_an_undo_has_the_same_in_its_way_in_either_database(
    app: App, server: Server, place: ConnectionInfo, backup: Backup, recorder: Recorder
) -> None:
    restore = app.restores.restore(backup.id, SWAP, recorder)
    assert restore.previous_database is not None
    previous = place.to_database(restore.previous_database)
    slot, gid = f"slot_{place.dbname}", f"half {place.dbname}"
    server.sql(previous, f"SELECT pg_create_logical_replication_slot('{slot}_2', 'pgoutput')")
    server.sql(place, f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    prepare(previous, gid, "INSERT INTO t VALUES (2)")
    with pytest.raises(Conflict) as refused:
        app.restores.undo(restore.id, recorder)
    assert [line.partition(":")[0] for line in refused.value.facts["obstacles"]] == [
        f'the logical replication slot "{slot}"',
        f'the prepared transaction "{gid}" of "postgres"',
    ]
    assert app.catalog.get_restore(restore.id).status is RestoreStatus.COMPLETED
    server.sql(place, f"SELECT pg_drop_replication_slot('{slot}')")
    server.sql(previous, f"ROLLBACK PREPARED '{gid}'")
    assert app.restores.undo(restore.id, recorder).status is RestoreStatus.UNDONE
    server.sql(place, f"SELECT pg_drop_replication_slot('{slot}_2')")


def test_a_live_database_that_is_a_template_is_swapped_like_any_other(
    app: App, server: Server, place: ConnectionInfo, recorder: Recorder
) -> None:
    server.sql(server.connection, f'ALTER DATABASE "{place.dbname}" IS_TEMPLATE true')
    backup = take(app, place, recorder)
    app.restores.restore(backup.id, SWAP, recorder)
    template = f"SELECT datistemplate FROM pg_database WHERE datname = '{place.dbname}'"
    assert server.sql(place, template) == [(True,)]


@pytest.mark.parametrize("mode", ["swap", "new_database"])
def test_a_check_refuses_what_the_restore_would_refuse_and_leaves_no_record(
    app: App, server: Server, recorder: Recorder, mode: str
) -> None:
    role = server.create_role()
    place = server.create_database()
    server.sql(place, f'ALTER DATABASE "{place.dbname}" OWNER TO "{role.user}"')
    backup = take(app, replace(place, user=role.user, password=role.password), recorder)
    target = "copy" if mode == "new_database" else None
    options = replace(SWAP, mode=RestoreMode(mode), target_database=target)
    with pytest.raises(PgproofError, match="may not create databases"):
        app.restores.check(backup.id, options)
    assert list(app.catalog.list_restores()) == []
