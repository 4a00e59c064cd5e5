"""`restore` and `undo`: putting a backup in the place of a live database, and taking that back."""

from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.restore import RestoreMode
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.options import AsJson, BackupId, Yes
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from datetime import tzinfo

    from pgproof.domain.restore import Restore


def restore(
    ctx: typer.Context,
    backup_id: BackupId,
    mode: Annotated[RestoreMode, typer.Option(help="Where the backup is restored to.")] = RestoreMode.SWAP,
    *,
    no_safety_backup: Annotated[
        bool, typer.Option("--no-safety-backup", help="Do not back up the live database first.")
    ] = False,
    no_analyze: Annotated[
        bool, typer.Option("--no-analyze", help="Do not collect statistics before the swap.")
    ] = False,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Processes that restore at once.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup beside the live database, then swap."""
    from pgproof.domain.restore import RestoreOptions
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with session.app() as app:
        options = RestoreOptions(
            mode=mode,
            create_safety_backup=not no_safety_backup,
            run_analyze=not no_analyze,
            parallel_jobs=app.settings.parallel_jobs if jobs is None else jobs,
        )
        source = app.catalog.get_backup(backup_id)
        taken = text.moment(source.created_at, app.settings.timezone)
        intent = (
            f"the database {text.plain(source.database)} is to be replaced by backup {source.id} of {taken}; "
            + ("it is not backed up first" if no_safety_backup else "it is backed up first")
            + f" and kept for an undo for {text.count(app.settings.undo_hours, 'hour')}"
        )
        session.confirm(source.database, intent, yes=yes, as_json=as_json)
        with session.observer(app.clock, as_json=as_json) as observer:
            done = app.restores.restore(backup_id, options, observer)
        zone = app.settings.timezone
    session.show(views.restore_row(done), _report(done, zone), as_json=as_json)


def undo(
    ctx: typer.Context,
    restore_id: Annotated[int, typer.Argument(metavar="RESTORE_ID", help="The number that `restore` printed.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put back the database that a restore replaced."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with session.app() as app:
        done = app.catalog.get_restore(restore_id)
        intent = (
            f"restore {done.id} of the database {text.plain(done.database)} is to be undone: what was there before "
            f"the restore comes back, and what is there now stays beside it as {text.plain(done.shadow_database)}"
        )
        session.confirm(done.database, intent, yes=yes, as_json=as_json)
        with session.observer(app.clock, as_json=as_json) as observer:
            undone = app.restores.undo(restore_id, observer)
    message = f"restore {undone.id} is undone: {text.plain(undone.database)} is as it was before the restore"
    session.show(
        {**views.restore_row(undone), "success": True, "message": message},
        f"{message}\nrestore again with: pgproof restore {undone.backup_id}",
        as_json=as_json,
    )


def _report(done: "Restore", zone: "tzinfo") -> str:
    summary = (
        f"backup {done.backup_id} is restored: {text.plain(done.database)} holds exactly what it held then "
        f"({text.duration(done.duration_seconds)})"
    )
    lines = [summary]
    timings = dict(done.timings)
    refused = timings.pop("refused", None)
    if timings:
        steps = ", ".join(f"{step.replace('_', ' ')} {seconds:.2f} s" for step, seconds in timings.items())
        lines.append(f"steps: {steps}")
    if refused is not None:
        lines.append(f"the live database refused connections for {refused:.2f} s")
    if done.safety_backup_id is not None:
        lines.append(f"what was there before is backup {done.safety_backup_id}")
    if done.undo_until is not None:
        lines.append(f"until {text.moment(done.undo_until, zone)} undo it with: pgproof undo {done.id}")
    return "\n".join(lines)
