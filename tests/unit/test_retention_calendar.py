"""Trap 25: days, weeks, months and years at their borders, decided and printed, held to golden files.

`UPDATE_GOLDEN=1` writes the files anew; read the difference before you keep it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pgproof.domain.retention import Action, Decision, Facts, decide
from pgproof.domain.retention_policy import RetentionPolicy
from tests.some_backups import a_backup, at

FOLDER = Path(__file__).parent / "golden" / "retention"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Scenario:
    """Backups at these moments, decided at `now`."""

    policy: RetentionPolicy
    taken: Sequence[datetime]
    now: datetime


def every(step: timedelta, start: str, end: str) -> list[datetime]:
    moments = []
    moment = at(start)
    while moment <= at(end):
        moments.append(moment)
        moment += step
    return moments


def daily(policy: RetentionPolicy, start: str, end: str) -> Scenario:
    """Every day at 02:00 UTC, decided at noon of the last day."""
    return Scenario(policy, every(DAY, f"{start} 02:00", f"{end} 02:00"), at(f"{end} 12:00"))


def hourly(policy: RetentionPolicy, start: str, end: str) -> Scenario:
    return Scenario(policy, every(HOUR, start, end), at(end))


BERLIN, SAO_PAULO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Sao_Paulo")
AROUND_MIDNIGHT = [
    at(f"2025-{day} {time}") for day in ("02-27", "02-28", "03-01") for time in ("10:30", "11:30", "23:30")
]

SCENARIOS = {
    "weeks across new year": daily(RetentionPolicy(keep_weekly=3), "2024-12-20", "2025-01-10"),
    "weeks of a year that has 53": daily(RetentionPolicy(keep_weekly=4), "2020-12-17", "2021-01-12"),
    "monday begins a week": daily(RetentionPolicy(keep_weekly=2), "2025-06-05", "2025-06-16"),
    "leap day": daily(RetentionPolicy(keep_daily=3, keep_monthly=2), "2024-01-29", "2024-03-02"),
    "leap day as newest of its month": daily(RetentionPolicy(keep_monthly=3), "2023-12-28", "2024-03-02"),
    "no leap day in 2100": daily(RetentionPolicy(keep_daily=3, keep_monthly=2), "2100-02-25", "2100-03-02"),
    "years": daily(RetentionPolicy(keep_yearly=2), "2023-12-29", "2025-01-02"),
    "months of all lengths": daily(RetentionPolicy(keep_monthly=5), "2024-12-30", "2025-05-02"),
    "clocks forward": hourly(RetentionPolicy(keep_daily=2, zone=BERLIN), "2025-03-29 20:00", "2025-03-30 22:30"),
    "clocks back": hourly(RetentionPolicy(keep_daily=2, zone=BERLIN), "2025-10-25 20:00", "2025-10-26 23:30"),
    "clocks back at midnight": hourly(
        RetentionPolicy(keep_daily=2, zone=SAO_PAULO), "2018-02-17 23:00", "2018-02-18 05:00"
    ),
    "clocks forward at midnight": hourly(
        RetentionPolicy(keep_daily=2, zone=SAO_PAULO), "2018-11-03 23:00", "2018-11-04 05:00"
    ),
    "a day that never was": daily(
        RetentionPolicy(keep_daily=3, zone=ZoneInfo("Pacific/Apia")), "2011-12-27", "2012-01-01"
    ),
    "midnight in UTC": Scenario(RetentionPolicy(keep_daily=2, keep_monthly=2), AROUND_MIDNIGHT, at("2025-03-02")),
    "midnight in Auckland": Scenario(
        RetentionPolicy(keep_daily=2, keep_monthly=2, zone=ZoneInfo("Pacific/Auckland")),
        AROUND_MIDNIGHT,
        at("2025-03-02"),
    ),
    "periods without a backup do not count": Scenario(
        RetentionPolicy(keep_daily=3, keep_weekly=3),
        [at("2024-01-10"), at("2024-06-03"), at("2024-06-05"), at("2025-02-01"), at("2025-02-02")],
        at("2025-06-15"),
    ),
    "an outage of a month": Scenario(
        RetentionPolicy(keep_days=7), every(DAY, "2025-05-01", "2025-05-12"), at("2025-06-15")
    ),
    "grandfather, father, son": daily(
        RetentionPolicy(keep_daily=7, keep_weekly=4, keep_monthly=6, keep_yearly=2, zone=BERLIN),
        "2023-03-01",
        "2025-06-15",
    ),
}


def printed(scenario: Scenario) -> str:
    zone = scenario.policy.zone
    backups = [a_backup(number, moment) for number, moment in enumerate(scenario.taken, 1)]
    decisions = decide(scenario.policy, backups, Facts(), scenario.now)
    lines = [f"policy  {scenario.policy}", f"now     {scenario.now.astimezone(zone):%a %Y-%m-%d %H:%M %z}", ""]
    for gone, run in groupby(decisions, lambda decision: decision.action is Action.EXPIRE):
        of_a_kind = list(run)
        lines += [_line(decision, zone) for decision in (_ends(of_a_kind) if gone else of_a_kind)]
    return "\n".join(lines) + "\n"


def _ends(run: list[Decision]) -> list[Decision | int]:
    """The first and the last of a long run, and how many are between."""
    return [*run] if len(run) < 4 else [run[0], len(run) - 2, run[-1]]


def _line(decision: Decision | int, zone: tzinfo) -> str:
    if isinstance(decision, int):
        return f"        ... {decision} more"
    return f"{decision.backup.id:>5}  {decision.backup.taken_at.astimezone(zone):%a %Y-%m-%d %H:%M %z}  {decision}"


def file_of(name: str) -> Path:
    return FOLDER / f"{name.replace(', ', ' ').replace(' ', '_')}.txt"


@pytest.mark.parametrize("name", SCENARIOS)
def test_trap_25_calendar_borders_are_decided_as_the_golden_file_says(name: str) -> None:
    found = printed(SCENARIOS[name])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file_of(name).write_text(found)
    assert found == file_of(name).read_text()


def test_every_golden_file_has_a_scenario() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {file_of(name).name for name in SCENARIOS}


def test_utc_is_the_zone_of_a_policy_that_names_none() -> None:
    assert RetentionPolicy(keep_daily=1).zone is UTC
