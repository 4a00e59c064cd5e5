"""A content digest tells apart what differs, and nothing else."""

import pytest
from psycopg import sql

from pgproof.adapters.postgres.digest import PIECE_BYTES
from pgproof.adapters.postgres.server import LivePostgresServer
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel
from tests.servers import Server

MADE = (
    "CREATE TYPE pair AS (a int, b text)",
    """CREATE TABLE t (
        t text, x text, id int, n numeric, f float8, at timestamptz, i interval, b bytea, a int[], p pair)""",
    """INSERT INTO t VALUES
        ('a', NULL, 1, 1.10, 0.1, '2020-02-29 12:00+00', '1 day', '\\x00ff', '{1,NULL}', '(1,)'),
        (NULL, 'a', 2, 'NaN', '-0', 'infinity', '-1 year +3 days', '', '{}', NULL),
        ('', E'\\n', 3, NULL, 1e300, NULL, NULL, NULL, NULL, '(,"")')""",
)
# Whatever computes these digests must go on computing them: they lie in manifests.
KNOWN = "-10195290059654887654:2767507638202075424"


def read(place: ConnectionInfo) -> Fingerprint:
    return LivePostgresServer().fingerprint(place, FingerprintLevel.CONTENT)


def digest(place: ConnectionInfo, table: str = "public.t") -> str:
    return read(place).digests[table]


@pytest.fixture
def place(server: Server) -> ConnectionInfo:
    made = server.create_database()
    server.sql(made, *MADE)
    return made


def test_the_same_rows_have_the_same_digest_on_every_server(place: ConnectionInfo) -> None:
    assert digest(place) == KNOWN


NO_CONTENT = [
    "ALTER DATABASE {} SET DateStyle = 'German, DMY'",
    "ALTER DATABASE {} SET IntervalStyle = 'iso_8601'",
    "ALTER DATABASE {} SET TimeZone = 'Asia/Kathmandu'",
    "ALTER DATABASE {} SET extra_float_digits = -15",
    "ALTER DATABASE {} SET bytea_output = 'escape'",
    "ALTER DATABASE {} SET quote_all_identifiers = on",
    "CREATE TABLE u AS TABLE t; TRUNCATE t; INSERT INTO t SELECT * FROM u ORDER BY id DESC; DROP TABLE u",
    "ALTER TABLE t ADD dropped int DEFAULT 7; ALTER TABLE t DROP dropped",
    "ALTER TABLE t ADD generated int GENERATED ALWAYS AS (id * 2) STORED",
    "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME TO t",
    "CREATE TABLE child () INHERITS (t); INSERT INTO child (id) VALUES (9)",
    "CREATE FUNCTION shout(pair) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    "CREATE CAST (pair AS text) WITH FUNCTION shout(pair) AS IMPLICIT",
    "ALTER DATABASE {} SET search_path = 'nowhere'",
]


def test_what_is_no_content_changes_no_digest(server: Server, place: ConnectionInfo) -> None:
    name = sql.Identifier(place.dbname).as_string()
    for statement in NO_CONTENT:
        server.sql(place, *statement.replace("{}", name).split("; "))
        assert digest(place) == KNOWN, statement


CONTENT = [
    "UPDATE t SET t = x, x = t WHERE id = 1",
    "UPDATE t SET t = '' WHERE t IS NULL",
    "UPDATE t SET n = 1.1 WHERE id = 1",
    "UPDATE t SET f = 0 WHERE id = 2",
    "UPDATE t SET f = 0.1 + 1e-17 * 2 WHERE id = 1",
    "UPDATE t SET at = at + interval '1 microsecond' WHERE id = 1",
    "UPDATE t SET i = '24 hours' WHERE id = 1",
    "UPDATE t SET b = '\\x00fe' WHERE id = 1",
    "UPDATE t SET b = NULL WHERE id = 2",
    "UPDATE t SET a = '[0:1]={1,NULL}' WHERE id = 1",
    "UPDATE t SET a = NULL WHERE id = 2",
    "UPDATE t SET p = '(1,\"\")' WHERE id = 1",
    "UPDATE t SET p = '(,)' WHERE id = 2",
    "INSERT INTO t SELECT * FROM t WHERE id = 1",
    "DELETE FROM t WHERE id = 3",
    "INSERT INTO t DEFAULT VALUES",
    "ALTER TABLE t ADD one_more int",
]


def test_every_change_of_content_changes_the_digest(server: Server, place: ConnectionInfo) -> None:
    server.sql(place, "CREATE TABLE kept AS TABLE t")
    seen = {KNOWN}
    for statement in CONTENT:
        server.sql(place, statement)
        found = digest(place)
        assert found not in seen, statement
        seen.add(found)
        server.sql(place, "DROP TABLE t", "CREATE TABLE t AS TABLE kept")
    assert digest(place) == KNOWN


def test_equal_rows_do_not_cancel_each_other_out(server: Server) -> None:
    place = server.create_database()
    server.sql(
        place,
        "CREATE TABLE a AS SELECT 'same' AS v FROM generate_series(1, 4)",
        "CREATE TABLE b AS SELECT 'equal' AS v FROM generate_series(1, 4)",
    )
    assert digest(place, "public.a") != digest(place, "public.b")


def test_tables_of_any_shape_have_a_digest(server: Server) -> None:
    place = server.create_database()
    columns = ", ".join(f'"c{i}" "char"' for i in range(1600))
    server.sql(
        place,
        "CREATE TABLE empty_one (i int)",
        "CREATE TABLE without_columns ()",
        "INSERT INTO without_columns DEFAULT VALUES",
        "INSERT INTO without_columns DEFAULT VALUES",
        f"CREATE TABLE widest ({columns})",
        "INSERT INTO widest (c0, c1599) VALUES ('a', 'z')",
        "CREATE TABLE only_generated (i int GENERATED ALWAYS AS (1) STORED)",
        "INSERT INTO only_generated DEFAULT VALUES",
        "INSERT INTO only_generated DEFAULT VALUES",
        'CREATE SCHEMA "od""d"',
        'CREATE TABLE "od""d"."%s {} \'q\' $digests$" ("r" int, "%I" int, "x.y" int)',
        'INSERT INTO "od""d"."%s {} \'q\' $digests$" VALUES (1, 2, 3)',
    )
    found = read(place)
    assert found.digests["public.empty_one"] == "0:0"
    assert found.digests["public.without_columns"] == found.digests["public.only_generated"] != "0:0"
    assert len(set(found.digests.values())) == 4
    assert {name: found.tables[name] for name in found.digests} == {
        "public.empty_one": 0,
        "public.without_columns": 2,
        "public.widest": 1,
        "public.only_generated": 2,
        '"od""d"."%s {} \'q\' $digests$"': 1,
    }


def test_columns_that_a_restore_puts_in_another_order_are_the_same_content(server: Server) -> None:
    place = server.create_database()
    server.sql(
        place,
        "CREATE TABLE early (b int, a int)",
        "CREATE TABLE late (a int, b int)",
        "INSERT INTO early (a, b) VALUES (1, 2)",
        "INSERT INTO late (a, b) VALUES (1, 2)",
    )
    found = read(place).digests
    assert found["public.early"] == found["public.late"]


def test_a_virtual_column_that_fails_to_compute_does_not_fail_the_digest(server18: Server) -> None:
    place = server18.create_database()
    server18.sql(
        place,
        "CREATE TABLE t (a int, v int GENERATED ALWAYS AS (1 / a) VIRTUAL)",
        "INSERT INTO t VALUES (0)",
        "CREATE TABLE u (a int)",
        "INSERT INTO u VALUES (0)",
    )
    assert digest(place) == digest(place, "public.u")


class TestLargeObjects:
    def test_they_are_read_piece_by_piece_and_every_byte_counts(self, server: Server) -> None:
        place = server.create_database()
        size = 2 * PIECE_BYTES + 5
        server.sql(place, f"SELECT lo_from_bytea(4001, convert_to(repeat('x', {size}), 'UTF8')), lo_create(4002)")
        before = read(place).large_objects_digest
        for at in (0, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES + 4):
            server.sql(place, f"SELECT lo_put(4001, {at}, 'y')")
            assert read(place).large_objects_digest != before, at
            server.sql(place, f"SELECT lo_put(4001, {at}, 'x')")
            assert read(place).large_objects_digest == before, at

    def test_a_hole_reads_as_the_zeros_that_a_restore_writes(self, server: Server) -> None:
        digests = []
        for content in (
            "lo_put(lo_create(4001), 50000, 'end')",
            "lo_from_bytea(4001, decode(repeat('00', 50000), 'hex') || 'end')",
        ):
            place = server.create_database()
            server.sql(place, f"SELECT {content}")
            digests.append(read(place).large_objects_digest)
        assert digests[0] == digests[1]

    def test_an_empty_object_is_not_the_same_as_none_and_numbers_count(self, server: Server) -> None:
        place = server.create_database()
        none = read(place).large_objects_digest
        server.sql(place, "SELECT lo_create(4001)")
        one = read(place).large_objects_digest
        server.sql(place, "SELECT lo_unlink(4001), lo_create(4002)")
        assert len({none, one, read(place).large_objects_digest}) == 3


def test_each_level_reads_as_much_as_it_says(place: ConnectionInfo) -> None:
    for level in FingerprintLevel:
        found = LivePostgresServer().fingerprint(place, level)
        assert found.level is level
        assert found.tables == {"public.t": None if level is FingerprintLevel.NONE else 3}
        assert found.digests == ({"public.t": KNOWN} if level is FingerprintLevel.CONTENT else {})
        assert (found.large_objects_digest is not None) is (level is FingerprintLevel.CONTENT)
