"""What we ask of real servers over SQL, on every version."""

import threading
import time
from contextlib import suppress

import psycopg
import pytest
from psycopg import sql

from pgproof.adapters.postgres.connect import connect as own_session
from pgproof.adapters.postgres.server import LivePostgresServer
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import (
    AuthenticationFailed,
    DatabaseMissing,
    DumpFailed,
    InvalidInput,
    PrivilegeMissing,
    ServerUnreachable,
    SwapFailed,
)
from pgproof.domain.fingerprint import FingerprintLevel, SequencePosition
from pgproof.domain.properties import Grant, Setting
from pgproof.domain.secret import Secret
from tests.servers import Server, connect

ODD = "we\"ird 'näme"


@pytest.fixture
def postgres() -> LivePostgresServer:
    return LivePostgresServer(lock_wait_seconds=1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40ss@h:6000/d?sslmode=require", ConnectionInfo("d", "h", 6000, "u", Secret("p@ss"))),
        ("postgresql:///d?host=/run/pg", ConnectionInfo("d", "/run/pg")),
        ("host=h dbname='my db'", ConnectionInfo("my db", "h")),
    ],
)
def test_a_url_is_read_by_libpqs_rules(postgres: LivePostgresServer, url: str, expected: ConnectionInfo) -> None:
    parsed = postgres.parse_url(url)
    assert (parsed.dbname, parsed.host, parsed.port, parsed.user, parsed.password) == (
        expected.dbname, expected.host, expected.port, expected.user, expected.password,
    )  # fmt: skip


@pytest.mark.parametrize(
    "url", ["postgresql://h:port/d", "postgresql://u:secret@[h/d", "postgresql://", "host=h,i port=1,2 dbname=d"]
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(postgres: LivePostgresServer, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        postgres.parse_url(url)
    assert "secret" not in refused.value.detail + refused.value.hint
    assert refused.value.hint


class TestErrors:
    def test_a_server_that_is_down(self, postgres: LivePostgresServer) -> None:
        with pytest.raises(ServerUnreachable) as down:
            postgres.identify(ConnectionInfo("d", "127.0.0.1", 1, "u"))
        assert "127.0.0.1:1" in down.value.detail
        assert "pg_hba.conf" not in down.value.hint, "nobody there has refused us"

    def test_a_wrong_password_is_said_without_saying_it(self, postgres: LivePostgresServer, server: Server) -> None:
        place = server.connection
        wrong = ConnectionInfo("postgres", place.host, place.port, place.user, Secret("not-the-password"))
        with pytest.raises(AuthenticationFailed) as refused:
            postgres.identify(wrong)
        assert "not-the-password" not in str(refused.value)

    def test_no_such_database(self, postgres: LivePostgresServer, server: Server) -> None:
        place = server.connection
        with pytest.raises(DatabaseMissing, match=r'there is no database "now here" on 127\.0\.0\.1') as missing:
            postgres.identify(place.to_database("now here"))
        assert missing.value.hint.endswith(f"psql --host=127.0.0.1 --port={place.port} --username=postgres --list")


def test_sessions_of_one_database_are_counted(postgres: LivePostgresServer, server: Server) -> None:
    place = server.create_database()
    assert postgres.sessions(place) == 0
    with connect(place), connect(place), connect(server.connection):
        assert postgres.sessions(place) == 2


def test_a_server_tells_who_it_is(postgres: LivePostgresServer, server: Server) -> None:
    found = postgres.identify(server.connection)
    assert found.version.major == server.major
    assert found.is_superuser
    assert found.system_identifier.isdigit()
    weak = postgres.identify(server.create_role())
    assert not weak.is_superuser
    assert not weak.can_create_databases


def test_limits_that_the_server_sets_for_applications_do_not_bind_us(
    postgres: LivePostgresServer, server: Server
) -> None:
    database = server.create_database()
    name = sql.Identifier(database.dbname)
    server.sql(database, sql.SQL("ALTER DATABASE {} SET statement_timeout = 50").format(name))
    server.sql(database, sql.SQL("ALTER DATABASE {} SET idle_in_transaction_session_timeout = 50").format(name))
    with own_session(database) as session, session.transaction():
        session.execute("SELECT pg_catalog.pg_sleep(0.2)")
        time.sleep(0.2)
        session.execute("SELECT 1")
    with postgres.open_snapshot(database) as snapshot:
        time.sleep(0.2)
        assert snapshot.facts.size > 0
        assert snapshot.id


class TestSnapshot:
    def test_facts_hold_what_a_dump_carries_and_nothing_of_the_systems(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        database = server.create_database()
        server.sql(
            database,
            "CREATE TABLE plain (id int)",
            "CREATE TABLE parted (id int) PARTITION BY RANGE (id)",
            "CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10)",
            "CREATE TABLE mother (id int)",
            "CREATE TABLE child () INHERITS (mother)",
            "CREATE UNLOGGED TABLE unlogged (id int)",
            'CREATE TABLE "Odd.Table ""x""" (id int)',
            "CREATE VIEW v AS SELECT 1 AS one",
            "CREATE MATERIALIZED VIEW m AS SELECT 1 AS one",
            "CREATE SEQUENCE s INCREMENT -2 MINVALUE -100",
            "INSERT INTO parted VALUES (1), (2)",
            "INSERT INTO mother VALUES (1)",
            "INSERT INTO child VALUES (1), (2), (3)",
            "SELECT nextval('s'), lo_create(0)",
        )
        with postgres.open_snapshot(database) as snapshot:
            facts = snapshot.facts
            counts = snapshot.contents_of(facts.tables, FingerprintLevel.COUNTS).rows
            positions = snapshot.sequence_positions()
        assert counts == {
            "public.plain": 0, "public.parted": 0, "public.part1": 2, "public.mother": 1, "public.child": 3,
            "public.unlogged": 0, 'public."Odd.Table ""x"""': 0,
        }  # fmt: skip
        assert {table.name for table in facts.tables if table.parent} == {"public.parted"}
        assert facts.sequences == ("public.s",)
        assert positions == {"public.s": SequencePosition(-1, True, -2)}
        assert facts.large_objects == 1
        assert facts.extensions.keys() == {"plpgsql"}
        assert facts.unreadable == ()
        assert not facts.holds_catalog

    def test_counts_are_of_the_snapshot_whatever_is_written_meanwhile(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        database = server.create_database()
        server.sql(database, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
        with postgres.open_snapshot(database) as snapshot:
            tables = snapshot.facts.tables
            server.sql(database, "DELETE FROM t WHERE i > 10", "INSERT INTO t SELECT 1 FROM generate_series(1, 5000)")
            assert snapshot.contents_of(tables, FingerprintLevel.COUNTS).rows == {"public.t": 1000}

    def test_held_tables_can_be_written_but_not_truncated_or_dropped(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        database = server.create_database()
        server.sql(database, "CREATE TABLE t (i int)")
        with postgres.open_snapshot(database) as snapshot:
            snapshot.hold(snapshot.facts.tables)
            server.sql(database, "INSERT INTO t VALUES (1)")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                server.sql(database, "SET lock_timeout = 50", "TRUNCATE t")
        server.sql(database, "TRUNCATE t")

    def test_a_table_that_somebody_locks_is_an_error_after_a_while_not_a_wait_for_ever(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        database = server.create_database()
        server.sql(database, "CREATE TABLE t (i int)")
        with connect(database, autocommit=False) as other:
            other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(DumpFailed, match="locked by another session"), postgres.open_snapshot(database) as snap:
                assert snap.facts.tables

    def test_what_the_role_may_not_read_is_named_with_row_security_too(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        database = server.create_database()
        role = server.create_role()
        server.sql(
            database,
            "CREATE TABLE open (i int)", "GRANT SELECT ON open TO PUBLIC",
            "CREATE TABLE shut (i int)",
            "CREATE TABLE rows (i int)", "GRANT SELECT ON rows TO PUBLIC", "ALTER TABLE rows ENABLE ROW LEVEL SECURITY",
            "CREATE SEQUENCE counted",
            "CREATE SCHEMA hidden", "CREATE TABLE hidden.t (i int)", "GRANT SELECT ON hidden.t TO PUBLIC",
        )  # fmt: skip
        reader = ConnectionInfo(database.dbname, role.host, role.port, role.user, role.password)
        with postgres.open_snapshot(reader) as snapshot:
            unreadable = snapshot.facts.unreadable
        assert unreadable == ("hidden.t", "public.counted", "public.rows", "public.shut")

    def test_patterns_find_tables_as_pg_dump_does_with_their_partitions(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        database = server.create_database()
        server.sql(
            database,
            "CREATE TABLE audit_logs (i int) PARTITION BY RANGE (i)",
            "CREATE TABLE audit_2024 PARTITION OF audit_logs FOR VALUES FROM (0) TO (9)",
            "CREATE TABLE audit_logs_archive (i int)",
            "CREATE SCHEMA app", "CREATE TABLE app.cache_a (i int)", "CREATE TABLE app.cache_b (i int)",
            "CREATE VIEW cache_view AS SELECT 1 AS one",
        )  # fmt: skip
        with postgres.open_snapshot(database) as snapshot:
            assert {t.name for t in snapshot.matching(["audit_logs"])} == {"public.audit_logs", "public.audit_2024"}
            assert {t.name for t in snapshot.matching(["app.cache_*"])} == {"app.cache_a", "app.cache_b"}
            assert snapshot.matching(["cache_*"]) == ()  # app is not on the search path


def test_a_shadow_database_is_made_in_the_likeness_of_the_original(
    postgres: LivePostgresServer, server: Server
) -> None:
    original = server.create_database(ODD + str(server.major))
    owner = server.create_role('Own"er' + str(server.major)).user
    name, role = sql.Identifier(original.dbname), sql.Identifier(owner)
    server.sql(
        original,
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, role),
        sql.SQL("ALTER DATABASE {} SET search_path = \"$user\", 'Odd, Schema', public").format(name),
        sql.SQL("ALTER DATABASE {} SET app.tenant = 'a, b'").format(name),
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET work_mem = '7MB'").format(role, name),
        sql.SQL("COMMENT ON DATABASE {} IS 'it''s ours'").format(name),
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 17").format(name),
        sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name),
        sql.SQL("GRANT CREATE ON DATABASE {} TO {} WITH GRANT OPTION").format(name, role),
        "DROP SCHEMA public",
    )
    with postgres.open_snapshot(original) as snapshot:
        wanted = snapshot.facts.properties
    assert wanted.owner == owner
    assert Setting("work_mem", "7MB", owner) in wanted.settings
    assert wanted.grants is not None
    assert Grant(None, "CONNECT", False, owner) not in wanted.grants
    shadow = "shadow of " + original.dbname
    postgres.create_shadow(original, shadow, wanted)
    postgres.apply_properties(original, shadow, wanted)
    with postgres.open_snapshot(original.to_database(shadow)) as snapshot:
        made = snapshot.facts.properties
    assert made.grants is not None
    assert set(made.grants) == set(wanted.grants)
    assert (made.settings, made.owner, made.comment, made.connection_limit, made.has_public_schema) == (
        wanted.settings, owner, "it's ours", 17, False,
    )  # fmt: skip
    assert (made.encoding, made.collate, made.locale_provider) == (
        wanted.encoding, wanted.collate, wanted.locale_provider,
    )  # fmt: skip


class TestSwap:
    def test_clients_that_are_connected_are_ended_and_find_the_new_database(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        live, incoming = server.create_database(), server.create_database()
        server.sql(live, "CREATE TABLE old (i int)")
        server.sql(incoming, "CREATE TABLE new (i int)")
        stop = threading.Event()
        refused: list[float] = []

        def knock() -> None:
            while not stop.is_set():
                try:
                    with connect(live) as session:
                        session.execute("SELECT pg_sleep(0.001)")
                except psycopg.Error:
                    refused.append(time.monotonic())

        clients = [threading.Thread(target=knock) for _ in range(4)]
        with connect(live) as idle:
            for client in clients:
                client.start()
            outgoing = f"{live.dbname}_previous"
            seconds = postgres.swap(live, live=live.dbname, incoming=incoming.dbname, outgoing=outgoing)
            with pytest.raises(psycopg.OperationalError):
                idle.execute("SELECT 1")
            stop.set()
            for client in clients:
                client.join()
        assert seconds >= 0
        assert server.sql(live, "SELECT to_regclass('new') IS NOT NULL") == [(True,)]
        assert server.sql(live.to_database(outgoing), "SELECT to_regclass('old') IS NOT NULL") == [(True,)]
        assert incoming.dbname not in postgres.list_databases(server.connection)

    def test_a_swap_that_cannot_be_leaves_both_databases_as_they_were(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        live = server.create_database()
        with pytest.raises(SwapFailed):
            postgres.swap(live, live=live.dbname, incoming="not there", outgoing=f"{live.dbname}_previous")
        names = postgres.list_databases(server.connection)
        assert live.dbname in names
        assert f"{live.dbname}_previous" not in names
        assert server.sql(live, "SELECT 1") == [(1,)]

    def test_a_prepared_transaction_in_the_way_fails_the_swap_and_nothing_else(
        self, postgres: LivePostgresServer, server: Server
    ) -> None:
        live, incoming = server.create_database(), server.create_database()
        server.sql(live, "CREATE TABLE t (i int)")
        with connect(live, autocommit=False) as session:
            session.execute("INSERT INTO t VALUES (1)")
            session.execute(sql.SQL("PREPARE TRANSACTION {}").format(sql.Literal(live.dbname)))
        with pytest.raises(SwapFailed, match="prepared"):
            postgres.swap(live, live=live.dbname, incoming=incoming.dbname, outgoing=f"{live.dbname}_previous")
        server.sql(live, sql.SQL("COMMIT PREPARED {}").format(sql.Literal(live.dbname)))
        assert server.sql(live, "SELECT count(*) FROM t") == [(1,)]

    def test_a_missing_live_database_is_simply_put_in_place(self, postgres: LivePostgresServer, server: Server) -> None:
        incoming = server.create_database()
        gone = incoming.to_database(f"{incoming.dbname}_gone")
        maintenance = postgres.maintenance(gone)
        postgres.swap(maintenance, live=gone.dbname, incoming=incoming.dbname, outgoing=None)
        assert server.sql(gone, "SELECT 1") == [(1,)]


def test_dropping_a_database_ends_its_sessions_and_spares_another_of_the_same_name(
    postgres: LivePostgresServer, server: Server
) -> None:
    database = server.create_database()
    session = connect(database)
    oid = postgres.list_databases(server.connection)[database.dbname]
    assert not postgres.drop_database(server.connection, database.dbname, oid + 1)
    assert database.dbname in postgres.list_databases(server.connection)
    assert postgres.drop_database(server.connection, database.dbname, oid)
    assert not postgres.drop_database(server.connection, database.dbname, oid)
    assert database.dbname not in postgres.list_databases(server.connection)
    with suppress(psycopg.Error):
        session.close()


def test_a_role_without_the_right_to_create_databases_gets_an_error_that_says_so(
    postgres: LivePostgresServer, server: Server
) -> None:
    weak = server.create_role()
    with postgres.open_snapshot(server.connection) as snapshot:
        properties = snapshot.facts.properties
    with pytest.raises(PrivilegeMissing):
        postgres.create_shadow(weak, "never_made", properties)
