"""A lost catalog comes back from the manifests in the storage: every backup is a folder that describes itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pgproof.domain.archive import MANIFEST, ArchiveFormat
from pgproof.domain.backup import Backup, BackupStatus, BackupTrigger
from pgproof.domain.errors import Conflict, IntegrityError, ManifestInvalid, ObjectMissing, StorageError
from pgproof.domain.manifest import Manifest
from pgproof.services.orphans import StoredFolder, stored_folders
from pgproof.services.ports import BackupFilter, Catalog, Clock, Storage

# Holds are in no manifest, so a backup may have been held for good reasons that nobody can look up any more.
HELD_FOR = timedelta(days=7)
_ALL = 10_000_000


@dataclass(frozen=True)
class Rebuilt:
    """A backup that came back, or in a dry run would come back.

    `found_as` is the number in its manifest, `taken_by` the installation; old manifests name none.
    """

    backup: Backup
    found_as: int
    taken_by: str | None

    @property
    def renumbered(self) -> bool:
        """Whether its number was taken."""
        return self.backup.id != self.found_as


@dataclass(frozen=True)
class OtherInstallation:
    """One that took `backups` of those that came back, as their manifests tell; ``None`` where they name none.

    If it is still at work it relies on them, and what it holds is in no manifest.
    """

    installation: str | None
    backups: int
    databases: Sequence[str]


@dataclass(frozen=True)
class Unreadable:
    """A folder that looks like a backup's and did not become one again."""

    folder: str
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class Rebuilding:
    """What a rebuild has done. `databases` are to be registered: the manifests know neither address nor password.

    `known` counts the folders of backups that the catalog has already, `unfinished` names those without a manifest.
    """

    rebuilt: Sequence[Rebuilt]
    known: int
    unreadable: Sequence[Unreadable]
    unfinished: Sequence[str]
    databases: Sequence[str]
    others: Sequence[OtherInstallation]
    dry_run: bool


class RebuildService:
    """The use case of `pgproof catalog rebuild`. It adds rows and never changes one."""

    def __init__(self, *, catalog: Catalog, storage: Storage, clock: Clock) -> None:
        self._catalog = catalog
        self._storage = storage
        self._clock = clock

    def rebuild(self, *, dry_run: bool = False) -> Rebuilding:
        """Look through the storage, oldest backup first, and add what the catalog lacks."""
        known = {backup.folder for backup in self._every_backup()}
        rebuilt: list[Rebuilt] = []
        unreadable: list[Unreadable] = []
        stored = sorted(stored_folders(self._storage), key=lambda one: (one.taken_at, one.backup_id, one.folder))
        for found in stored:
            if found.folder in known or not found.has_manifest:
                continue
            try:
                manifest = self._manifest(found)
                backup = self._as_backup(found, manifest)
                taken = {one.backup.id for one in rebuilt}
                added = self._add(backup, taken, dry_run=dry_run)
                rebuilt.append(Rebuilt(added, manifest.backup_id, manifest.installation))
            except (IntegrityError, ObjectMissing, StorageError, Conflict) as error:
                unreadable.append(Unreadable(found.folder, error.detail, error.hint))
        registered = {database.name for database in self._catalog.list_databases()}
        present = {one.backup.database for one in rebuilt} | {one.database for one in self._catalog.present_backups()}
        return Rebuilding(
            rebuilt=rebuilt,
            known=sum(found.folder in known for found in stored),
            unreadable=unreadable,
            unfinished=[found.folder for found in stored if not found.has_manifest and found.folder not in known],
            databases=sorted(present - registered),
            others=_others(rebuilt, self._catalog.installation()),
            dry_run=dry_run,
        )

    def _every_backup(self) -> Sequence[Backup]:
        return self._catalog.list_backups(BackupFilter(limit=_ALL))

    def _manifest(self, found: StoredFolder) -> Manifest:
        """The manifest, held to the folder that it lies in and to the sizes of the objects beside it."""
        manifest = Manifest.parse(b"".join(self._storage.read(f"{found.folder}/{MANIFEST}")))
        stem = found.folder.rpartition("/")[2]
        if not manifest.archive.name.startswith(f"{stem}."):
            raise ManifestInvalid(
                f"the manifest speaks of {manifest.archive.name}, which is not this folder's archive",
                hint="Somebody moved objects between folders. Put them back, then run it again.",
            )
        for item in manifest.objects:
            stored = self._storage.stat(f"{found.folder}/{item.name}")
            if stored.size != item.size:
                raise ManifestInvalid(
                    f"{item.name} has {stored.size} bytes, recorded are {item.size}",
                    hint="It was damaged or cut short after it was stored. Another copy may be whole.",
                )
        return manifest

    def _as_backup(self, found: StoredFolder, manifest: Manifest) -> Backup:
        now = self._clock.now()
        archive, options = manifest.archive, manifest.options
        counted = len(manifest.fingerprint.tables) + len(manifest.excluded_data)
        return Backup(
            id=manifest.backup_id,
            database=manifest.database,
            filename=archive.name,
            file_path=f"{found.folder}/{archive.name}",
            storage_url=self._storage.url,
            options=options,
            compression=archive.compression,
            status=BackupStatus.COMPLETED,
            trigger_source=manifest.trigger or BackupTrigger.IMPORTED,
            created_at=found.taken_at,
            started_at=manifest.started_at,
            completed_at=manifest.completed_at,
            duration_seconds=_seconds(manifest.started_at, manifest.completed_at),
            file_size=archive.size,
            checksum_sha256=archive.sha256,
            database_size_bytes=manifest.database_size_bytes or None,
            tables_count=None if options.format is ArchiveFormat.PLAIN else counted,
            held=True,
            held_until=now + HELD_FOR,
        )

    def _add(self, backup: Backup, taken: set[int], *, dry_run: bool) -> Backup:
        if not dry_run:
            return self._catalog.adopt_backup(backup)
        highest = max([0, *taken, *(one.id for one in self._every_backup())])
        used = taken | {one.id for one in self._every_backup()}
        return replace(backup, id=highest + 1) if backup.id in used else backup


def _others(rebuilt: Sequence[Rebuilt], ours: str) -> Sequence[OtherInstallation]:
    theirs: dict[str | None, list[Backup]] = {}
    for one in rebuilt:
        if one.taken_by != ours:
            theirs.setdefault(one.taken_by, []).append(one.backup)
    return [
        OtherInstallation(name, len(backups), sorted({backup.database for backup in backups}))
        for name, backups in sorted(theirs.items(), key=lambda found: found[0] or "")
    ]


def _seconds(begin: datetime, end: datetime) -> int:
    return max(0, round((end - begin).total_seconds()))
