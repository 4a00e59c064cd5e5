"""How long deciding takes: `python -m bench.retention`, 100,000 backups by a policy with every rule."""

import argparse
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bench.clock import median
from pgproof.domain.archive import Compression, ObjectNames
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.retention import Action, Decision, Facts, decide_each
from pgproof.domain.retention_policy import RetentionPolicy

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
LIMIT = 1.0  # seconds
POLICIES = {
    "by age": RetentionPolicy(keep_days=7),
    "every rule": RetentionPolicy(7, 10, 14, 8, 24, 10, 2, ZoneInfo("Europe/Berlin")),
    "every rule, keeping nearly all": RetentionPolicy(
        4000, 100_000, 4000, 1000, 200, 20, 1000, ZoneInfo("Europe/Berlin")
    ),
}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.retention", description=__doc__)
    parser.add_argument("--backups", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(words)
    worst = 0.0
    print(f"| databases | policy | kept of {options.backups:,} | median of {options.rounds} | slowest |")
    print("|---|---|---|---|---|")
    for databases in (1, 1000):
        backups = history(options.backups, databases)
        for name, policy in POLICIES.items():
            seconds, kept = measure(policy, backups, options.rounds)
            worst = max(worst, median(seconds))
            print(f"| {databases:,} | {name} | {kept:,} | {median(seconds):.2f} s | {max(seconds):.2f} s |")
    verdict = "reached" if worst <= LIMIT else "missed"
    print(f"\nworst median: {worst:.2f} s; the goal is {LIMIT:.0f} s: {verdict}")
    return 0 if worst <= LIMIT else 1


def history(count: int, databases: int) -> list[Backup]:
    """Ten years of backups of several databases, as the catalog returns them; some failed, held or safety backups."""
    chance = random.Random(1)
    options = BackupOptions()
    statuses = [BackupStatus.COMPLETED] * 8 + [BackupStatus.RESTORED, BackupStatus.FAILED]
    made = []
    ages = sorted((chance.randrange(10 * 365 * 86_400) for _ in range(count)), reverse=True)
    for number, age in enumerate(ages):
        database = f"database-{number % databases}"
        taken_at = NOW - timedelta(seconds=age)
        names = ObjectNames.make(database, taken_at, number, options.format, Compression.ZSTD)
        made.append(
            Backup(
                id=number,
                database=database,
                filename=names.filename,
                file_path=names.archive,
                storage_url="file:///backups",
                options=options,
                compression=Compression.ZSTD,
                status=chance.choice(statuses),
                trigger_source=BackupTrigger.PRE_RESTORE_SAFETY if number % 50 == 0 else BackupTrigger.SCHEDULED_CRON,
                created_at=taken_at,
                started_at=taken_at,
                file_size=1000,
                verified_at=taken_at,
                held=number % 100 == 1,
            )
        )
    return made


def measure(policy: RetentionPolicy, backups: Sequence[Backup], rounds: int) -> tuple[list[float], int]:
    """Seconds of each round, and how many backups stay."""
    facts = Facts(in_use=frozenset(range(10)))
    seconds = []
    decided: list[Decision] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        each = decide_each(policy, backups, facts, NOW)
        seconds.append(time.perf_counter() - begun)
        decided = [decision for decisions in each.values() for decision in decisions]
    return seconds, sum(decision.action is Action.KEEP for decision in decided)


if __name__ == "__main__":
    raise SystemExit(main())
