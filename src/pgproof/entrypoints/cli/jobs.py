"""`job`: what is queued and what runs."""

from typing import Annotated

import typer

from pgproof.domain.job import JobKind, JobStatus
from pgproof.entrypoints.cli.options import AsJson, JobId
from pgproof.entrypoints.cli.session import Session

app = typer.Typer(
    help="Look at jobs and cancel them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    *,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs that stand there.")] = None,
    kind: Annotated[JobKind | None, typer.Option(help="Only jobs that do this.")] = None,
    database: Annotated[str | None, typer.Option(help="Only jobs of this database.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    from pgproof.entrypoints.cli import job_views
    from pgproof.services.ports import JobFilter

    session: Session = ctx.obj
    with session.app() as application:
        found = application.jobs.list(JobFilter(limit=limit, status=status, kind=kind, database=database))
        application.known_databases.check(database, found)
        zone = application.settings.timezone
    session.show(job_views.listing(found), job_views.table(found, zone) if found else "no jobs", as_json=as_json)


@app.command()
def show(ctx: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Show a job, how far it is, and its log."""
    from pgproof.entrypoints.cli import job_views, text

    session: Session = ctx.obj
    with session.app() as application:
        found = application.jobs.get(job_id)
        lines, zone = application.jobs.log(job_id), application.settings.timezone
    log = "".join(f"\n  {text.plain(line)}" for line in lines)
    session.show(
        {**job_views.job_row(found), "log": list(lines)},
        job_views.whole(found, zone) + (f"\nlog:{log}" if lines else ""),
        as_json=as_json,
    )


@app.command()
def cancel(ctx: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Cancel a job; a running one ends within seconds."""
    from pgproof.entrypoints.cli import job_views
    from pgproof.entrypoints.cli.auditing import actor, audited

    session: Session = ctx.obj
    with session.app() as application, audited(application, "job.cancel", job_id):
        found = application.jobs.cancel(job_id, by=actor())
    message = (
        f"job {job_id} is cancelled"
        if found.status is JobStatus.CANCELLED
        else f"job {job_id} runs on {found.worker}, which ends it within seconds"
    )
    session.show({**job_views.job_row(found), "message": message}, message, as_json=as_json)
