"""`backup`, `verify`, `hold`, `release`, `delete`: making backups, proving them, removing them."""

from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.errors import ConfigurationError, NotFound
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.wording import in_quotes, listed
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.options import AsJson, BackupId, CommandTrigger, Yes
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from pgproof.bootstrap import App
    from pgproof.domain.database import ConnectionInfo
    from pgproof.domain.manifest import Manifest


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
    archive_format: Annotated[
        ArchiveFormat | None, typer.Option("--format", metavar="custom|directory", help="Form of the archive.")
    ] = None,
    compression: Annotated[Compression | None, typer.Option(help="How the archive is compressed.")] = None,
    fingerprint: Annotated[
        FingerprintLevel | None, typer.Option(help="What a restore is compared with: none, row counts, or content.")
    ] = None,
    trigger: Annotated[
        CommandTrigger, typer.Option(help="Who asked for it, for the record: cron and timers say scheduled_cron.")
    ] = CommandTrigger.MANUAL_CLI,
    as_json: AsJson = False,
) -> None:
    """Back up a database and read the backup back."""
    from pgproof.domain.backup import BackupOptions, BackupTrigger
    from pgproof.entrypoints.cli import views
    from pgproof.services.contents import read_manifest

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
            fingerprint=fingerprint or settings.fingerprint,
        )
        wanted = app.databases.resolve(database)
        with (
            audited(app, "backup.create", database=wanted.name) as notes,
            session.observer(app.clock, as_json=as_json) as observer,
        ):
            taken = app.backups.back_up(wanted, options, BackupTrigger(trigger), observer)
            notes["subject"] = taken.id
        manifest = read_manifest(app.storage, taken)
        embedded = database is None and app.databases.is_embedded(wanted)
    message = (
        f"backup {taken.id} of {text.plain(taken.database)} is complete: {text.size(taken.file_size)}, "
        f"{text.count(taken.tables_count or 0, 'table')}, {text.duration(taken.duration_seconds)}"
    )
    lines = [message]
    if manifest.excluded_data:
        lines.append(_left_out(manifest))
    lines += [f"WARNING: it does not restore as a whole because of the {what}" for what in manifest.unrestorable]
    lines += [f"{taken.storage_url}: {taken.file_path}", f"restore it with: pgproof restore {taken.id}"]
    if embedded:
        lines.append(
            "that is the embedded server's own database: name another with `pgproof database add NAME URL`, "
            "or set BACKUP_POSTGRES_DB and its neighbours"
        )
    session.show(views.backup_created(taken, manifest, message), "\n".join(lines), as_json=as_json)


def _left_out(manifest: "Manifest") -> str:
    options = manifest.options
    takers = [
        option
        for option, taken in (("--include-logs", options.include_logs), ("--include-cache", options.include_cache))
        if not taken
    ]
    names = listed([text.plain(name) for name in manifest.excluded_data])
    return f"without the rows of {names} ({' and '.join(takers)} {'takes' if len(takers) == 1 else 'take'} them)"


def verify(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """Check the stored bytes and the table of contents."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with (
        session.app() as app,
        audited(app, "backup.verify", backup_id),
        session.observer(app.clock, as_json=as_json) as observer,
    ):
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
        "entries": len(contents.entries),
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
    with session.app() as app, audited(app, "backup.hold" if held else "backup.release", backup_id):
        changed = app.backups.hold(backup_id, held=held)
    message = f"backup {changed.id} of {text.plain(changed.database)} is {'held' if held else 'released'}"
    session.show({"id": changed.id, "held": changed.held, "message": message}, message, as_json=as_json)


def delete(ctx: typer.Context, backup_id: BackupId, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a backup from the storage for good."""
    from pgproof.domain.backup import BackupStatus, tombstone
    from pgproof.entrypoints.cli import views
    from pgproof.services.deleting import check_here

    session: Session = ctx.obj
    with session.app() as app:
        now = app.clock.now()
        doomed = app.catalog.get_backup(backup_id)
        tombstone(doomed, BackupStatus.DELETED, now)  # refuses what the deletion itself would refuse
        check_here(app.storage, doomed)
        place = _place_of(app, doomed.database)
        whose = in_quotes(doomed.database) + (f" ({place.with_role})" if place is not None else "")
        left = [one for one in app.catalog.present_backups() if one.database == doomed.database and one.usable]
        intent = (
            f"backup {doomed.id} of {whose}, taken {text.moment(doomed.taken_at, app.settings.timezone)}, "
            f"is to be deleted for good from {doomed.storage_url}"
        )
        last = [one.id for one in left] == [doomed.id]
        details = ["It is the LAST usable backup of that database."] if last else []
        session.confirm(doomed.database, intent, details=details, yes=yes, as_json=as_json)
        with audited(app, "backup.delete", backup_id, database=doomed.database):
            deleted = app.backups.delete(backup_id)
    message = f"backup {deleted.id} of {whose} is deleted from {deleted.storage_url}"
    document = {
        "id": deleted.id,
        "status": deleted.status.value,
        "database": deleted.database,
        "storage_url": deleted.storage_url,
        "server": None if place is None else views.place(place),
        "message": message,
    }
    session.show(document, message, as_json=as_json)


def _place_of(app: "App", name: str) -> "ConnectionInfo | None":
    """Where a database is. A deletion goes on without knowing: it may be forgotten, or its password's key lost."""
    try:
        return app.catalog.get_database(name).connection
    except (NotFound, ConfigurationError):
        return None
