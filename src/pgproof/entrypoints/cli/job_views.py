"""Jobs as the JSON objects of the API, and as text."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from typing import Any

from pgproof.domain.job import Job, JobProgress
from pgproof.entrypoints.cli import text


def job_row(job: Job) -> dict[str, Any]:
    """Everything that is known about a job."""
    return {
        "id": job.id,
        "kind": job.kind.value,
        "status": job.status.value,
        "database": job.database,
        "subject_id": job.subject_id,
        "group": job.group,
        "options": dict(job.options),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "requested_by": job.requested_by,
        "schedule_id": job.schedule_id,
        "created_at": _time(job.created_at),
        "not_before": _time(job.not_before),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "cancel_requested_at": _time(job.cancel_requested_at),
        "worker": job.worker,
        "progress": None if job.progress is None else asdict(job.progress),
        "result": dict(job.result),
        "error_code": job.error_code,
        "error_message": job.error_message,
        "error_details": dict(job.error_details),
    }


def listing(jobs: Sequence[Job]) -> dict[str, Any]:
    """A list of jobs."""
    return {"jobs": [job_row(job) for job in jobs]}


def table(jobs: Sequence[Job], zone: tzinfo) -> str:
    """The same for people, in their time zone."""
    rows = [
        (
            str(job.id),
            job.kind.value,
            text.plain(job.database or "-"),
            job.status.value,
            f"{job.attempt}/{job.max_attempts}",
            text.moment(job.created_at, zone),
            _so_far(job),
        )
        for job in jobs
    ]
    return text.columns(("ID", "KIND", "DATABASE", "STATUS", "ATTEMPT", "ASKED FOR AT", ""), rows)


def whole(job: Job, zone: tzinfo) -> str:
    """One job for people."""
    rows = [
        ("job", f"{job.id}: {job.kind.value}{'' if job.subject_id is None else f' {job.subject_id}'}"),
        ("database", text.plain(job.database or "-")),
        ("status", job.status.value + (", to be cancelled" if job.cancel_requested_at and job.unfinished else "")),
        ("attempt", f"{job.attempt} of {job.max_attempts}"),
        ("asked for by", text.plain(job.requested_by)),
        ("group", job.group),
        ("worker", text.plain(job.worker or "-")),
        ("asked for at", text.moment(job.created_at, zone)),
        ("started", text.moment(job.started_at, zone)),
        ("finished", text.moment(job.finished_at, zone)),
    ]
    if job.not_before is not None:
        rows.append(("not before", text.moment(job.not_before, zone)))
    if job.unfinished and job.progress is not None:
        rows.append(("progress", told(job.progress)))
    rows += [(name.replace("_", " "), text.plain(str(value))) for name, value in job.result.items()]
    if job.error_message is not None:
        rows.append(("error", text.plain(job.error_message)))
    if job.error_details.get("hint"):
        rows.append(("hint", text.plain(str(job.error_details["hint"]))))
    return text.pairs(rows)


def told(progress: JobProgress) -> str:
    """How far a job is."""
    parts = [progress.step.replace("_", " ")]
    if progress.bytes_done or progress.bytes_total:
        total = "" if progress.bytes_total is None else f" of {text.size(progress.bytes_total)}"
        parts.append(f"{text.size(progress.bytes_done)}{total}")
    if progress.tables_total is not None:
        parts.append(f"{progress.tables_done} of {text.count(progress.tables_total, 'table')}")
    if progress.percent is not None:
        parts.append(f"about {progress.percent:.0f} %")
    if progress.seconds_left is not None:
        parts.append(f"about {progress.seconds_left:.0f} seconds left")
    return ", ".join(part for part in parts if part)


def _so_far(job: Job) -> str:
    if job.unfinished and job.progress is not None:
        return told(job.progress)
    return "" if job.error_message is None else text.plain(job.error_message)


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat()
