"""`download`: a backup out of the storage, into a folder or a pipe."""

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.errors import InvalidInput
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.options import AsJson, BackupId
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from pgproof.services.downloading import Download


def download(
    ctx: typer.Context,
    backup_id: BackupId,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Make the backup's folder in this one; default: here.")
    ] = None,
    *,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Write the archive alone to standard output, which is no terminal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a backup out of the storage, whole and checked."""
    session: Session = ctx.obj
    if not stdout:
        _into_folder(session, backup_id, Path() if to is None else to, as_json=as_json)
        return
    if to is not None or as_json:
        raise InvalidInput(
            f"with --stdout there is nothing for {'--json' if to is None else '--to'} to do",
            hint="Leave one of them out: --stdout writes the archive's bytes and nothing else.",
        )
    if session.stdout.isatty():
        raise InvalidInput(
            "an archive is not for a terminal",
            hint=f"Send it on (pgproof download {backup_id} --stdout > FILE), or copy the backup with --to FOLDER.",
        )
    _to_stdout(session, backup_id)


def _into_folder(session: Session, backup_id: int, to: Path, *, as_json: bool) -> None:
    from pgproof.entrypoints.cli import views

    with (
        session.app() as app,
        audited(app, "backup.download", backup_id, to=str(to.absolute())) as notes,
        session.observer(app.clock, as_json=as_json) as observer,
    ):
        done = app.downloads.download(backup_id, to, observer)
        notes.update(to=done.folder, bytes=done.size_copied, of=done.size)
    message = _message(done)
    document = {
        **views.backup_row(done.backup),
        "folder": done.folder,
        "objects": [item.name for item in done.objects],
        "copied": [item.name for item in done.copied],
        "bytes": done.size,
        "bytes_copied": done.size_copied,
        "warnings": list(done.warnings),
        "message": message,
    }
    check = f"check it there with: cd {text.plain(shlex.quote(done.folder))} && sha256sum --check SHA256SUMS"
    warnings = [f"WARNING: {text.plain(line)}" for line in done.warnings]
    session.show(document, "\n".join([message, *warnings, check]), as_json=as_json)


def _message(done: "Download") -> str:
    what = f"backup {done.backup.id} of {text.plain(done.backup.database)}"
    where, objects = text.plain(done.folder), text.count(len(done.objects), "object")
    checked = f"{objects}, {text.size(done.size)}, every checksum matches"
    if not done.copied:
        return f"{what} lies in {where} already: {checked}"
    kept = len(done.objects) - len(done.copied)
    before = f" ({text.count(kept, 'object')} there before)" if kept else ""
    return f"{what} is copied to {where}: {checked}{before}"


def _to_stdout(session: Session, backup_id: int) -> None:
    from pgproof.services.measured import counted

    with session.app() as app:
        of = app.catalog.get_backup(backup_id).file_size
        with (
            audited(app, "backup.download", backup_id, to="standard output", bytes=0, of=of) as notes,
            session.observer(app.clock, as_json=False) as observer,
            closing(app.downloads.stream(backup_id, observer)) as archive,
        ):
            session.send(counted(archive, lambda size: notes.update(bytes=size)))
