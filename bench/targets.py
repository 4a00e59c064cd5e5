"""What the figures must reach."""

from dataclasses import dataclass

from bench.backups import BackupFigures
from bench.restores import RestoreFigures

_MIB = 1 << 20


@dataclass(frozen=True)
class Target:
    """A figure and its limit; `unit` follows the number."""

    name: str
    limit: float
    found: float
    unit: str = ""
    digits: int = 2

    @property
    def met(self) -> bool:
        """Whether the figure is within the limit."""
        return self.found <= self.limit


def backup_targets(figures: BackupFigures) -> list[Target]:
    """Time and size of a backup, against pg_dump and against the floor."""
    ours, theirs, floor = figures.pgproof, figures.pg_dump, figures.floor
    return [
        Target("backup: time of `pg_dump -Fc -Z6`", 0.50, ours.middle / theirs.middle),
        Target("backup: bytes of `pg_dump -Fc -Z6`", 0.90, ours.stored / theirs.stored),
        Target("backup: time of the floor", 1.80, ours.middle / floor.middle),
        memory_target("backup: peak memory", max(ours.peak_memory)),
    ]


def memory_target(name: str, peak: int) -> Target:
    """The memory of a backup, the same whatever its size; `peak` in bytes."""
    return Target(name, 150, peak / _MIB, " MiB", 0)


def restore_targets(figures: RestoreFigures) -> list[Target]:
    """Time of a restore against pg_restore, and of the live database's absence."""
    return [
        Target(f"restore: time of plain `pg_restore -j{figures.jobs}`", 1.15, figures.ratio),
        Target("restore: the live database is away", 1.0, figures.away, " s"),
    ]


def start_target(seconds: float) -> Target:
    """How soon the command line answers."""
    return Target("`pgproof --help` answers", 0.4, seconds, " s")
