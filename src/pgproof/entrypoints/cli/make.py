"""`backup`, `verify`, `hold`, `release`, `delete`: making backups, proving them, removing them."""

from typing import Annotated

import typer

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.options import AsJson, BackupId, Yes
from pgproof.entrypoints.cli.session import Session


def backup(
    ctx: typer.Context,
    database: Annotated[
        str | None,
        typer.Argument(
            metavar="DATABASE", help="A registered name or a postgresql:// URL; else the first protected database."
        ),
    ] = None,
    description: Annotated[str | None, typer.Option(help="A note to find the backup by.")] = None,
    *,
    include_logs: Annotated[bool, typer.Option("--include-logs", help="With the rows of the log tables.")] = False,
    include_cache: Annotated[bool, typer.Option("--include-cache", help="With the rows of the cache tables.")] = False,
    compression_level: Annotated[int | None, typer.Option(help="Effort from 0 (none) to 9 (smallest).")] = None,
    parallel_jobs: Annotated[
        int | None, typer.Option(help="Processes that dump at once, in the directory format.")
    ] = None,
    archive_format: Annotated[ArchiveFormat | None, typer.Option("--format", help="Form of the archive.")] = None,
    compression: Annotated[Compression | None, typer.Option(help="How the archive is compressed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Back up a database and read the backup back."""
    from pgproof.domain.backup import BackupOptions, BackupTrigger
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with session.app() as app:
        settings = app.settings
        options = BackupOptions(
            format=archive_format or settings.format,
            compression=compression or settings.compression,
            compression_level=settings.compression_level if compression_level is None else compression_level,
            parallel_jobs=settings.parallel_jobs if parallel_jobs is None else parallel_jobs,
            include_logs=include_logs,
            include_cache=include_cache,
            description=description,
        )
        wanted = app.databases.resolve(database)
        pending = app.backups.request(wanted, options, BackupTrigger.MANUAL_CLI)
        with session.observer(app.clock, as_json=as_json) as observer:
            taken = app.backups.take(pending.id, observer, database=wanted)
    message = (
        f"backup {taken.id} of {text.plain(taken.database)} is complete: {text.size(taken.file_size)}, "
        f"{text.count(taken.tables_count or 0, 'table')}, {text.duration(taken.duration_seconds)}"
    )
    session.show(
        views.backup_created(taken, message),
        f"{message}\n{taken.storage_url}: {taken.file_path}\nrestore it with: pgproof restore {taken.id}",
        as_json=as_json,
    )


def verify(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """Check the stored bytes and the table of contents."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with session.app() as app, session.observer(app.clock, as_json=as_json) as observer:
        verification = app.backups.verify(backup_id, observer)
    found, manifest, contents = verification.backup, verification.manifest, verification.contents
    message = (
        f"backup {found.id} of {text.plain(found.database)} is as it was stored: every checksum of "
        f"{text.count(len(manifest.objects), 'object')} matches, and the archive holds the rows of "
        f"{text.count(len(contents.tables), 'table')}"
    )
    document = {
        **views.backup_row(found),
        "verified": True,
        "objects": len(manifest.objects),
        "entries": contents.entries,
        "tables": len(contents.tables),
        "message": message,
    }
    session.show(document, message, as_json=as_json)


def hold(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """Exempt a backup from every deletion."""
    _set_hold(ctx.obj, backup_id, held=True, as_json=as_json)


def release(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """End the exemption that a hold makes."""
    _set_hold(ctx.obj, backup_id, held=False, as_json=as_json)


def _set_hold(session: Session, backup_id: int, *, held: bool, as_json: bool) -> None:
    with session.app() as app:
        changed = app.backups.hold(backup_id, held=held)
    message = f"backup {changed.id} of {text.plain(changed.database)} is {'held' if held else 'released'}"
    session.show({"id": changed.id, "held": changed.held, "message": message}, message, as_json=as_json)


def delete(ctx: typer.Context, backup_id: BackupId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a backup from the storage for good."""
    session: Session = ctx.obj
    with session.app() as app:
        doomed = app.catalog.get_backup(backup_id)
        intent = (
            f"backup {doomed.id} of {text.plain(doomed.database)}, taken "
            f"{text.moment(doomed.created_at, app.settings.timezone)}, is to be deleted for good"
        )
        session.confirm(doomed.database, intent, yes=yes, as_json=as_json)
        deleted = app.backups.delete(backup_id)
    message = f"backup {deleted.id} of {text.plain(deleted.database)} is deleted"
    session.show({"id": deleted.id, "status": deleted.status.value, "message": message}, message, as_json=as_json)
