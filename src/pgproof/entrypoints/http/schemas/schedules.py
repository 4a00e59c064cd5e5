"""Schedules as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from pgproof.domain.archive import Compression
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.schedule import Schedule, ScheduleRun, Task
from pgproof.entrypoints.http.fields import DatabaseName, Number, OfDatabase, Request, Text, Truth, WrittenFormat
from pgproof.entrypoints.http.schemas.jobs import JobRow

_Cron = Annotated[Text, Field(min_length=1, max_length=200, examples=["0 2 * * *"])]
_Zone = Annotated[Text, Field(min_length=1, max_length=100, examples=["Europe/Berlin"])]


class ScheduleOptions(Request):
    """For backups: what the settings say otherwise."""

    description: Annotated[Text, Field(max_length=2000)] | None = None
    include_logs: Truth | None = None
    include_cache: Truth | None = None
    compression_level: Annotated[Number, Field(ge=0, le=9)] | None = None
    parallel_jobs: Annotated[Number, Field(ge=1, le=64)] | None = None
    format: WrittenFormat | None = None
    compression: Compression | None = None
    fingerprint: FingerprintLevel | None = None


class AddSchedule(Request):
    """What is to be done when. Without a database: for every one that has no schedule of its own for this task."""

    task: Task = Field(description="What is to be done.")
    cron: _Cron = Field(description="Five fields, or a name such as `@daily`.")
    zone: _Zone | None = Field(default=None, description="The name of a time zone; else the one of the settings.")
    database: DatabaseName | None = Field(default=None, description="A registered database.")
    enabled: Truth = Field(default=True, description="False keeps it and starts nothing yet.")
    options: ScheduleOptions = Field(default=ScheduleOptions(), description="For backups: how they are taken.")


class ChangeSchedule(Request):
    """What is to be another; what is left out stays. Runs that are past are not made up for."""

    cron: _Cron | None = Field(default=None, description="Five fields, or a name such as `@daily`.")
    zone: _Zone | None = Field(default=None, description="The name of a time zone.")
    enabled: Truth | None = Field(default=None, description="Whether it starts anything.")
    options: ScheduleOptions | None = Field(default=None, description="For backups: how they are taken.")


class ScheduleQuery(Request):
    """Which schedules to list."""

    database: OfDatabase = None


class ScheduleRow(BaseModel):
    """A schedule with its next runs."""

    id: int
    database: str | None
    task: Task
    cron: str
    zone: str
    enabled: bool
    options: dict[str, Any]
    from_settings: bool
    last_due_at: datetime | None
    created_at: datetime
    created_by: str
    next_runs: list[datetime]


class ScheduleRunView(BaseModel):
    """What became of a due time; `missed` due times before it were passed over."""

    due_at: datetime
    started_at: datetime
    jobs: int
    missed: int
    problems: list[str]


class ScheduleDetails(ScheduleRow):
    """A schedule with its next and last runs, and the databases that it is for."""

    databases: list[str]
    last_runs: list[ScheduleRunView]


class ScheduleList(BaseModel):
    """All schedules."""

    schedules: list[ScheduleRow]


class StartedJobs(BaseModel):
    """The jobs that a schedule has asked for now."""

    jobs: list[JobRow]


def options_of(given: ScheduleOptions) -> dict[str, Any]:
    """What was said."""
    return given.model_dump(mode="json", exclude_none=True)


def schedule_row(schedule: Schedule, next_runs: Sequence[datetime]) -> ScheduleRow:
    """A schedule with its next runs."""
    return ScheduleRow(**_row(schedule, next_runs))


def schedule_details(
    schedule: Schedule, next_runs: Sequence[datetime], databases: Sequence[str], last_runs: Sequence[ScheduleRun]
) -> ScheduleDetails:
    """A schedule with everything around it."""
    return ScheduleDetails(
        **_row(schedule, next_runs),
        databases=list(databases),
        last_runs=[
            ScheduleRunView(
                due_at=run.due_at,
                started_at=run.started_at,
                jobs=run.jobs,
                missed=run.missed,
                problems=list(run.problems),
            )
            for run in last_runs
        ],
    )


def _row(schedule: Schedule, next_runs: Sequence[datetime]) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "database": schedule.database,
        "task": schedule.task,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "enabled": schedule.enabled,
        "options": dict(schedule.options),
        "from_settings": schedule.from_settings,
        "last_due_at": schedule.last_due_at,
        "created_at": schedule.created_at,
        "created_by": schedule.created_by,
        "next_runs": list(next_runs),
    }
