"""Figures as Markdown: for the terminal, and for docs/benchmarks.md between its markers."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.backups import BackupFigures, Series
from bench.clock import median
from bench.levels import LevelFigures
from bench.place import Place
from bench.restores import RestoreFigures
from bench.targets import Target
from pgproof import __version__

_MB = 1_000_000
_MIB = 1 << 20
_GB = 1_000_000_000


def machine(place: Place, size: int, rounds: int) -> str:
    """On what the figures were measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"pgproof {__version__}, PostgreSQL {place.version} (server and tools), Python {platform.python_version()}, "
        f"{cores} cores of {_processor()}, {platform.system()}. A database of {size / _GB:.2f} GB; "
        f"medians of {rounds} {'round' if rounds == 1 else 'rounds'}."
    )


def targets_table(targets: Sequence[Target]) -> str:
    """Each target with what was found."""
    rows = [
        (
            target.name,
            f"<= {target.limit:.{target.digits}f}{target.unit}",
            f"{target.found:.{target.digits}f}{target.unit}",
            "yes" if target.met else "**no**",
        )
        for target in targets
    ]
    return table(("target", "limit", "found", "met"), rows)


def backup_table(figures: BackupFigures) -> str:
    """The three commands."""
    rows = [_backup_row(series, figures) for series in (figures.pgproof, figures.pg_dump, figures.floor)]
    return table(("backup", "seconds", "each round", "of the floor", "MB stored", "peak memory"), rows)


def restore_table(figures: RestoreFigures) -> str:
    """Both ways, and the steps of ours."""
    compared = median(figures.pgproof)
    rows = [
        ("pgproof restore, as far as pg_restore goes", f"{compared:.1f}", _each(figures.pgproof)),
        (f"pg_restore -j{figures.jobs}", f"{median(figures.plain):.1f}", _each(figures.plain)),
        ("pgproof restore, whole", f"{median(figures.whole):.1f}", _each(figures.whole)),
    ]
    steps = [(name.replace("_", " "), f"{seconds:.2f}") for name, seconds in figures.steps.items()]
    return "\n\n".join(
        [
            table(("restore", "seconds", "each round"), rows),
            "The steps of the last whole restore:",
            table(("step", "seconds"), steps),
        ]
    )


def levels_table(figures: Sequence[LevelFigures]) -> str:
    """Every level beside pg_dump's."""
    rows = [
        (
            str(one.level),
            f"{one.pgproof.middle:.1f}",
            f"{one.pg_dump.middle:.1f}",
            f"{one.pgproof.middle / one.pg_dump.middle:.2f}",
            f"{one.pgproof.stored / _MB:.1f}",
            f"{one.pg_dump.stored / _MB:.1f}",
            f"{one.pgproof.stored / one.pg_dump.stored:.2f}",
            f"{max(one.pgproof.peak_memory) / _MIB:.0f} MiB",
        )
        for one in figures
    ]
    head = ("level", "seconds", "pg_dump", "ratio", "MB", "pg_dump", "ratio", "peak memory")
    return table(head, rows)


def write_section(document: Path, name: str, text: str) -> None:
    """Put a text between the document's markers of that name. Raises `ValueError` if it has none."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    old = document.read_text()
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(old):
        raise ValueError(f"{document} has no section {name}")
    document.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", old))


def _backup_row(series: Series, figures: BackupFigures) -> tuple[str, ...]:
    return (
        series.name,
        f"{series.middle:.2f}",
        _each(series.seconds),
        f"{series.middle / figures.floor.middle:.2f}",
        f"{series.stored / _MB:.1f}" if series.stored else "",
        f"{max(series.peak_memory) / _MIB:.0f} MiB" if series.peak_memory else "",
    )


def _each(seconds: Iterable[float]) -> str:
    return " ".join(f"{one:.1f}" for one in seconds)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
