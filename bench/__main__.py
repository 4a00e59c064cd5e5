"""`python -m bench`: the comparison; `python -m bench levels`: every level; `python -m bench memory`: ten times;
`python -m bench restores`: what each choice costs a restore.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import report, table, targets
from bench.backups import Series, back_up, compare_backups
from bench.generate import NAME, generate
from bench.levels import compare_levels
from bench.place import Place, open_place
from bench.restores import compare_restores
from bench.start import help_seconds


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and write into a document where one is named."""
    options = _options(words)
    measure = {"compare": _compare, "levels": _levels, "memory": _memory, "restores": _restores}[options.what]
    with open_place(options.folder, table.SERVER if options.what == "restores" else None) as place:
        size = generate(place, options.scale, _tell)
        text = f"{report.machine(place, size, options.rounds)}\n\n{measure(place, options)}"
    print(text)
    if options.write:
        report.write_section(options.write, options.what, text)
    return 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("compare", "levels", "memory", "restores"), default="compare")
    parser.add_argument("--rounds", type=int, help="measured rounds, after one to warm up (3; levels and memory 1)")
    parser.add_argument("--scale", type=float, help="size of the database in gigabytes (1; memory 10)")
    parser.add_argument("--ten-times", action="store_true", help="the same as `memory`")
    parser.add_argument("--folder", type=Path, help="where to work; it needs 4 GB for each gigabyte")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args(words)
    if options.ten_times:
        options.what = "memory"
    options.rounds = options.rounds or (3 if options.what in ("compare", "restores") else 1)
    options.scale = options.scale or (10 if options.what == "memory" else 1)
    return options


def _compare(place: Place, options: argparse.Namespace) -> str:
    backups = compare_backups(place, NAME, options.rounds, _tell)
    restores = compare_restores(place, NAME, options.rounds, _tell)
    reached = [
        *targets.backup_targets(backups),
        *targets.restore_targets(restores),
        targets.start_target(help_seconds(place)),
    ]
    tables = [report.targets_table(reached), report.backup_table(backups), report.restore_table(restores)]
    return "\n\n".join(tables)


def _levels(place: Place, options: argparse.Namespace) -> str:
    return report.levels_table(compare_levels(place, NAME, options.rounds, _tell))


def _restores(place: Place, options: argparse.Namespace) -> str:
    return table.render(table.measure(place, NAME, options.rounds, _tell), report.table)


def _memory(place: Place, options: argparse.Namespace) -> str:
    series = Series("pgproof backup")
    for number in range(1, options.rounds + 1):
        _tell(f"backup, round {number} of {options.rounds}")
        back_up(place, NAME, series)
    target = targets.memory_target(f"backup of {options.scale:g} times the data: peak memory", max(series.peak_memory))
    return f"{report.targets_table([target])}\n\nIt took {series.middle:.1f} seconds."


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
