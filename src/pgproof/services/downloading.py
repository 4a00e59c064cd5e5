"""Downloading: copying a backup out of the storage, whole and checked, to take it elsewhere.

Nothing is owned meanwhile: a copy onto a slow disk, or into a pipe that nobody reads, must keep neither a restore nor
a cleanup waiting. Whoever deletes the backup meanwhile wins, and the download says so.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pgproof.domain.backup import Backup
from pgproof.domain.errors import CatalogError, ChecksumMismatch, IntegrityError, ObjectMissing
from pgproof.domain.manifest import StoredObject
from pgproof.services import contents
from pgproof.services.backups import check_usable
from pgproof.services.copied_texts import texts_of
from pgproof.services.ports import Catalog, Folders, Observer, Storage
from pgproof.services.target_folder import TargetFolder, told


@dataclass(frozen=True)
class Download:
    """A backup that lies in `folder` as well, whole. `copied` of its `objects` were not there yet; sizes in bytes.

    `warnings` tell what is not as it is stored: a text that was lost or edited is written anew.
    """

    backup: Backup
    folder: str
    objects: Sequence[StoredObject]
    copied: Sequence[StoredObject]
    warnings: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Of all objects."""
        return sum(item.size for item in self.objects)

    @property
    def size_copied(self) -> int:
        """Of those that were not there yet."""
        return sum(item.size for item in self.copied)


class DownloadService:
    """The use case of `pgproof download`. It changes neither catalog nor storage."""

    def __init__(self, *, catalog: Catalog, storage: Storage, folders: Folders) -> None:
        self._catalog = catalog
        self._storage = storage
        self._folders = folders

    def download(self, backup_id: int, to: Path, observer: Observer) -> Download:
        """Copy a backup into a folder of its own in `to`; what lies there already and is right is kept.

        Every byte is held to the manifest on its way, and the manifest comes last. A RESTORE.md that was lost or edited
        is written anew, and the result warns of it. Raises `Conflict` if something else lies there, or if the backup is
        deleted meanwhile, `InvalidInput` for a folder in the storage itself.
        """
        backup = self._usable(backup_id)
        folder = self._folders.open(to, self._storage)
        with self._noticing_deletion(backup_id):
            observer.step("manifest")
            manifest = contents.read_manifest(self._storage, backup)
            texts = texts_of(self._storage, backup.folder, manifest)
            objects = (*manifest.objects, *texts.objects)
            target = TargetFolder(self._folders, folder, backup.folder.rpartition("/")[2], objects)
            wanted = target.missing(observer)
            target.prepare(wanted)
            for item in wanted:
                observer.step(f"copy {item.name}")
                written = item.name in texts.anew
                target.store(item, texts.written(item.name) if written else self._read(backup, item, observer))
        return Download(backup, target.place, objects, wanted, texts.warnings)

    def stream(self, backup_id: int, observer: Observer) -> Generator[bytes, None, None]:
        """The stored archive. Whoever has read it all and sees no error has it whole.

        Raises what `download` raises: before the first byte where that can be known, `ChecksumMismatch` also after
        the last.
        """
        backup = self._usable(backup_id)
        with self._noticing_deletion(backup_id):
            observer.step("manifest")
            archive = contents.read_manifest(self._storage, backup).archive
            observer.step(f"copy {archive.name}")
            yield from _warning(self._read(backup, archive, observer))

    def _usable(self, backup_id: int) -> Backup:
        backup = self._catalog.get_backup(backup_id)
        check_usable(backup)
        return backup

    def _read(self, backup: Backup, item: StoredObject, observer: Observer) -> Generator[bytes, None, None]:
        return contents.read_checked(self._storage, backup.folder, item, told(observer, item))

    @contextmanager
    def _noticing_deletion(self, backup_id: int) -> Iterator[None]:
        """What is missing because somebody deletes the backup is a `Conflict`, and no damage."""
        try:
            yield
        except (IntegrityError, ObjectMissing):
            with suppress(CatalogError):  # then the first error is all that is known
                self._usable(backup_id)
            raise


def _warning(chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The same stream; an error after its first byte says that what has gone out is worth nothing."""
    begun = False
    try:
        for chunk in chunks:
            begun = True
            yield chunk
    except ChecksumMismatch as error:
        if not begun:
            raise
        hint = f"Throw away what has arrived. {error.hint}"
        raise ChecksumMismatch(error.detail, hint=hint, facts=error.facts) from error
    finally:
        chunks.close()
