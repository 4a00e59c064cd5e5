"""Schedules as the JSON objects of the API, and as text."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from pgproof.domain.cron import zone_of
from pgproof.domain.errors import InvalidInput
from pgproof.domain.schedule import Schedule, ScheduleRun
from pgproof.entrypoints.cli import text

_ALL = "all others"


def schedule_row(schedule: Schedule, next_runs: Sequence[datetime]) -> dict[str, Any]:
    """Everything about a schedule."""
    return {
        "id": schedule.id,
        "database": schedule.database,
        "task": schedule.task.value,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "enabled": schedule.enabled,
        "options": dict(schedule.options),
        "from_settings": schedule.from_settings,
        "last_due_at": _time(schedule.last_due_at),
        "next_runs": [_time(run) for run in next_runs],
        "created_at": _time(schedule.created_at),
        "created_by": schedule.created_by,
    }


def run_row(run: ScheduleRun) -> dict[str, Any]:
    """What became of a due time."""
    return {
        "due_at": _time(run.due_at),
        "started_at": _time(run.started_at),
        "jobs": run.jobs,
        "missed": run.missed,
        "problems": list(run.problems),
    }


def table(found: Sequence[tuple[Schedule, Sequence[datetime]]]) -> str:
    """One line for each schedule."""
    rows = [
        (
            str(schedule.id),
            schedule.task.value,
            whose(schedule),
            schedule.cron,
            schedule.zone,
            text.moment(next(iter(runs), None), zone_of_clock(schedule)) if schedule.enabled else "off",
            "settings" if schedule.from_settings else text.plain(schedule.created_by),
        )
        for schedule, runs in found
    ]
    return text.columns(("ID", "TASK", "DATABASE", "CRON", "ZONE", "NEXT", "BY"), rows, right=frozenset({0}))


def sheet(schedule: Schedule, databases: Sequence[str], next_runs: Sequence[datetime]) -> str:
    """Everything about a schedule, for people."""
    zone = zone_of_clock(schedule)
    options = ", ".join(f"{name}={value}" for name, value in schedule.options.items())
    return text.pairs(
        [
            ("schedule", f"{schedule.id}, {'enabled' if schedule.enabled else 'off'}"),
            ("task", schedule.task.value),
            ("database", whose(schedule)),
            ("meant now", ", ".join(map(text.plain, databases)) or text.NOTHING),
            ("cron", f"{schedule.cron} ({schedule.zone})"),
            ("options", text.plain(options)),
            ("last", text.moment(schedule.last_due_at, zone)),
            ("next", ", ".join(text.moment(run, zone) for run in next_runs) or text.NOTHING),
            ("made by", "the settings" if schedule.from_settings else text.plain(schedule.created_by)),
        ]
    )


def runs_table(runs: Sequence[ScheduleRun], zone: tzinfo) -> str:
    """The last runs, for people."""
    rows = [
        (
            text.moment(run.due_at, zone),
            text.moment(run.started_at, zone),
            str(run.jobs),
            str(run.missed),
            text.plain("; ".join(run.problems)),
        )
        for run in runs
    ]
    return text.columns(("DUE", "STARTED", "JOBS", "MISSED", "PROBLEMS"), rows, right=frozenset({2, 3}))


def whose(schedule: Schedule) -> str:
    """The database of a schedule, for people."""
    if schedule.database is not None:
        return text.plain(schedule.database)
    return "all" if schedule.task.value == "cleanup" else _ALL


def zone_of_clock(schedule: Schedule) -> tzinfo:
    """The zone of a schedule; UTC where this machine does not know it."""
    try:
        return zone_of(schedule.zone)
    except InvalidInput:
        return UTC


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat()
