"""`list`, `show`, `stats`, `log`: looking without changing anything."""

from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.backup import Backup, BackupStatus, BackupTrigger
from pgproof.domain.errors import PgproofError
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.options import AsJson, BackupId
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from datetime import tzinfo

    from pgproof.domain.manifest import Manifest


def list_backups(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    status: Annotated[BackupStatus | None, typer.Option(help="Only those in this state.")] = None,
    database: Annotated[str | None, typer.Option(help="Only those of the database of this name.")] = None,
    trigger: Annotated[BackupTrigger | None, typer.Option(help="Only those that this asked for.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List backups, the newest first."""
    from pgproof.domain.errors import InvalidInput
    from pgproof.entrypoints.cli import views
    from pgproof.services.ports import BackupFilter

    session: Session = ctx.obj
    if limit < 1:
        raise InvalidInput(f"a list of {limit} backups is not possible", hint="Use a limit of 1 or more.")
    with session.app() as app:
        found = list(
            app.catalog.list_backups(
                BackupFilter(limit=limit, status=status, database=database, trigger_source=trigger)
            )
        )
        zone = app.settings.timezone
    session.show(views.listing(found), _table(found, zone), as_json=as_json)


def show(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """Show everything about one backup."""
    from pgproof.entrypoints.cli import views
    from pgproof.services.contents import read_manifest

    session: Session = ctx.obj
    manifest: Manifest | None = None
    problem: PgproofError | None = None
    with session.app() as app:
        found = app.catalog.get_backup(backup_id)
        if found.usable:
            try:
                manifest = read_manifest(app.storage, found)
            except PgproofError as error:
                problem = error  # the catalog's part is shown all the same
        restores = [restore for restore in app.catalog.list_restores() if restore.backup_id == backup_id]
        zone = app.settings.timezone
    document = views.backup_whole(found, manifest, restores)
    session.show(document, _sheet(found, manifest, zone), as_json=as_json)
    if problem is not None:
        raise problem


def stats(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show totals over all backups."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with session.app() as app:
        found = app.catalog.backup_stats()
        settings = app.settings
    rows = [
        ("usable backups", f"{found.completed_backups} of {found.total_backups}"),
        ("total size", text.size(found.total_size)),
        ("newest", text.moment(found.latest_backup_at, settings.timezone)),
        ("kept for", text.count(settings.retention_days, "day")),
        ("kept in", settings.storage_location),
    ]
    document = views.stats(found, settings.retention_days, settings.storage_location)
    session.show(document, text.pairs(rows), as_json=as_json)


def log(
    ctx: typer.Context,
    job_id: Annotated[int, typer.Argument(metavar="ID", help="The backup's number.")],
    *,
    of_restore: Annotated[bool, typer.Option("--restore", help="The number is a restore's, not a backup's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a backup or a restore did, line by line."""
    from pgproof.services.ports import Lock

    session: Session = ctx.obj
    with session.app() as app:
        if of_restore:
            app.catalog.get_restore(job_id)
        else:
            app.catalog.get_backup(job_id)
        lines = list(app.catalog.read_log(Lock.RESTORE if of_restore else Lock.BACKUP, job_id))
    document = {"restore_id" if of_restore else "id": job_id, "lines": lines}
    session.show(document, "\n".join(map(text.plain, lines)) or "the log is empty", as_json=as_json)


def _hold(backup: Backup, zone: "tzinfo") -> str:
    if not backup.held:
        return "no"
    return "yes" if backup.held_until is None else f"until {text.moment(backup.held_until, zone)}"


def _table(found: list[Backup], zone: "tzinfo") -> str:
    if not found:
        return "there are no such backups yet; take one with: pgproof backup"
    rows = [
        (
            str(backup.id),
            text.plain(backup.database),
            "deleting" if backup.being_deleted else backup.status.value,
            text.moment(backup.created_at, zone),
            text.size(backup.file_size),
            text.duration(backup.duration_seconds),
            backup.trigger_source.value,
            text.plain(backup.description),
        )
        for backup in found
    ]
    headings = ("ID", "DATABASE", "STATUS", "CREATED", "SIZE", "TOOK", "ASKED BY", "DESCRIPTION")
    return text.columns(headings, rows, right=frozenset({0, 4, 5}))


def _sheet(backup: Backup, manifest: "Manifest | None", zone: "tzinfo") -> str:
    rows = [
        ("backup", str(backup.id)),
        ("database", text.plain(backup.database)),
        ("status", f"{backup.status.value}, being deleted" if backup.being_deleted else backup.status.value),
        ("asked by", backup.trigger_source.value),
        ("description", text.plain(backup.description)),
        ("created", text.moment(backup.created_at, zone)),
        ("completed", text.moment(backup.completed_at, zone)),
        ("took", text.duration(backup.duration_seconds)),
        ("verified", text.moment(backup.verified_at, zone)),
        ("expires", text.moment(backup.expires_at, zone)),
        ("held", _hold(backup, zone)),
        ("size", f"{text.size(backup.file_size)} (database: {text.size(backup.database_size_bytes)})"),
        ("format", f"{backup.options.format}, {backup.compression}, level {backup.options.compression_level}"),
        ("SHA-256", text.plain(backup.checksum_sha256)),
        ("stored in", text.plain(f"{backup.storage_url}: {backup.file_path}")),
    ]
    if backup.error_message:
        rows.append(("error", text.plain(backup.error_message)))
    if manifest is None:
        return text.pairs(rows)
    held = manifest.fingerprint
    rows += [
        ("PostgreSQL", f"{manifest.server_version}, dumped by pg_dump {manifest.client_version}"),
        ("holds", f"{text.count(held.rows, 'row')} in {text.count(len(held.tables), 'table')}"),
    ]
    tables = [(text.plain(name), f"{rows:,}") for name, rows in sorted(held.tables.items())]
    tables += [(text.plain(name), "definition only") for name in sorted(held.schema_only)]
    if not tables:
        return text.pairs(rows)
    return f"{text.pairs(rows)}\n\n{text.columns(('TABLE', 'ROWS'), tables, right=frozenset({1}))}"
