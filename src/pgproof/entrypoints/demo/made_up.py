"""Flights that nobody flew, for where the real data set is not installed: as many tables, as many rows."""

from typing import Any

import psycopg

ROWS = {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26_115, "flights": 336_776}

_YEAR = "timestamptz '2013-01-01 05:00+00'"
_PARTS = "extract(year FROM {0} AT TIME ZONE 'UTC'), extract(month FROM {0} AT TIME ZONE 'UTC'), \
extract(day FROM {0} AT TIME ZONE 'UTC')"
_CARRIERS = "ARRAY['9E','AA','AS','B6','DL','EV','F9','FL','HA','MQ','OO','UA','US','VX','WN','YV']"
_ORIGINS = "ARRAY['A0000','A0001','A0002']"

# From row numbers alone, so that every run makes the same rows.
_STATEMENTS = {
    "airlines": f"INSERT INTO airlines SELECT c, 'Airline ' || c FROM unnest({_CARRIERS}) c LIMIT %(rows)s",
    "airports": """INSERT INTO airports SELECT 'A' || lpad((i - 1)::text, 4, '0'), 'Airport no. ' || i,
        24 + i %% 40 + i / 7919.0, -(70 + i %% 60) - i / 7907.0, i * 37 %% 6000, -(5 + i %% 5), 'A', 'America/New_York'
        FROM generate_series(1, %(rows)s) i""",
    "planes": """INSERT INTO planes SELECT 'N' || (10000 + i), 1980 + i %% 34, 'Fixed wing multi engine',
        'Maker ' || i %% 20, 'Model ' || i %% 90, 1 + i %% 4, 2 + i * 13 %% 400, NULL, 'Turbo-fan'
        FROM generate_series(1, %(rows)s) i""",
    "weather": f"""INSERT INTO weather SELECT ({_ORIGINS})[1 + i %% 3], {_PARTS.format("t")},
        extract(hour FROM t AT TIME ZONE 'UTC'), 30 + i %% 60, 20 + i %% 50, 30 + i %% 70, i * 10 %% 360,
        i %% 40 + 0.357, NULL, i %% 7 / 100.0, 1000 + i %% 40, 1 + i %% 10, t
        FROM generate_series(0, %(rows)s - 1) i, LATERAL (SELECT {_YEAR} + i / 3 * interval '1 hour') h(t)""",
    "flights": f"""INSERT INTO flights (year, month, day, dep_time, sched_dep_time, dep_delay, arr_time,
            sched_arr_time, arr_delay, carrier, flight, tailnum, origin, dest, air_time, distance, hour, minute,
            time_hour)
        SELECT {_PARTS.format("t")}, CASE WHEN i %% 41 > 0 THEN i %% 2400 END, i %% 2400, i * 7 %% 200 - 20,
            i * 11 %% 2400, i * 11 %% 2400, i * 13 %% 240 - 40, ({_CARRIERS})[1 + i * 31 %% 16], 1 + i %% 6000,
            CASE WHEN i %% 134 > 0 THEN 'N' || (10000 + i * 17 %% 4000) END, ({_ORIGINS})[1 + i %% 3],
            'A' || lpad((i * 19 %% 1500)::text, 4, '0'), 20 + i * 23 %% 600, 80 + i * 29 %% 4900,
            extract(hour FROM t AT TIME ZONE 'UTC'), i %% 60, t
        FROM generate_series(1::bigint, %(rows)s) i, LATERAL (SELECT {_YEAR} + i / 39 * interval '1 hour') h(t)""",
}


def insert(session: "psycopg.Connection[tuple[Any, ...]]", table: str) -> int:
    """Fill one of the empty tables; the number of its rows."""
    return session.execute(_STATEMENTS[table], {"rows": ROWS[table]}).rowcount
