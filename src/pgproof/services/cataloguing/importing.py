"""Making a backup of a dump that somebody else made: looked at first, then copied, never moved."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pgproof.domain.archive import MANIFEST, ArchiveFormat
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import Database, ServerVersion
from pgproof.domain.errors import (
    ChecksumMismatch,
    Conflict,
)
from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.domain.properties import UNKNOWN
from pgproof.domain.table_of_contents import TABLE_DATA, TableOfContents
from pgproof.services import contents
from pgproof.services.cataloguing.looking import LookedAt, Looking
from pgproof.services.claiming import Claim
from pgproof.services.finishing import record, record_failure
from pgproof.services.job_log import JobLog
from pgproof.services.measured import Measured
from pgproof.services.ports import (
    Catalog,
    ClientTools,
    Clock,
    DumpFiles,
    Lock,
    Observer,
    PostgresTools,
    Storage,
    Streams,
)
from pgproof.services.texts import texts_beside

_OWNERS = frozenset({"TABLE", "SEQUENCE", "VIEW", "MATERIALIZED VIEW"})
_UNQUOTED = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class ImportedDump:
    """A dump that is a backup now."""

    backup: Backup
    manifest: Manifest
    contents: TableOfContents


class ImportService:
    """The use case of `pgproof catalog import`."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        storage: Storage,
        streams: Streams,
        tools: PostgresTools,
        files: DumpFiles,
        clock: Clock,
        product_version: str,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._streams = streams
        self._tools = tools
        self._files = files
        self._looking = Looking(streams=streams, tools=tools, files=files)
        self._clock = clock
        self._product_version = product_version

    def bring_in(
        self, path: Path, database: Database, observer: Observer, *, description: str | None = None, held: bool = False
    ) -> ImportedDump:
        """Copy a dump into the storage as a completed backup of `database`.

        Raises `InvalidInput` for what is no dump of one database, `ArchiveUnreadable` for one that is not whole,
        `Conflict` for one that has been imported already. A failure leaves nothing in the storage.
        """
        observer.step("look at the dump")
        looked = self._looking.look(self._files.find(path), observer)
        self._refuse_twin(looked)
        options = BackupOptions(
            format=looked.form,
            compression=looked.compression,
            description=description or f"imported from {looked.dump.name}",
            fingerprint=FingerprintLevel.NONE,
        )
        begun = self._catalog.begin_backup(
            database.name,
            storage_url=self._storage.url,
            options=options,
            trigger=BackupTrigger.IMPORTED,
            now=self._clock.now(),
        )
        log = self._catalog, self._clock, Lock.BACKUP
        with begun as running, JobLog(*log, running.id, observer) as job_log:
            claim = Claim.of(self._catalog, self._storage, running)
            try:
                return self._store(running, database, looked, job_log, claim, held=held)
            except BaseException as error:
                record_failure(self._catalog, self._clock, running, error, job_log, claim)
                raise

    def _refuse_twin(self, looked: LookedAt) -> None:
        twin = next((one for one in self._catalog.present_backups() if one.checksum_sha256 == looked.sha256), None)
        if twin is not None and twin.usable:
            raise Conflict(
                f"{looked.dump.path} is here already, as backup {twin.id} of {twin.database}",
                hint=f"Look at it: pgproof show {twin.id}",
                facts={"backup_id": twin.id, "sha256": looked.sha256},
            )

    def _store(
        self, running: Backup, database: Database, looked: LookedAt, log: JobLog, claim: Claim, *, held: bool
    ) -> ImportedDump:
        log.step("copy")
        self._storage.check()
        claim.make()
        with closing(self._files.read(looked.dump)) as source:
            stored = Measured(source, lambda size: log.update(bytes_done=size, bytes_total=looked.size))
            self._storage.put(f"{running.folder}/{running.filename}", stored)
        if stored.sha256 != looked.sha256:
            raise ChecksumMismatch(
                f"{looked.dump.path} changed while it was copied", hint="Wait until it is finished, then import it."
            )
        archive = StoredObject(running.filename, stored.size, stored.sha256, looked.compression)
        manifest = replace(self._manifest(running, database, looked, archive), installation=claim.installation)
        log.step("read back")
        contents.check_object(self._storage, running.folder, archive)
        found = contents.read_contents(
            self._storage, self._streams, self._tools, looked.client, running.folder, manifest
        )
        log.step("manifest")
        for name, text in texts_beside(manifest):
            if name == MANIFEST:
                self._catalog.check_owned(Lock.BACKUP, running.id)
                claim.seal()
            self._storage.put(f"{running.folder}/{name}", [text.encode()])
        claim.release(log.log)
        done = replace(
            running,
            status=BackupStatus.COMPLETED,
            # When the dump was made: by that retention, alerts and people know how old the data are.
            started_at=looked.taken_at,
            completed_at=looked.taken_at,
            file_size=archive.size,
            checksum_sha256=archive.sha256,
            tables_count=sum(entry.kind == "TABLE" for entry in found.entries),
            verified_at=self._clock.now(),
            held=held,
        )
        return ImportedDump(record(self._catalog, done), manifest, found)

    def _manifest(self, running: Backup, database: Database, looked: LookedAt, archive: StoredObject) -> Manifest:
        origin = looked.contents.origin
        names = table_names(looked.contents, looked.form)
        return Manifest(
            product_version=self._product_version,
            backup_id=running.id,
            database=database.name,
            dbname=origin.dbname or database.connection.dbname,
            system_identifier="",
            server_version=_version(origin.server_version, looked.client),
            client_version=_version(origin.client_version, looked.client),
            snapshot="",
            started_at=looked.taken_at,
            completed_at=looked.taken_at,
            database_size_bytes=0,
            options=running.options,
            objects=(archive,),
            fingerprint=Fingerprint(tables=dict.fromkeys(names), level=FingerprintLevel.NONE),
            properties=UNKNOWN,
            roles=tuple(owners(looked.contents, looked.form)),
            table_oids=names if looked.form is not ArchiveFormat.PLAIN else {},
            trigger=BackupTrigger.IMPORTED,
            imported_from=looked.dump.name,
        )


def table_names(found: TableOfContents, form: ArchiveFormat) -> Mapping[str, int]:
    """Tables with rows, as far as the listing tells their names for sure, and their OIDs."""
    with_rows = [entry for entry in found.entries if entry.kind == TABLE_DATA]
    if form is ArchiveFormat.PLAIN:
        return {entry.label: entry.oid for entry in with_rows}
    split = [(entry.label.split(" "), entry.oid) for entry in with_rows]
    return {".".join(map(_quoted, words[:2])): oid for words, oid in split if len(words) == 3}


def owners(found: TableOfContents, form: ArchiveFormat) -> Sequence[str]:
    """Roles that own something, as far as the listing tells their names for sure."""
    if form is ArchiveFormat.PLAIN:
        return ()
    split = (entry.label.split(" ") for entry in found.entries if entry.kind in _OWNERS)
    return sorted({words[2] for words in split if len(words) == 3})


def _quoted(name: str) -> str:
    return name if _UNQUOTED.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _version(text: str, client: ClientTools) -> str:
    return str(ServerVersion.parse(text)) if text else str(client.version)
