"""Starting what is due: from claimed schedules to jobs and recorded runs."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from pgproof.domain.errors import CatalogUnreachable, PgproofError
from pgproof.domain.job import Job, NewJob
from pgproof.domain.schedule import Due, Schedule, ScheduleRun, due
from pgproof.domain.wording import counted, listed, plain
from pgproof.services.ports import WantedBackup
from pgproof.services.ports.schedules import Claim, Start
from pgproof.services.scheduled_work import ScheduledWork, Wanted

_SCHEDULER = "scheduler"
_log = logging.getLogger(__name__)


def start_due(claim: Claim, work: ScheduledWork, storage_url: str, now: datetime) -> Sequence[Job]:
    """Make the jobs of all claimed schedules that are due, and record their runs.

    What one of them cannot have is recorded with its run. Raises `CatalogUnreachable`; then nothing is recorded.
    """
    starts = []
    for schedule in claim.schedules:
        found = due(schedule, now)
        if found is not None:  # else another process has started it before it was claimed
            start = _start(schedule, found, claim, work, now)
            _tell(schedule, start.run)
            starts.append(start)
    try:
        return claim.start(starts, storage_url=storage_url, now=now)
    except CatalogUnreachable:
        raise
    except PgproofError:
        return [job for start in starts for job in _alone(claim, start, storage_url, now)]


def _start(schedule: Schedule, found: Due, claim: Claim, work: ScheduledWork, now: datetime) -> Start:
    run = ScheduleRun(schedule.id, found.at, now, missed=found.missed)
    try:
        wanted = work.wanted(schedule, by=_SCHEDULER, now=now)
    except PgproofError as error:
        return Start(replace(run, problems=(error.detail,)))
    new = [job for job in wanted if (schedule.id, job.database) not in claim.waiting]
    return Start(
        replace(run, jobs=len(new), problems=tuple(_still_waiting(wanted, len(new), claim, schedule))),
        [job for job in new if isinstance(job, WantedBackup)],
        [job for job in new if isinstance(job, NewJob)],
    )


def _still_waiting(wanted: Sequence[Wanted], new: int, claim: Claim, schedule: Schedule) -> Iterator[str]:
    if new == len(wanted):
        return
    names = [plain(job.database or "") for job in wanted if (schedule.id, job.database) in claim.waiting]
    whose = f" of {listed(names)}" if any(names) else ""
    yield f"{counted(len(wanted) - new, 'earlier job')}{whose} still waits in the queue, so there is no new one"


def _alone(claim: Claim, start: Start, storage_url: str, now: datetime) -> Sequence[Job]:
    try:
        return claim.start([start], storage_url=storage_url, now=now)
    except CatalogUnreachable:
        raise
    except PgproofError as error:
        _log.error("schedule %s was not started: %s", start.run.schedule_id, error.detail)
        failed = replace(start.run, jobs=0, problems=(*start.run.problems, error.detail))
        return claim.start([Start(failed)], storage_url=storage_url, now=now)


def _tell(schedule: Schedule, run: ScheduleRun) -> None:
    for problem in run.problems:
        _log.warning("%s was due at %s: %s", schedule, run.due_at.isoformat(), problem)
    if run.missed:
        missed = counted(run.missed, "run")
        _log.warning("%s missed %s; the one of %s is made up for now", schedule, missed, run.due_at.isoformat())
