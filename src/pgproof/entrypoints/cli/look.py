"""`list`, `show`, `stats`, `log`: looking without changing anything."""

from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.backup import GONE, UNFINISHED, Backup, BackupStatus, BackupTrigger
from pgproof.domain.errors import InvalidInput, PgproofError
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.options import AsJson, BackupId
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from datetime import tzinfo

    from pgproof.domain.fingerprint import Fingerprint
    from pgproof.domain.manifest import Manifest

_MOST_RESTORES = 1000
_KINDS = {
    (False, False): ("BACKUP", "id"),
    (True, False): ("RESTORE", "restore_id"),
    (False, True): ("RESTORE_TEST", "restore_test_id"),
}


def list_backups(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    status: Annotated[BackupStatus | None, typer.Option(help="Only those in this state.")] = None,
    database: Annotated[str | None, typer.Option(help="Only those of the database of this name.")] = None,
    trigger: Annotated[BackupTrigger | None, typer.Option(help="Only those that this asked for.")] = None,
    *,
    restores: Annotated[
        bool, typer.Option("--restores", help="List restores instead, with the way back from each.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List backups or restores, the newest first."""
    from pgproof.entrypoints.cli import restore_text, views
    from pgproof.services.abandoning import left_behind
    from pgproof.services.ports import BackupFilter

    session: Session = ctx.obj
    if limit < 1:
        raise InvalidInput(f"a list of length {limit} is not possible", hint="Use a limit of 1 or more.")
    if restores and (status or trigger):
        raise InvalidInput(
            "--status and --trigger choose among backups, not among restores",
            hint="Leave them out; --database and --limit choose among restores.",
        )
    with session.app() as app:
        zone, now = app.settings.timezone, app.clock.now()
        if restores:
            made = app.catalog.list_restores(limit, database=database)
            app.known_databases.check(database, made)
            everything = app.catalog.list_restores(_MOST_RESTORES, database=database)
            stuck = restore_text.unsettled([one for one in left_behind(app.catalog) if one in made])
            shown = restore_text.table(made, everything, now, zone)
            session.show(views.restores(made), f"{shown}\n\n{stuck}" if stuck else shown, as_json=as_json)
            return
        wanted = BackupFilter(limit=limit, status=status, database=database, trigger_source=trigger)
        found = list(app.catalog.list_backups(wanted))
        app.known_databases.check(database, found)
    session.show(views.listing(found), _table(found, zone), as_json=as_json)


def show(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """Show everything about one backup."""
    from pgproof.entrypoints.cli import restore_test_text, restore_test_views, restore_text, views
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
        everything = app.catalog.list_restores(_MOST_RESTORES, database=found.database)
        restores = [restore for restore in everything if restore.backup_id == backup_id]
        tests = list(app.catalog.list_restore_tests(limit=_MOST_RESTORES, backup_id=backup_id))
        zone, now = app.settings.timezone, app.clock.now()
    parts = [
        _sheet(found, manifest, zone),
        restore_text.table(restores, everything, now, zone) if restores else "",
        restore_test_text.table(tests, zone) if tests else "",
        "" if manifest is None else _tables(manifest),
    ]
    document = views.backup_whole(found, manifest, restores)
    document["restore_tests"] = [restore_test_views.row(test) for test in tests]
    session.show(document, "\n\n".join(part for part in parts if part), as_json=as_json)
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
    of_test: Annotated[bool, typer.Option("--restore-test", help="The number is a restore test's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a backup, restore or restore test did."""
    from pgproof.services.ports import Lock

    session: Session = ctx.obj
    if of_restore and of_test:
        raise InvalidInput("a number is a restore's or a restore test's, not both", hint="Leave one of them out.")
    with session.app() as app:
        if of_test:
            app.catalog.get_restore_test(job_id)
        elif of_restore:
            app.catalog.get_restore(job_id)
        else:
            app.catalog.get_backup(job_id)
        kind, name = _KINDS[of_restore, of_test]
        lines = list(app.catalog.read_log(Lock[kind], job_id))
    document = {name: job_id, "lines": lines}
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
            text.NOTHING if backup.proven_at is None else f"{backup.proven_at.astimezone(zone):%Y-%m-%d}",
            text.moment(backup.created_at, zone),
            text.size(backup.file_size),
            text.duration(backup.duration_seconds),
            backup.trigger_source.value,
            text.plain(backup.description),
        )
        for backup in found
    ]
    headings = ("ID", "DATABASE", "STATUS", "PROVEN", "CREATED", "SIZE", "TOOK", "ASKED BY", "DESCRIPTION")
    return text.columns(headings, rows, right=frozenset({0, 5, 6}))


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
        ("proven", text.moment(backup.proven_at, zone)),
        ("expires", text.moment(backup.expires_at, zone)),
        ("held", _hold(backup, zone)),
        ("size", f"{text.size(backup.file_size)} (database: {text.size(backup.database_size_bytes)})"),
        ("format", f"{backup.options.format}, {backup.compression}, level {backup.options.compression_level}"),
        ("SHA-256", text.plain(backup.checksum_sha256)),
        _place(backup),
    ]
    if backup.error_message:
        rows.append(("error", text.plain(backup.error_message)))
    if manifest is None:
        return text.pairs(rows)
    held = manifest.fingerprint
    rows += [
        ("PostgreSQL", f"{manifest.server_version}, dumped by pg_dump {manifest.client_version}"),
        ("holds", _content(held)),
        ("fingerprint", held.level.value),
        *(("not restorable", text.plain(what)) for what in manifest.unrestorable),
        *([("imported from", text.plain(manifest.imported_from))] if manifest.imported_from else []),
    ]
    return text.pairs(rows)


def _place(backup: Backup) -> tuple[str, str]:
    place = text.plain(f"{backup.storage_url}: {backup.file_path}")
    if backup.usable or backup.being_deleted:
        return "stored in", place
    if backup.status in GONE:
        return "was stored in", place
    return ("to be stored in", place) if backup.status in UNFINISHED else ("stored", "nothing")


def _tables(manifest: "Manifest") -> str:
    held = manifest.fingerprint
    tables = [
        (text.plain(name), "not counted" if count is None else f"{count:,}")
        for name, count in sorted(held.tables.items())
    ]
    left_out = set(manifest.excluded_data)
    tables += [
        (text.plain(name), "left out" if name in left_out else "in its partitions") for name in sorted(held.schema_only)
    ]
    return text.columns(("TABLE", "ROWS"), tables, right=frozenset({1})) if tables else ""


def _content(held: "Fingerprint") -> str:
    tables = text.count(len(held.tables), "table")
    if held.level is FingerprintLevel.NONE:
        return f"{tables}, rows not counted"
    return f"{text.count(held.rows, 'row')} in {tables}"
