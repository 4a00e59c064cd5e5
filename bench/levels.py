"""Every level of effort beside pg_dump's level of the same number."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.backups import Series, back_up, dump
from bench.place import Place
from pgproof.domain.archive import LEVELS


@dataclass(frozen=True)
class LevelFigures:
    """Both commands at one level."""

    level: int
    pgproof: Series
    pg_dump: Series


def compare_levels(place: Place, database: str, rounds: int, tell: Callable[[str], None]) -> list[LevelFigures]:
    """Run both at every level in turn, `rounds` times."""
    figures = [LevelFigures(level, Series("pgproof backup"), Series("pg_dump -Fc")) for level in LEVELS]
    for number in range(1, rounds + 1):
        for one in figures:
            tell(f"level {one.level}, round {number} of {rounds}")
            back_up(place, database, one.pgproof, ["--compression-level", str(one.level)])
            dump(place, database, one.pg_dump, one.level)
    return figures
