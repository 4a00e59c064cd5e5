"""A database that looks like a real application's: mails, documents, narrow rows of numbers, indexes."""

import re
from collections.abc import Callable
from pathlib import Path

from bench.place import Place

NAME = "app"

_SQL = Path(__file__).parent / "sql"
_SCALED = re.compile(rb"(\d+) \* :scale")


def generate(place: Place, scale: float, tell: Callable[[str], None]) -> int:
    """Make the database `app` of about `scale` gigabytes; its size in bytes.

    All rows follow from hashes of row numbers, so that every run makes the same database. The server does
    the work, in about a minute for each gigabyte.
    """
    place.create_database(NAME)
    with place.connect(NAME) as session:
        session.execute("SET synchronous_commit = off")
        for script in sorted(_SQL.glob("*.sql")):
            tell(f"generating {script.stem}")
            session.execute(_SCALED.sub(lambda found: b"%d" % round(int(found[1]) * scale), script.read_bytes()))
        # What a busy server has long done: visibility known, statistics there, nothing left to be written.
        session.execute("VACUUM (ANALYZE)")
        session.execute("CHECKPOINT")
        row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0
