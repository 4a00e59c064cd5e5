"""`/api/admin/schedules`: what is done when."""

from typing import Annotated

from fastapi import APIRouter, Query

from pgproof.domain.errors import InvalidInput
from pgproof.domain.schedule import NewSchedule, Schedule
from pgproof.entrypoints.http.context import Context
from pgproof.entrypoints.http.dependencies import Configurer, Looker, Searcher
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.backups import Message
from pgproof.entrypoints.http.schemas.jobs import job_row
from pgproof.entrypoints.http.schemas.schedules import (
    AddSchedule,
    ChangeSchedule,
    ScheduleDetails,
    ScheduleList,
    ScheduleQuery,
    ScheduleRow,
    StartedJobs,
    options_of,
    schedule_details,
    schedule_row,
)
from pgproof.services.schedules import ScheduleChange

router = APIRouter(prefix="/api/admin/schedules", tags=["schedules"])


@router.get("", responses=problems(404))
def list_schedules(context: Searcher, query: Annotated[ScheduleQuery, Query()]) -> ScheduleList:
    """List all schedules with their next runs, those of the settings among them."""
    found = context.app.schedules.list(query.database)
    context.app.known_databases.check(query.database, found)
    return ScheduleList(schedules=[_row(context, one) for one in found])


@router.post("", status_code=201, responses=problems(404, 409, 413))
def add_schedule(context: Configurer, body: AddSchedule) -> ScheduleRow:
    """Add a schedule. Its first run is the next one that is due."""
    schedules = context.app.schedules
    with context.audited("schedule.add", **body.model_dump(mode="json", exclude_none=True)) as notes:
        new = NewSchedule(
            task=body.task,
            cron=body.cron,
            zone=body.zone or schedules.zone,
            database=body.database,
            enabled=body.enabled,
            options=options_of(body.options),
        )
        added = schedules.add(new, by=context.actor)
        notes["subject"] = added.id
    return _row(context, added)


@router.get("/{schedule_id}", responses=problems(404))
def get_schedule(context: Looker, schedule_id: PathId) -> ScheduleDetails:
    """A schedule, with its next and last runs and the databases that it is for."""
    schedules = context.app.schedules
    found = schedules.get(schedule_id)
    return schedule_details(
        found, schedules.next_runs(found), schedules.databases(found), schedules.last_runs(schedule_id)
    )


@router.patch("/{schedule_id}", responses=problems(404, 409, 413))
def change_schedule(context: Configurer, schedule_id: PathId, body: ChangeSchedule) -> ScheduleRow:
    """Change a schedule. Of one that the settings make, only whether it is enabled."""
    said = body.model_dump(mode="json", exclude_none=True)
    if not said:
        raise InvalidInput("nothing was said that should change", hint="Send a cron, a zone, enabled, or options.")
    change = ScheduleChange(
        cron=body.cron,
        zone=body.zone,
        enabled=body.enabled,
        options=None if body.options is None else options_of(body.options),
    )
    with context.audited("schedule.change", schedule_id, **said):
        return _row(context, context.app.schedules.change(schedule_id, change))


@router.delete("/{schedule_id}", responses=problems(404, 409))
def remove_schedule(context: Configurer, schedule_id: PathId) -> Message:
    """Forget a schedule. Jobs that it has asked for go on."""
    with context.audited("schedule.remove", schedule_id):
        removed = context.app.schedules.remove(schedule_id)
    return Message(message=f"{removed} is removed")


@router.post("/{schedule_id}/run", responses=problems(404, 409))
def run_schedule(context: Configurer, schedule_id: PathId) -> StartedJobs:
    """Ask for the jobs of a schedule now, whatever is due."""
    with context.audited("schedule.run", schedule_id) as notes:
        jobs = context.app.schedules.run_now(schedule_id, by=context.actor)
        notes["jobs"] = [job.id for job in jobs]
    return StartedJobs(jobs=[job_row(job) for job in jobs])


def _row(context: Context, schedule: Schedule) -> ScheduleRow:
    return schedule_row(schedule, context.app.schedules.next_runs(schedule))
