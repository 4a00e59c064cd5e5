"""`pgproof backup` beside `pg_dump -Fc -Z6`, and beside the floor: the same dump uncompressed to /dev/null."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.clock import median, timed, wait_until_idle
from bench.place import Place


@dataclass
class Series:
    """The measurements of one command: seconds and peak memory of each round, bytes stored."""

    name: str
    seconds: list[float] = field(default_factory=list)
    peak_memory: list[int] = field(default_factory=list)
    stored: int = 0

    @property
    def middle(self) -> float:
        """The median of the seconds."""
        return median(self.seconds)


@dataclass(frozen=True)
class BackupFigures:
    """The three commands."""

    pgproof: Series
    pg_dump: Series
    floor: Series


def compare_backups(place: Place, database: str, rounds: int, tell: Callable[[str], None]) -> BackupFigures:
    """Run all three in turn, once to warm up and then `rounds` times."""
    figures = BackupFigures(Series("pgproof backup"), Series("pg_dump -Fc -Z6"), Series("pg_dump -Fc -Z0 > /dev/null"))
    for number in range(rounds + 1):
        tell(f"backup, round {number} of {rounds}" if number else "backup, warm-up")
        back_up(place, database, figures.pgproof)
        dump(place, database, figures.pg_dump, 6)
        dump_to_nothing(place, database, figures.floor)
        if number == 0:
            for series in (figures.pgproof, figures.pg_dump, figures.floor):
                series.seconds.clear()
                series.peak_memory.clear()
    return figures


def back_up(place: Place, database: str, series: Series, options: Sequence[str] = ()) -> None:
    """One backup, deleted again."""
    environment = place.environment(database)
    wait_until_idle()
    run = timed(place.pgproof("backup", "--json", *options), environment, place.folder)
    series.seconds.append(run.seconds)
    series.peak_memory.append(run.peak_memory)
    made = json.loads(run.stdout)
    series.stored = made["file_size"]
    timed(place.pgproof("delete", str(made["id"]), "--yes"), environment, place.folder)


def dump(place: Place, database: str, series: Series, level: int) -> None:
    """One run of pg_dump into a file, which it makes durable as we do."""
    file = place.folder / "plain.dump"
    command = place.tool("pg_dump", "-Fc", f"-Z{level}", "-f", str(file), database)
    wait_until_idle()
    series.seconds.append(timed(command, os.environ, place.folder).seconds)
    series.stored = file.stat().st_size
    file.unlink()


def dump_to_nothing(place: Place, database: str, series: Series) -> None:
    """The floor: reading the database, and nothing else."""
    command = place.tool("pg_dump", "-Fc", "-Z0", database)
    wait_until_idle()
    series.seconds.append(timed(command, os.environ, place.folder, discard=True).seconds)
