"""What a database needs after pg_restore, and before it can be dropped."""

import pytest
from psycopg import sql

from pgproof.adapters.postgres.connect import connect
from pgproof.adapters.postgres.server import LivePostgresServer
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import PostgresError, ServerUnreachable
from tests.servers import Server

postgres = LivePostgresServer()


@pytest.fixture
def place(server: Server) -> ConnectionInfo:
    return server.create_database()


class TestStatistics:
    def test_a_table_that_cannot_be_analysed_does_not_keep_the_others_from_it(
        self, server: Server, place: ConnectionInfo
    ) -> None:
        server.sql(
            place,
            "CREATE FOREIGN DATA WRAPPER nowhere",
            "CREATE SERVER nobody FOREIGN DATA WRAPPER nowhere",
            "CREATE TABLE parted (i int) PARTITION BY LIST (i)",
            "CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1)",
            "CREATE FOREIGN TABLE part_2 PARTITION OF parted FOR VALUES IN (2) SERVER nobody",
            "INSERT INTO parted VALUES (1)",
            "CREATE TABLE zebra AS SELECT 1 AS i",
        )
        (left_out,) = postgres.analyze(place)
        assert left_out.startswith("public.parted: foreign-data wrapper")
        analysed = server.sql(place, "SELECT relname FROM pg_class WHERE reltuples = 1 AND oid >= 16384 ORDER BY 1")
        assert analysed == [("part_1",), ("zebra",)]

    def test_all_of_a_plain_database_is_analysed(self, server: Server, place: ConnectionInfo) -> None:
        server.sql(place, "CREATE TABLE t AS SELECT 1 AS i")
        assert postgres.analyze(place) == ()
        assert server.sql(place, "SELECT count(*) FROM pg_stats WHERE tablename = 't'") == [(1,)]


class TestIndexesOfPartitionedTables:
    TABLES = (
        "CREATE TABLE parted (i int) PARTITION BY LIST (i)",
        "CREATE TABLE middle PARTITION OF parted FOR VALUES IN (1, 2) PARTITION BY LIST (i)",
        "CREATE TABLE leaf PARTITION OF middle FOR VALUES IN (1)",
        "CREATE INDEX top ON parted (i)",
    )
    INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"

    def test_an_index_that_two_jobs_left_invalid_is_made_valid(self, server: Server, place: ConnectionInfo) -> None:
        server.sql(
            place,
            *self.TABLES,
            # What two pg_restore jobs leave when each attaches its index before the other has committed.
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('top'::regclass, 'middle_i_idx'::regclass)",
        )
        assert set(postgres.validate_indexes(place)) == {"public.top", "public.middle_i_idx"}
        assert server.sql(place, self.INVALID) == []

    def test_an_index_that_a_partition_lacks_stays_invalid(self, server: Server, place: ConnectionInfo) -> None:
        server.sql(
            place,
            *self.TABLES,
            "CREATE INDEX only_here ON ONLY parted ((i + 1))",
            "CREATE INDEX ON ONLY middle ((i + 1))",
            "ALTER INDEX only_here ATTACH PARTITION middle_expr_idx",
        )
        assert postgres.validate_indexes(place) == ()
        assert server.sql(place, self.INVALID) == [("middle_expr_idx",), ("only_here",)]


def test_a_database_is_dropped_with_its_subscriptions(server: Server, place: ConnectionInfo) -> None:
    server.sql(
        place,
        'CREATE SUBSCRIPTION "odd ""one""" CONNECTION \'host=nowhere.invalid\' PUBLICATION p '
        "WITH (connect = false, slot_name = 'kept')",
        "SET default_transaction_read_only = off",
        sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(sql.Identifier(place.dbname)),
    )
    oid = postgres.list_databases(place)[place.dbname]
    assert postgres.drop_database(place, place.dbname, oid)
    assert place.dbname not in postgres.list_databases(server.connection)


def test_what_the_server_answers_is_not_taken_for_a_server_out_of_reach(server: Server, place: ConnectionInfo) -> None:
    server.sql(place, "CREATE SEQUENCE s")
    with pytest.raises(PostgresError, match="answered: currval of sequence") as answered, connect(place) as session:
        session.execute("SELECT currval('public.s')")
    assert not isinstance(answered.value, ServerUnreachable)


def test_every_role_that_a_dump_names_is_told_the_bootstrap_superuser_too(server: Server) -> None:
    role = server.create_role()
    place = server.create_database()
    with postgres.open_snapshot(place) as snapshot:
        assert snapshot.facts.roles == ()
    server.sql(place, sql.SQL("CREATE SCHEMA s AUTHORIZATION {}").format(sql.Identifier(role.user)))
    with postgres.open_snapshot(place) as snapshot:
        assert snapshot.facts.roles == (role.user,)
    server.sql(place, "CREATE PUBLICATION p")
    with postgres.open_snapshot(place) as snapshot:
        assert set(snapshot.facts.roles) == {role.user, "postgres"}
