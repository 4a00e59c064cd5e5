"""`schedule`: what is done when."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import actor, audited
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from pgproof.bootstrap import App
    from pgproof.domain.schedule import Schedule
    from pgproof.services.schedules import ScheduleChange

_FEW = 5

app = typer.Typer(
    help="Say what is to be done when, and see what is due.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class TaskName(StrEnum):
    """What a schedule asks for, as it is typed."""

    BACKUP = "backup"
    CLEANUP = "cleanup"
    RESTORE_TEST = "restore-test"
    VERIFY = "verify"


ScheduleId = Annotated[
    int, typer.Argument(metavar="ID", help="The schedule's number, as `pgproof schedule list` shows it.")
]
Zone = Annotated[
    str | None, typer.Option("--zone", help="A time zone, such as Europe/Berlin; else BACKUP_TIMEZONE.", metavar="NAME")
]
IncludeLogs = Annotated[bool | None, typer.Option("--include-logs/--no-logs", help="Backups with log tables' rows.")]
IncludeCache = Annotated[bool | None, typer.Option("--include-cache/--no-cache", help="The same for cache tables.")]
Level = Annotated[int | None, typer.Option(help="Effort from 0 (none) to 9 (smallest).")]
Jobs = Annotated[int | None, typer.Option(help="Processes that dump at once, in the directory format.")]
Format = Annotated[
    ArchiveFormat | None, typer.Option("--format", metavar="custom|directory", help="Form of the archives.")
]
Pack = Annotated[Compression | None, typer.Option(help="How the archives are compressed.")]
Print = Annotated[FingerprintLevel | None, typer.Option(help="What a restore is compared with.")]
Note = Annotated[str | None, typer.Option(help="A note to find the backups by.")]


def _options(**given: Any) -> dict[str, Any]:
    """What was given, as a schedule keeps it."""
    return {
        name: value.value if isinstance(value, StrEnum) else value for name, value in given.items() if value is not None
    }


@app.command()
def add(
    ctx: typer.Context,
    task: Annotated[TaskName, typer.Argument(metavar="TASK", help="backup, cleanup, restore-test or verify.")],
    cron: Annotated[str, typer.Argument(metavar="CRON", help='Five fields, such as "0 2 * * *", or @daily.')],
    *,
    database: Annotated[
        str | None, typer.Option(help="A registered database; else all that have no such schedule of their own.")
    ] = None,
    zone: Zone = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep it, but do not start anything yet.")] = False,
    include_logs: IncludeLogs = None,
    include_cache: IncludeCache = None,
    compression_level: Level = None,
    parallel_jobs: Jobs = None,
    archive_format: Format = None,
    compression: Pack = None,
    fingerprint: Print = None,
    description: Note = None,
    as_json: AsJson = False,
) -> None:
    """Add a schedule."""
    from pgproof.domain.schedule import NewSchedule, Task

    session: Session = ctx.obj
    options = _options(
        include_logs=include_logs,
        include_cache=include_cache,
        compression_level=compression_level,
        parallel_jobs=parallel_jobs,
        format=archive_format,
        compression=compression,
        fingerprint=fingerprint,
        description=description,
    )
    with session.app() as application, audited(application, "schedule_add", cron=cron, database=database) as notes:
        new = NewSchedule(
            Task[task.name], cron, zone or application.schedules.zone, database, enabled=not disabled, options=options
        )
        added = application.schedules.add(new, by=actor())
        notes["subject"] = f"schedule {added.id}"
    _tell(session, application, added, f"schedule {added.id} is kept", as_json=as_json)


@app.command("list")
def list_schedules(
    ctx: typer.Context,
    *,
    database: Annotated[str | None, typer.Option(help="Only those that this database has of its own.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the schedules, with what comes next of each."""
    from pgproof.entrypoints.cli import schedule_views

    session: Session = ctx.obj
    with session.app() as application:
        found = [(one, application.schedules.next_runs(one, _FEW)) for one in application.schedules.list(database)]
        application.known_databases.check(database, found)
    session.show(
        {"schedules": [schedule_views.schedule_row(one, runs) for one, runs in found]},
        schedule_views.table(found)
        if found
        else "there are no schedules; those of the settings appear when a worker has started (`pgproof worker`)",
        as_json=as_json,
    )


@app.command()
def show(ctx: typer.Context, schedule_id: ScheduleId, *, as_json: AsJson = False) -> None:
    """Show a schedule, its next runs and its last ones."""
    from pgproof.entrypoints.cli import schedule_views

    session: Session = ctx.obj
    with session.app() as application:
        schedules = application.schedules
        found = schedules.get(schedule_id)
        databases, coming = schedules.databases(found), schedules.next_runs(found, _FEW)
        runs = schedules.last_runs(schedule_id)
    sheet = schedule_views.sheet(found, databases, coming)
    last = schedule_views.runs_table(runs, schedule_views.zone_of_clock(found))
    session.show(
        {
            **schedule_views.schedule_row(found, coming),
            "databases": list(databases),
            "last_runs": [schedule_views.run_row(run) for run in runs],
        },
        f"{sheet}\n\n{last}" if runs else sheet,
        as_json=as_json,
    )


@app.command()
def change(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    *,
    cron: Annotated[str | None, typer.Option(metavar="CRON", help="Another expression.")] = None,
    zone: Zone = None,
    include_logs: IncludeLogs = None,
    include_cache: IncludeCache = None,
    compression_level: Level = None,
    parallel_jobs: Jobs = None,
    archive_format: Format = None,
    compression: Pack = None,
    fingerprint: Print = None,
    description: Note = None,
    as_json: AsJson = False,
) -> None:
    """Change a schedule. What is past by now is not made up for."""
    from pgproof.services.schedules import ScheduleChange

    session: Session = ctx.obj
    options = _options(
        include_logs=include_logs,
        include_cache=include_cache,
        compression_level=compression_level,
        parallel_jobs=parallel_jobs,
        format=archive_format,
        compression=compression,
        fingerprint=fingerprint,
        description=description,
    )
    with session.app() as application:
        merged = {**application.schedules.get(schedule_id).options, **options} if options else None
        changed = _change(application, schedule_id, ScheduleChange(cron=cron, zone=zone, options=merged))
    _tell(session, application, changed, f"schedule {schedule_id} is changed", as_json=as_json)


@app.command()
def enable(ctx: typer.Context, schedule_id: ScheduleId, *, as_json: AsJson = False) -> None:
    """Switch a schedule on, from its next run on."""
    _switch(ctx.obj, schedule_id, enabled=True, as_json=as_json)


@app.command()
def disable(ctx: typer.Context, schedule_id: ScheduleId, *, as_json: AsJson = False) -> None:
    """Switch a schedule off, and keep it."""
    _switch(ctx.obj, schedule_id, enabled=False, as_json=as_json)


@app.command()
def remove(ctx: typer.Context, schedule_id: ScheduleId, *, as_json: AsJson = False) -> None:
    """Forget a schedule. Jobs that it has asked for go on."""
    from pgproof.entrypoints.cli import schedule_views

    session: Session = ctx.obj
    with session.app() as application, audited(application, "schedule_remove", f"schedule {schedule_id}"):
        removed = application.schedules.remove(schedule_id)
    message = f"schedule {schedule_id} is removed"
    session.show({**schedule_views.schedule_row(removed, []), "message": message}, message, as_json=as_json)


@app.command()
def run(ctx: typer.Context, schedule_id: ScheduleId, *, as_json: AsJson = False) -> None:
    """Ask for the jobs of a schedule now; a worker does them."""
    from pgproof.entrypoints.cli import job_views

    session: Session = ctx.obj
    with session.app() as application, audited(application, "schedule_run", f"schedule {schedule_id}") as notes:
        jobs = application.schedules.run_now(schedule_id, by=actor())
        notes["jobs"] = [job.id for job in jobs]
    message = f"{text.count(len(jobs), 'job')} queued" + (
        f"; a worker does {'it' if len(jobs) == 1 else 'them'}: `pgproof job list`" if jobs else ""
    )
    session.show({**job_views.listing(jobs), "message": message}, message, as_json=as_json)


@app.command("next")
def next_runs(
    ctx: typer.Context,
    schedule_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="Only of this schedule.")] = None,
    *,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many of each.")] = _FEW,
    as_json: AsJson = False,
) -> None:
    """List what comes next, of one schedule or of all."""
    from pgproof.entrypoints.cli import schedule_views

    session: Session = ctx.obj
    with session.app() as application:
        schedules = application.schedules
        wanted = schedules.list() if schedule_id is None else [schedules.get(schedule_id)]
        found = sorted(
            ((at, one) for one in wanted for at in schedules.next_runs(one, count)), key=lambda run: (run[0], run[1].id)
        )
    rows = [
        (
            text.moment(at, schedule_views.zone_of_clock(one)),
            str(one.id),
            one.task.value,
            schedule_views.whose(one),
        )
        for at, one in found
    ]
    session.show(
        {"next_runs": [{"at": at.isoformat(), "schedule_id": one.id, "task": one.task.value} for at, one in found]},
        text.columns(("WHEN", "ID", "TASK", "DATABASE"), rows, right=frozenset({1}))
        if rows
        else "nothing is scheduled",
        as_json=as_json,
    )


def _change(application: "App", schedule_id: int, wanted: "ScheduleChange") -> "Schedule":
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    with audited(application, "schedule_change", f"schedule {schedule_id}", **given):
        return application.schedules.change(schedule_id, wanted)


def _switch(session: Session, schedule_id: int, *, enabled: bool, as_json: bool) -> None:
    from pgproof.services.schedules import ScheduleChange

    with session.app() as application:
        changed = _change(application, schedule_id, ScheduleChange(enabled=enabled))
    message = f"schedule {schedule_id} is {'enabled' if enabled else 'disabled'}"
    _tell(session, application, changed, message, as_json=as_json)


def _tell(session: Session, application: "App", schedule: "Schedule", message: str, *, as_json: bool) -> None:
    from pgproof.entrypoints.cli import schedule_views

    runs = application.schedules.next_runs(schedule, _FEW)
    first = f"; next: {text.moment(runs[0], schedule_views.zone_of_clock(schedule))}" if runs else ""
    session.show(
        {**schedule_views.schedule_row(schedule, runs), "message": message}, f"{message}{first}", as_json=as_json
    )
