"""What `pgproof.open` returns."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from pgproof.bootstrap import App, open_app
from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.errors import ConfigurationError
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions
from pgproof.domain.restore_test import RestoreTest
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.keeping import keeping
from pgproof.entrypoints.scripting.databases import FACE, Databases
from pgproof.entrypoints.scripting.watching import ProgressCallback, observing
from pgproof.entrypoints.scripting.words import one_of
from pgproof.services.backups import Verification, check_usable
from pgproof.services.contents import read_manifest
from pgproof.services.downloading import Download
from pgproof.services.expiry import CleanupPlan, Sweep
from pgproof.services.ports import BackupFilter, BackupStats, Lock
from pgproof.settings import Settings


class Pgproof:
    """An open pgproof. Its calls do the work themselves and return when it is done; close it, or use it in `with`.

    Errors are those of `pgproof.errors`. What it changes is in the audit trail as `python:` and the system's user.
    """

    def __init__(self, settings: Settings) -> None:
        with ExitStack() as stack:
            self._opened: App | None = stack.enter_context(open_app(settings))
            stack.enter_context(keeping(self._opened.catalog))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections, and the embedded server if nobody else uses it. Twice does no harm."""
        self._opened = None
        self._stack.close()

    @property
    def _app(self) -> App:
        if self._opened is None:
            raise ConfigurationError("what pgproof.open returned is closed", hint="Open it again with pgproof.open().")
        return self._opened

    @property
    def settings(self) -> Settings:
        """The settings that count."""
        return self._app.settings

    @property
    def settled(self) -> Sequence[str]:
        """What became of the work of processes that died, a line for each."""
        return self._app.settled

    @property
    def databases(self) -> Databases:
        """The protected databases."""
        return Databases(self._app)

    def back_up(
        self,
        database: str | None = None,
        *,
        description: str | None = None,
        include_logs: bool = False,
        include_cache: bool = False,
        compression_level: int | None = None,
        parallel_jobs: int | None = None,
        format: ArchiveFormat | str | None = None,  # noqa: A002 - the word of every other interface
        compression: Compression | str | None = None,
        fingerprint: FingerprintLevel | str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Backup:
        """Back up a database, by its registered name or a URL, and read the backup back.

        Without `database` the first protected one is meant; what else is not said, the settings say.
        """
        app = self._app
        settings = app.settings
        options = BackupOptions(
            format=settings.format if format is None else one_of(ArchiveFormat, format),
            compression=settings.compression if compression is None else one_of(Compression, compression),
            compression_level=settings.compression_level if compression_level is None else compression_level,
            parallel_jobs=settings.parallel_jobs if parallel_jobs is None else parallel_jobs,
            include_logs=include_logs,
            include_cache=include_cache,
            description=description,
            fingerprint=settings.fingerprint if fingerprint is None else one_of(FingerprintLevel, fingerprint),
        )
        wanted = app.databases.resolve(database)
        with audited(app, "backup.create", "", FACE, database=wanted.name) as notes:
            taken = app.backups.back_up(wanted, options, BackupTrigger.MANUAL_API, observing(progress))
            notes["subject"] = taken.id
        return taken

    def list(
        self,
        *,
        database: str | None = None,
        status: BackupStatus | str | None = None,
        text: str | None = None,
        limit: int = 50,
    ) -> Sequence[Backup]:
        """Backups, the newest first. `text` finds words of descriptions, databases and filenames.

        Raises `NotFound` for a database of which nothing is known.
        """
        known = None if status is None else one_of(BackupStatus, status)
        wanted = BackupFilter(limit=limit, status=known, database=database, text=text)
        found = self._app.catalog.list_backups(wanted)
        self._app.known_databases.check(database, found)
        return found

    def get(self, backup_id: int) -> Backup:
        """The backup of that number. Raises `NotFound`."""
        return self._app.catalog.get_backup(backup_id)

    def manifest(self, backup_id: int) -> Manifest:
        """What the database held then, and what is stored. Raises `Conflict` unless it is whole."""
        backup = self.get(backup_id)
        check_usable(backup)
        return read_manifest(self._app.storage, backup)

    def log(self, backup_id: int) -> Sequence[str]:
        """What the backup did."""
        self.get(backup_id)
        return self._app.catalog.read_log(Lock.BACKUP, backup_id)

    def stats(self) -> BackupStats:
        """Totals over all backups."""
        return self._app.catalog.backup_stats()

    def verify(self, backup_id: int, *, progress: ProgressCallback | None = None) -> Verification:
        """Hold the stored bytes to their checksums and read the table of contents. Raises `IntegrityError`."""
        with audited(self._app, "backup.verify", backup_id, FACE):
            return self._app.backups.verify(backup_id, observing(progress))

    def download(self, backup_id: int, to: str | Path = ".", *, progress: ProgressCallback | None = None) -> Download:
        """Copy a backup, checked, into a folder of its own in `to`; what is there already is kept."""
        with audited(self._app, "backup.download", backup_id, FACE, to=str(Path(to).absolute())) as notes:
            done = self._app.downloads.download(backup_id, Path(to), observing(progress))
            notes.update(to=done.folder, bytes=done.size_copied, of=done.size)
        return done

    def test(self, backup_id: int, *, progress: ProgressCallback | None = None) -> RestoreTest:
        """Restore a backup where nobody uses it, and compare. `outcome` says how that ended."""
        with audited(self._app, "backup.restore_test", backup_id, FACE) as notes:
            test = self._app.restore_tests.test(backup_id, observing(progress))
            notes["verdict"] = test.outcome
        return test

    def restore(
        self,
        backup_id: int,
        *,
        mode: RestoreMode | str = RestoreMode.SWAP,
        target_database: str | None = None,
        tables: Sequence[str] = (),
        schemas: Sequence[str] = (),
        create_safety_backup: bool = True,
        run_analyze: bool = True,
        drop_existing: bool = True,
        parallel_jobs: int | None = None,
        no_owner: bool = False,
        no_acl: bool = False,
        role_map: Mapping[str, str] | None = None,
        tablespace: str | None = None,
        force: bool = False,
        progress: ProgressCallback | None = None,
    ) -> Restore:
        """Bring a backup back. Nobody is asked; if anything fails, the live database is as it was."""
        app = self._app
        options = RestoreOptions(
            mode=one_of(RestoreMode, mode),
            create_safety_backup=create_safety_backup,
            run_analyze=run_analyze,
            parallel_jobs=app.settings.parallel_jobs if parallel_jobs is None else parallel_jobs,
            drop_existing=drop_existing,
            target_database=target_database,
            tables=tuple(tables),
            schemas=tuple(schemas),
            no_owner=no_owner,
            no_acl=no_acl,
            role_map=dict(role_map or {}),
            tablespace=tablespace,
            force=force,
        )
        with audited(app, "backup.restore", backup_id, FACE, mode=options.mode.value, to=target_database) as notes:
            done = app.restores.restore(backup_id, options, observing(progress))
            notes["restore_id"] = done.id
        return done

    def restores(self, *, database: str | None = None, limit: int = 50) -> Sequence[Restore]:
        """Restores, the newest first. Raises `NotFound` for a database of which nothing is known."""
        found = self._app.catalog.list_restores(limit, database=database)
        self._app.known_databases.check(database, found)
        return found

    def undo(self, restore_id: int, *, progress: ProgressCallback | None = None) -> Restore:
        """Put back the database that a restore has replaced. Raises `Conflict` if that is not possible."""
        with audited(self._app, "restore.undo", restore_id, FACE):
            return self._app.restores.undo(restore_id, observing(progress))

    def hold(self, backup_id: int) -> Backup:
        """Exempt a backup from every deletion."""
        with audited(self._app, "backup.hold", backup_id, FACE):
            return self._app.backups.hold(backup_id, held=True)

    def release(self, backup_id: int) -> Backup:
        """End the exemption that a hold makes."""
        with audited(self._app, "backup.release", backup_id, FACE):
            return self._app.backups.hold(backup_id, held=False)

    def delete(self, backup_id: int) -> Backup:
        """Remove a backup from the storage for good. Nobody is asked."""
        with audited(self._app, "backup.delete", backup_id, FACE):
            return self._app.backups.delete(backup_id)

    def plan_cleanup(self) -> CleanupPlan:
        """What a cleanup would do now, with the reason of each decision."""
        return self._app.expiry.plan(self._app.clock.now())

    def cleanup(self, *, force: bool = False, remove_orphans: bool = False) -> Sweep:
        """Remove what no retention rule keeps. What could not be removed is in `failures`, not raised.

        Raises `Conflict`, and removes nothing, if it would be more than the usual share and `force` is not given.
        """
        app = self._app
        with audited(app, "cleanup", "", FACE, force=force, remove_orphans=remove_orphans) as notes:
            done = app.expiry.sweep(app.expiry.plan(app.clock.now()), force=force, remove_orphans=remove_orphans)
            notes.update(
                expired=[backup.id for backup in done.expired],
                dropped=[kept.name for kept in done.dropped],
                removed=[folder.folder for folder in done.removed],
                failures=len(done.failures),
            )
        app.history.forget()
        return done
