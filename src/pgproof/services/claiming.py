"""Whose a folder is until its backup is whole.

Two installations can share a storage by mistake, and then give backups one name: the same database, the same number,
the same second, which is easy where both begin at 02:00. So whoever takes a backup marks its folder before anything
else, and nobody removes what he has not marked. Nothing here needs a storage that can write only if absent: each
writes his mark before he looks for others, so of two at least one sees the other.
"""

from dataclasses import dataclass

from pgproof.domain.archive import MANIFEST
from pgproof.domain.backup import Backup
from pgproof.domain.errors import Conflict, ManifestInvalid, ObjectMissing
from pgproof.domain.manifest import Manifest
from pgproof.services.ports import Catalog, Storage
from pgproof.services.removing import remove_objects

_MARK = "taken-by-"


@dataclass
class Claim:
    """The claim of an installation to a folder. Every method may be called again after a crash.

    `made` is whether this very claim was made: then what lies there is ours also if another process of ours, which
    took us for dead, has removed the mark.
    """

    storage: Storage
    folder: str
    installation: str
    made: bool = False

    @classmethod
    def of(cls, catalog: Catalog, storage: Storage, backup: Backup) -> "Claim":
        """A catalog's claim to the folder of one of its backups."""
        return cls(storage, backup.folder, catalog.installation())

    def make(self) -> None:
        """Mark the folder. Raises `Conflict`, and leaves it as it was, if anything lies there."""
        self._check_alone()
        self._put_mark()
        try:
            self._check_alone()
        except Conflict:
            self.storage.delete(self._mark)
            raise
        self.made = True

    def release(self) -> None:
        """Remove the mark: from now on the manifest tells whose the backup is."""
        self.storage.delete(self._mark)

    def holds_manifest(self) -> bool:
        """Whether a manifest lies there that is ours."""
        return self._manifest_owner() == self.installation

    def remove_objects(self) -> None:
        """Remove what we have stored, and nothing that another has."""
        keys = self._keys()
        if any(self._is_anothers(key) for key in keys):
            self.storage.delete(self._mark)
        elif not keys or self.made or self._mark in keys or self.holds_manifest():
            if keys:
                self._put_mark()  # the manifest goes first, and what is left must still be known as ours
            remove_objects(self.storage, self.folder, last=self._mark)

    @property
    def _mark(self) -> str:
        return f"{self.folder}/{_MARK}{self.installation}"

    def _put_mark(self) -> None:
        self.storage.put(self._mark, [b"Whoever wrote this takes a backup into this folder.\n"])

    def _keys(self) -> list[str]:
        return [item.key for item in self.storage.list(f"{self.folder}/")]

    def _check_alone(self) -> None:
        if any(key != self._mark for key in self._keys()):
            raise Conflict(
                f"{self.storage.url} holds objects in {self.folder} already, which this backup has not stored",
                hint="Two installations share this storage: give each one a place of its own, with BACKUP_STORAGE_URL "
                "or BACKUP_DIR. Nothing that lies there was touched.",
                facts={"folder": self.folder},
            )

    def _is_anothers(self, key: str) -> bool:
        name = key.removeprefix(f"{self.folder}/")
        if name == MANIFEST:
            return self._manifest_owner() not in (self.installation, None)
        return name.startswith(_MARK) and key != self._mark

    def _manifest_owner(self) -> str | None:
        """`None` where there is no manifest that names one."""
        try:
            return Manifest.parse(b"".join(self.storage.read(f"{self.folder}/{MANIFEST}"))).installation
        except (ObjectMissing, ManifestInvalid):
            return None
