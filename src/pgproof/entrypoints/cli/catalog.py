"""`catalog`: the record of databases, backups and restores as a whole."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgproof.domain.errors import Conflict, IntegrityError, InvalidInput, NotFound, PgproofError
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import actor, audited
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from pgproof.bootstrap import App
    from pgproof.domain.backup import Backup
    from pgproof.services.cataloguing.rebuilding import Rebuilding

# What says something about one dump and nothing about the next.
_OF_ONE_DUMP = (InvalidInput, NotFound, Conflict, IntegrityError)

app = typer.Typer(
    help="Upgrade, rebuild and export the catalog; import existing dumps.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def upgrade(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Bring the catalog to the newest revision, and say how."""
    from pgproof.bootstrap import upgrade_catalog

    session: Session = ctx.obj
    done = upgrade_catalog(session.settings())
    if done.before == done.after:
        message = f"the catalog {done.place} is at the newest revision, {done.after}, already"
    elif done.before is None:
        message = f"the catalog {done.place} was made, at revision {done.after}"
    else:
        message = f"the catalog {done.place} was upgraded from revision {done.before} to {done.after}"
    document = {"before": done.before, "after": done.after, "steps": list(done.steps), "message": message}
    session.show(document, "\n".join([message, *(f"  {step}" for step in done.steps)]), as_json=as_json)


@app.command()
def rebuild(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be added.")] = False,
    export_file: Annotated[
        Path | None,
        typer.Option(
            "--databases",
            metavar="EXPORT",
            help="Bring back databases, schedules and notification rules of an export, too.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add the backups in the storage that the catalog lacks."""
    from pgproof.entrypoints.cli import rebuild_text
    from pgproof.services.cataloguing.adopting import read_export

    session: Session = ctx.obj
    exported = None if export_file is None else read_export(_read(export_file))
    with session.app() as application, _audited_rebuild(application, dry_run=dry_run) as notes:
        adopted = None if exported is None else application.adopting.adopt(exported, by=actor(), dry_run=dry_run)
        registered = [] if adopted is None else list(adopted.registered)
        notes["registered"] = registered
        if adopted is not None:
            notes.update(schedules=len(adopted.schedules), rules=len(adopted.rules))
        done = application.rebuilding.rebuild(dry_run=dry_run)
        notes["rebuilt"] = [one.backup.id for one in done.rebuilt]
        notes["other_installations"] = [one.installation for one in done.others]
    left = [name for name in done.databases if name not in registered]
    document = {
        **_rebuilt_document(done, registered, left),
        "other_installations": rebuild_text.others_document(done),
        **rebuild_text.adopted_document(adopted),
    }
    lines = [_rebuilt_text(done, registered, left), *rebuild_text.adopted_lines(adopted, dry_run=dry_run)]
    lines += [f"WARNING: {rebuild_text.warning(one)}" for one in done.others]
    session.show(document, "\n".join(lines), as_json=as_json)


@app.command()
def export(
    ctx: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write a file instead of standard output.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the catalog as JSON, without any secret."""
    from pgproof import __version__
    from pgproof.services.cataloguing.exporting import export as make_export

    session: Session = ctx.obj
    with session.app() as application, audited(application, "catalog.export") as notes:
        document = make_export(
            application.catalog,
            application.clock,
            __version__,
            schedules=application.schedules.list(),
            rules=application.alerts.rules(),
            users=application.users.list(),
        )
        notes["backups"] = len(document["backups"])
    if output is None:
        session.show(document, "", as_json=True)
        return
    _write(output, document)
    backups = len(document["backups"])
    message = f"{output} holds {text.count(backups, 'backup')} of the catalog, and no secrets"
    session.show({"path": str(output), "backups": backups, "message": message}, message, as_json=as_json)


@app.command("import")
def import_dumps(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="DUMP...", help="Files or folders that pg_dump has written.")],
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="NAME", help="Whose they are; else the first protected database's."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="A note to find the backups by.")] = None,
    *,
    hold: Annotated[bool, typer.Option("--hold", help="Hold them: no rule removes them before a release.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make backups of dumps that others have taken."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    failures: list[tuple[Path, PgproofError]] = []
    with session.app() as application:
        wanted = application.databases.resolve(database)
        for path in paths:
            try:
                with (
                    session.observer(application.clock, as_json=as_json) as observer,
                    audited(application, "backup.import", database=wanted.name, dump=str(path)) as notes,
                ):
                    brought = application.importing.bring_in(path, wanted, observer, description=description, held=hold)
                    notes["subject"] = brought.backup.id
            except _OF_ONE_DUMP as error:
                failures.append((path, error))
                continue
            rows.append(views.backup_row(brought.backup))
            lines += _imported_lines(application, path, brought.backup)
    if rows:
        lines.append("the originals are where they were; look at one: pgproof restore ID --mode new-database --to NAME")
    if len(paths) > 1:
        lines += [f"not imported: {path}: {error.detail}" for path, error in failures]
    failed = [{"path": str(path), "detail": error.detail, "hint": error.hint} for path, error in failures]
    if rows or len(paths) > 1:
        session.show({"backups": rows, "failed": failed}, "\n".join(lines), as_json=as_json)
    if failures:
        raise failures[0][1]


def _audited_rebuild(application: "App", *, dry_run: bool) -> AbstractContextManager[dict[str, Any]]:
    """What only looks is in no audit trail."""
    return nullcontext({}) if dry_run else audited(application, "catalog.rebuild")


def _imported_lines(application: "App", path: Path, made: "Backup") -> list[str]:
    settings = application.settings
    told = (
        f"{path} is backup {made.id} of {text.plain(made.database)} now: {made.options.format} format, "
        f"{text.size(made.file_size)}, {text.count(made.tables_count or 0, 'table')}, "
        f"made {text.moment(made.taken_at, settings.timezone)}"
    )
    age = (application.clock.now() - made.taken_at).days
    if made.held or age < settings.retention_days:
        return [told]
    return [told, f"it is {text.count(age, 'day')} old: a cleanup may remove it (pgproof hold {made.id})"]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"unable to read {path}: {error}", hint="Give a file of: pgproof catalog export") from error


def _write(path: Path, document: Any) -> None:
    import json

    try:
        path.touch(mode=0o600)
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InvalidInput(
            f"unable to write {path}: {error.strerror}", hint="Name a file in another folder."
        ) from error


def _rebuilt_document(done: "Rebuilding", registered: list[str], left: list[str]) -> dict[str, Any]:
    from pgproof.entrypoints.cli import views

    return {
        "dry_run": done.dry_run,
        "rebuilt": [{**views.backup_row(one.backup), "found_as": one.found_as} for one in done.rebuilt],
        "known": done.known,
        "unreadable": [{"folder": one.folder, "reason": one.reason, "hint": one.hint} for one in done.unreadable],
        "unfinished": list(done.unfinished),
        "registered": registered,
        "to_register": left,
    }


def _rebuilt_text(done: "Rebuilding", registered: list[str], left: list[str]) -> str:
    would = "would be" if done.dry_run else "were"
    unread = text.count(len(done.unreadable), "folder")
    lines = [f"{text.count(len(done.rebuilt), 'backup')} {would} added, {done.known} known already, {unread} not read"]
    lines += [
        f"  backup {one.backup.id} of {text.plain(one.backup.database)}: {text.plain(one.backup.folder)}"
        + (f" (its manifest says {one.found_as}, which was taken)" if one.renumbered else "")
        for one in done.rebuilt
    ]
    lines += [f"  not read: {text.plain(one.folder)}: {text.plain(one.reason)}" for one in done.unreadable]
    lines += [f"  no manifest, so no backup: {text.plain(folder)}" for folder in done.unfinished]
    if done.rebuilt and not done.dry_run:
        lines.append("their holds are not known any more: all that were added are held for 7 days")
    lines += [f"registered without a password: {text.plain(name)}" for name in registered]
    lines += [
        f"register the database again, with its password: pgproof database add {text.quoted(name)} URL" for name in left
    ]
    lines += [f"give it its password again: pgproof database update {text.quoted(name)} URL" for name in registered]
    return "\n".join(lines)
