"""Backups: asking for one, taking it, verifying it, deleting it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Event

from pgproof.domain.archive import check_written
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import Database, ServerVersion
from pgproof.domain.errors import (
    ArchiveUnreadable,
    Cancelled,
    CatalogUnreachable,
    Conflict,
    IntegrityError,
    ObjectMissing,
    PgproofError,
)
from pgproof.domain.manifest import Manifest
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.domain.wording import counted
from pgproof.services import contents
from pgproof.services.claiming import Claim
from pgproof.services.databases import DatabaseService
from pgproof.services.deleting import delete_backup
from pgproof.services.finishing import completed, ended, find_whole, give_way, record, record_failure
from pgproof.services.handing_back import hand_back
from pgproof.services.job_log import JobLog
from pgproof.services.owning import backup_is_ours, check_backup_is_ours
from pgproof.services.patience import Patience, impatient
from pgproof.services.ports import (
    Catalog,
    Clock,
    Lock,
    Observer,
    PostgresServer,
    PostgresTools,
    Progress,
    Storage,
    Streams,
)
from pgproof.services.taking import Taking, TakingRules


@dataclass(frozen=True)
class Verification:
    """A backup whose stored bytes are what was stored, and whose archive reads."""

    backup: Backup
    manifest: Manifest
    contents: TableOfContents


class BackupService:
    """The use cases around one backup."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        storage: Storage,
        streams: Streams,
        server: PostgresServer,
        tools: PostgresTools,
        clock: Clock,
        databases: DatabaseService,
        rules: TakingRules,
        patience: Patience | None = None,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._streams = streams
        self._server = server
        self._tools = tools
        self._clock = clock
        self._databases = databases
        self._rules = rules
        # A dump of hours must not be lost because the catalog is away at its end.
        self._patiently = patience or impatient

    def back_up(
        self,
        database: Database,
        options: BackupOptions,
        trigger: BackupTrigger,
        observer: Observer,
        *,
        cancelled: Event | None = None,
    ) -> Backup:
        """Take a backup now. A failure is recorded, cleaned up and raised.

        It is owned from the first moment on, so a process that dies leaves nothing that recovery does not see.
        """
        check_written(options.format)
        begun = self._catalog.begin_backup(
            database.name, storage_url=self._storage.url, options=options, trigger=trigger, now=self._clock.now()
        )
        with begun as running, self._log(running.id, observer) as log:
            return self._work(running, database, log, cancelled or Event())

    def request(self, database: Database, options: BackupOptions, trigger: BackupTrigger) -> Backup:
        """Record that a backup is wanted, for a worker to `take`: until then it is `pending`, and nobody owns it."""
        check_written(options.format)
        return self._catalog.create_backup(
            database.name,
            storage_url=self._storage.url,
            options=options,
            trigger=trigger,
            now=self._clock.now(),
        )

    def take(
        self,
        backup_id: int,
        observer: Observer,
        *,
        database: Database | None = None,
        cancelled: Event | None = None,
        again: Callable[[BaseException], bool] | None = None,
    ) -> Backup:
        """Do the work of a pending backup. A failure is recorded, cleaned up and raised.

        `database` carries what the catalog does not store, such as the password of a URL used once. `again` says
        of what was raised whether the backup will be taken once more: then it is pending again.
        """
        with self._catalog.own(Lock.BACKUP, backup_id), self._log(backup_id, observer) as log:
            pending = self._catalog.get_backup(backup_id)
            running = replace(pending, status=BackupStatus.RUNNING, started_at=self._clock.now())
            self._catalog.save_backup(running, expected=BackupStatus.PENDING)
            return self._work(running, database, log, cancelled or Event(), again)

    def _log(self, backup_id: int, observer: Observer) -> JobLog:
        return JobLog(self._catalog, self._clock, Lock.BACKUP, backup_id, observer)

    def _work(
        self,
        running: Backup,
        database: Database | None,
        log: JobLog,
        cancelled: Event,
        again: Callable[[BaseException], bool] | None = None,
    ) -> Backup:
        def check_ours() -> None:
            self._patiently(partial(check_backup_is_ours, self._catalog, running.id), cancelled.is_set)

        claim = Claim.of(self._catalog, self._storage, running)
        try:
            # A catalog that was restored from an older dump asks again for what is long done.
            whole = find_whole(self._storage, running, claim.installation)
            if whole is not None:
                log.log("it lies there whole, taken before: the catalog did not know")
                return self._patiently(partial(record, self._catalog, completed(running, whole)))
            taking = Taking(
                backup=running,
                database=database or self._databases.resolve(running.database),
                storage=self._storage,
                streams=self._streams,
                server=self._server,
                tools=self._tools,
                clock=self._clock,
                rules=self._rules,
                log=log,
                cancelled=cancelled,
                check_ours=check_ours,
                claim=claim,
            )
            finished, _ = taking.run()
            done = ended(finished, BackupStatus.COMPLETED, self._clock)
            return self._patiently(partial(record, self._catalog, done))
        except BaseException as error:
            if again is not None and again(error):
                self._hand_back(running, error, log, claim)
            else:
                record_failure(self._catalog, self._clock, running, error, log, claim)
            raise

    def _hand_back(self, running: Backup, error: BaseException, log: JobLog, claim: Claim) -> None:
        log.log(f"failed, and will be taken again: {error}")
        try:
            if isinstance(error, CatalogUnreachable) or claim.sealed:
                log.log(f"left for recovery in {running.folder}, where it may be whole")
            elif backup_is_ours(self._catalog, running.id):
                claim.remove()
                hand_back(self._catalog, running, self._clock.now())
            else:
                give_way(self._catalog, running, log, claim)
        except PgproofError as left:
            log.log(f"left for recovery in {running.folder}: {left}")

    def verify(self, backup_id: int, observer: Observer, *, cancelled: Event | None = None) -> Verification:
        """Hold the stored bytes to the manifest and SHA256SUMS, then read the table of contents.

        A backup that turns out to be damaged is not the last verified one any more, which retention always keeps.
        """
        backup = self._usable(backup_id)
        try:
            manifest, found = self._check_stored(backup, observer, cancelled or Event())
        except (IntegrityError, ObjectMissing):
            self._catalog.change_backup(backup_id, _damaged)
            raise
        verified = self._catalog.change_backup(backup_id, self._verified)
        return Verification(verified, manifest, found)

    def _check_stored(self, backup: Backup, observer: Observer, cancelled: Event) -> tuple[Manifest, TableOfContents]:
        observer.step("manifest")
        manifest = contents.read_manifest(self._storage, backup)
        contents.check_checksums(self._storage, backup.folder, manifest)
        for item in manifest.objects:
            observer.step(f"checksum of {item.name}")
            passed = partial(_passed, observer, item.size, cancelled)
            contents.check_object(self._storage, backup.folder, item, passed)
        observer.step("table of contents")
        client = self._tools.for_server(ServerVersion.parse(manifest.client_version))
        found = contents.read_contents(self._storage, self._streams, self._tools, client, backup.folder, manifest)
        if len(found.tables) < len(manifest.fingerprint.tables):
            raise ArchiveUnreadable(
                f"the archive holds the rows of {counted(len(found.tables), 'table')}, "
                f"the manifest counts {len(manifest.fingerprint.tables)}",
                hint="The backup is not whole. Use another one.",
            )
        return manifest, found

    def _verified(self, backup: Backup) -> Backup:
        check_usable(backup)
        return replace(backup, verified_at=self._clock.now())

    def hold(self, backup_id: int, *, held: bool) -> Backup:
        """Exempt a backup from every deletion until it is released, or end that exemption."""

        def change(backup: Backup) -> Backup:
            if held:
                check_usable(backup)
            return replace(backup, held=held, held_until=None)

        return self._catalog.change_backup(backup_id, change)

    def delete(self, backup_id: int) -> Backup:
        """Delete a backup for good; its row stays, as `deleted`."""
        return delete_backup(
            self._catalog,
            self._storage,
            backup_id,
            target=BackupStatus.DELETED,
            now=self._clock.now(),
            why="somebody asked for it",
        )

    def _usable(self, backup_id: int) -> Backup:
        backup = self._catalog.get_backup(backup_id)
        check_usable(backup)
        return backup


def _passed(observer: Observer, total: int, cancelled: Event, size: int) -> None:
    if cancelled.is_set():
        raise Cancelled("the job was cancelled")
    observer.progress(Progress(bytes_done=size, bytes_total=total))


def _damaged(backup: Backup) -> Backup:
    check_usable(backup)  # what somebody deletes meanwhile is not damaged
    return replace(backup, verified_at=None)


def check_usable(backup: Backup) -> None:
    """Raise `Conflict` unless a backup is whole and there."""
    if backup.being_deleted:
        raise Conflict(f"backup {backup.id} is being deleted", hint="Use another one; `pgproof list` shows them.")
    if not backup.usable:
        raise Conflict(
            f"backup {backup.id} is {backup.status}",
            hint="That needs a completed backup; `pgproof list` shows them.",
        )
