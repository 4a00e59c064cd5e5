"""`restore` and `undo`: putting a backup in the place of a live database, and taking that back."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from pgproof.domain.errors import InvalidInput
from pgproof.domain.restore import RestoreMode
from pgproof.domain.wording import in_quotes
from pgproof.entrypoints.cli.auditing import actor, audited
from pgproof.entrypoints.cli.options import AsJson, BackupId, Yes
from pgproof.entrypoints.cli.session import Session


class Mode(StrEnum):
    """The modes as words of a command line."""

    SWAP = "swap"
    IN_PLACE = "in-place"
    NEW_DATABASE = "new-database"


def restore(
    ctx: typer.Context,
    backup_id: BackupId,
    mode: Annotated[
        Mode, typer.Option(help="swap: build beside the live database, then swap. in-place: replace its contents.")
    ] = Mode.SWAP,
    target: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="Name of the database that new-database makes.")
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", "-t", metavar="NAME", help="Only this table, such as public.orders; repeatable."),
    ] = None,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", "-n", metavar="NAME", help="Only the tables of this schema; repeatable."),
    ] = None,
    map_role: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Give what belongs or is granted to OLD to the role NEW; repeatable."),
    ] = None,
    tablespace: Annotated[str | None, typer.Option(metavar="NAME", help="Put everything into this tablespace.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Processes that restore at once.")] = None,
    *,
    no_owner: Annotated[bool, typer.Option("--no-owner", help="Let our role own everything.")] = False,
    no_acl: Annotated[bool, typer.Option("--no-acl", help="Leave out all grants.")] = False,
    keep_existing: Annotated[
        bool, typer.Option("--keep-existing", help="Refuse if the live database holds anything.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also onto an older server than the backup's.")] = False,
    no_safety_backup: Annotated[
        bool, typer.Option("--no-safety-backup", help="Do not back up the live database first.")
    ] = False,
    no_analyze: Annotated[
        bool, typer.Option("--no-analyze", help="Do not collect statistics before the swap.")
    ] = False,
    no_autovacuum: Annotated[
        bool, typer.Option("--no-autovacuum", help="Keep autovacuum away from the new tables while they are loaded.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup: swap, in place, or a new database."""
    from pgproof.domain.restore import RestoreOptions
    from pgproof.entrypoints.cli import restore_text, views
    from pgproof.services.forecast import come_back_empty, foresee_restore

    session: Session = ctx.obj
    with session.app() as app:
        zone = app.settings.timezone
        options = RestoreOptions(
            mode=RestoreMode(mode.value.replace("-", "_")),
            create_safety_backup=not no_safety_backup,
            run_analyze=not no_analyze,
            parallel_jobs=app.settings.parallel_jobs if jobs is None else jobs,
            drop_existing=not keep_existing,
            target_database=target,
            tables=tuple(table or ()),
            schemas=tuple(schema or ()),
            no_owner=no_owner,
            no_acl=no_acl,
            role_map=_role_map(map_role or ()),
            tablespace=tablespace,
            force=force,
            autovacuum=not no_autovacuum,
        )
        forecast = foresee_restore(app.catalog, app.storage, app.server, app.databases, backup_id, options)
        app.restores.check(backup_id, options)
        if options.mode is not RestoreMode.NEW_DATABASE:  # that one takes nothing away
            session.confirm(
                forecast.database.name,
                restore_text.intent(forecast, options, zone),
                details=restore_text.details(forecast, options, app.settings.undo_hours),
                yes=yes,
                as_json=as_json,
            )
        with (
            audited(
                app, "backup.restore", backup_id, mode=options.mode.value, database=forecast.database.name, to=target
            ) as notes,
            session.observer(app.clock, as_json=as_json) as observer,
        ):
            done = app.restores.restore(backup_id, options, observer)
            notes["restore_id"] = done.id
        now = app.clock.now()
    document = {
        **views.restore_row(done),
        "server": views.place(forecast.place),
        "excluded_data": list(come_back_empty(forecast.manifest, options)),
        "message": restore_text.summary(done, forecast),
    }
    session.show(document, restore_text.report(done, forecast, now, zone), as_json=as_json)


def _role_map(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for old, sign, new in pairs:
        if not (old and sign and new):
            raise InvalidInput(f"{in_quotes(old + sign + new)} maps no role", hint="Write --map-role OLD=NEW.")
    return {old: new for old, _, new in pairs}


def undo(
    ctx: typer.Context,
    restore_id: Annotated[
        int, typer.Argument(metavar="RESTORE_ID", help="The restore's number, as `pgproof list --restores` shows it.")
    ],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put back the database that a restore replaced."""
    from pgproof.entrypoints.cli import restore_text, views
    from pgproof.services.forecast import foresee_undo

    session: Session = ctx.obj
    with session.app() as app:
        forecast = foresee_undo(app.catalog, app.server, app.databases, restore_id)
        session.confirm(
            forecast.restore.database,
            restore_text.undo_intent(forecast, app.settings.timezone),
            details=restore_text.undo_details(forecast),
            yes=yes,
            as_json=as_json,
        )
        with (
            audited(app, "restore.undo", restore_id, database=forecast.restore.database),
            session.observer(app.clock, as_json=as_json) as observer,
        ):
            done = app.restores.undo(restore_id, observer)
    message = restore_text.undone(done, forecast)
    document = {**views.restore_row(done), "server": views.place(forecast.place), "success": True, "message": message}
    lines = [message]
    if done.kept_database is not None:
        lines.append(f"what the restore had brought stays beside it as {in_quotes(done.kept_database)}")
    lines.append(f"restore again with: pgproof restore {done.backup_id}")
    session.show(document, "\n".join(lines), as_json=as_json)


def abandon(
    ctx: typer.Context,
    restore_id: Annotated[
        int, typer.Argument(metavar="RESTORE_ID", help="The restore's number, as `pgproof list --restores` shows it.")
    ],
    *,
    server_gone: Annotated[
        bool,
        typer.Option(
            "--server-gone",
            help="Do not ask the server: it is gone for good, even if another one answers at its address.",
        ),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give up on a restore whose server does not come back."""
    from pgproof.entrypoints.cli import restore_text, views
    from pgproof.services import abandoning

    session: Session = ctx.obj
    with session.app() as app:
        found = abandoning.check_abandonable(app.catalog, restore_id)
        session.confirm(
            found.database,
            restore_text.abandon_intent(found, server_gone=server_gone),
            details=restore_text.abandon_details(found, server_gone=server_gone),
            yes=yes,
            as_json=as_json,
        )
        give_up = (
            partial(abandoning.abandon_unasked, app.catalog, app.clock)
            if server_gone
            else partial(abandoning.abandon, app.catalog, app.clock, app.recovery.settle_restore)
        )
        with audited(app, "restore.abandon", restore_id, database=found.database, server_gone=server_gone) as notes:
            done = give_up(restore_id, by=actor(), undo_hours=app.settings.undo_hours)
            notes["status"] = done.status.value
    message = restore_text.abandoned(done)
    document = {**views.restore_row(done), "message": message}
    session.show(document, "\n".join([message, *restore_text.abandon_advice(done)]), as_json=as_json)
