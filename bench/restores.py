"""`pgproof restore` beside plain `pg_restore -jN`, and how long the live database is away."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

import psycopg

from bench.clock import median, timed, wait_until_idle
from bench.place import Place

# Steps of a restore that plain pg_restore does not have.
_APART = ("safety_backup", "analyze", "compare")


@dataclass
class RestoreFigures:
    """Seconds of each round; `steps` are pgproof's own timings of the last one, `away` is the longest time
    for which a client that tried all the time got no answer.
    """

    jobs: int
    pgproof: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    away: float = 0.0

    @property
    def ratio(self) -> float:
        """Our restore without the steps that plain pg_restore does not have, over plain pg_restore."""
        return median(self.pgproof) / median(self.plain)


def compare_restores(place: Place, database: str, rounds: int, tell: Callable[[str], None]) -> RestoreFigures:
    """Restore the same database both ways in turn, once to warm up and then `rounds` times."""
    environment = place.environment(database)
    figures = RestoreFigures(jobs=2)
    made = json.loads(timed(place.pgproof("backup", "--json"), environment, place.folder).stdout)
    backup_id = str(made["id"])
    plain = place.folder / "plain.dump"
    timed(place.tool("pg_dump", "-Fc", "-f", str(plain), database), os.environ, place.folder)
    for number in range(rounds + 1):
        tell(f"restore, round {number} of {rounds}" if number else "restore, warm-up")
        _pgproof_restore(place, database, backup_id, figures)
        _plain_restore(place, str(plain), figures)
        if number == 0:
            figures.pgproof.clear()
            figures.whole.clear()
            figures.plain.clear()
    tell("restore, with a client that connects all the time")
    figures.away = _time_away(place, database, backup_id)
    plain.unlink()
    return figures


def _pgproof_restore(place: Place, database: str, backup_id: str, figures: RestoreFigures) -> None:
    command = place.pgproof("restore", backup_id, "--jobs", str(figures.jobs), "--yes", "--json")
    wait_until_idle()
    run = timed(command, place.environment(database), place.folder)
    figures.steps = json.loads(run.stdout)["timings"]
    figures.whole.append(run.seconds)
    figures.pgproof.append(run.seconds - sum(figures.steps[step] for step in _APART))
    place.drop_all_but(database)


def _plain_restore(place: Place, archive: str, figures: RestoreFigures) -> None:
    place.create_database("fresh")
    command = place.tool("pg_restore", "-j", str(figures.jobs), "-d", "fresh", archive)
    wait_until_idle()
    figures.plain.append(timed(command, os.environ, place.folder).seconds)
    place.drop_database("fresh")


def _time_away(place: Place, database: str, backup_id: str) -> float:
    """The longest time between two answers to a client that connects again and again during a restore."""
    longest = 0.0
    ended = Event()

    def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not ended.is_set():
            if _answers(place, database):
                now = time.perf_counter()
                longest = max(longest, now - last)
                last = now
            time.sleep(0.002)

    client = Thread(target=watch)
    client.start()
    try:
        command = place.pgproof("restore", backup_id, "--no-safety-backup", "--yes", "--json")
        timed(command, place.environment(database), place.folder)
    finally:
        ended.set()
        client.join()
    place.drop_all_but(database)
    return longest


def _answers(place: Place, database: str) -> bool:
    try:
        with place.connect(database) as session:
            session.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
