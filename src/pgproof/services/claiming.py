"""Whose a folder is until its backup is whole.

Two installations can share a storage by mistake, and then give backups one name: the same database, the same number,
the same second, which is easy where both begin at 02:00. So whoever takes a backup marks its folder before anything
else, and nobody removes what another has marked, nor a manifest that another has written. Nothing here needs a storage
that can write only if absent: each writes his mark before he looks for others, so of two at least one sees the other.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from pgproof.domain.archive import MANIFEST
from pgproof.domain.backup import Backup
from pgproof.domain.errors import Conflict, ManifestInvalid, ObjectMissing, StorageError
from pgproof.domain.manifest import Manifest
from pgproof.services.ports import Catalog, Storage
from pgproof.services.removing import remove_objects

_MARK = "taken-by-"
_ATTEMPT_BYTES = 8


def mark_owner(name: str) -> str | None:
    """The installation that an object's name is a mark of, if it is one."""
    return name.removeprefix(_MARK).partition(".")[0] if name.startswith(_MARK) else None


@dataclass
class Claim:
    """The claim of one attempt to take a backup.

    `begun` is whether it may have stored anything, `sealed` whether that may be a whole backup.
    """

    storage: Storage
    folder: str
    installation: str
    attempt: str = field(default_factory=lambda: secrets.token_hex(_ATTEMPT_BYTES))
    begun: bool = False
    sealed: bool = False

    @classmethod
    def of(cls, catalog: Catalog, storage: Storage, backup: Backup) -> "Claim":
        """A new claim to the folder of a catalog's backup."""
        return cls(storage, backup.folder, catalog.installation())

    def make(self) -> None:
        """Mark the folder. Raises `Conflict`, and leaves it as it was, if anything lies there."""
        self._check_alone()
        self.begun = True
        self.storage.put(self._mark, [b"Whoever wrote this takes a backup into this folder.\n"])
        try:
            self._check_alone()
        except Conflict:
            self.storage.delete(self._mark)
            self.begun = False
            raise

    def seal(self) -> None:
        """From now on a manifest that lies there is ours. Raises `Conflict` if somebody else has marked the folder."""
        if self._marks_of_others(_keys(self.storage, self.folder)):
            raise self._conflict()
        self.sealed = True

    def release(self, tell: Callable[[str], None]) -> None:
        """Remove the mark. If that fails it is told: beside a manifest it does no harm, and goes with the backup."""
        if not self.begun:
            return
        try:
            self.storage.delete(self._mark)
        except StorageError as error:
            tell(f"the mark of this attempt stays in {self.folder}: {error}")

    def remove(self) -> None:
        """Remove what this attempt has stored. What somebody else has marked, or finished, stays."""
        keys = _keys(self.storage, self.folder) if self.begun else []
        others = self._marks_of_others(keys) or (f"{self.folder}/{MANIFEST}" in keys and not self.sealed)
        if others:
            self.storage.delete(self._mark)
        elif self.begun:
            remove_objects(self.storage, self.folder, last=self._mark)

    @property
    def _mark(self) -> str:
        return f"{self.folder}/{_MARK}{self.installation}.{self.attempt}"

    def _check_alone(self) -> None:
        if any(key != self._mark for key in _keys(self.storage, self.folder)):
            raise self._conflict()

    def _marks_of_others(self, keys: list[str]) -> bool:
        return any(mark_owner(_name(key)) is not None and key != self._mark for key in keys)

    def _conflict(self) -> Conflict:
        return Conflict(
            f"{self.storage.url} holds objects in {self.folder} that this backup has not stored",
            hint="If two installations share this storage, give each one a place of its own, with BACKUP_STORAGE_URL "
            "or BACKUP_DIR. If the catalog is an older one, restored: bring in what it does not know, with "
            "`pgproof catalog rebuild`. Nothing that lies there was touched; take the backup again.",
            facts={"folder": self.folder},
        )


def remove_left(storage: Storage, folder: str, installation: str) -> bool:
    """Remove what attempts of an installation have left that live no more; whether it was all that lay there.

    What bears the mark or the manifest of another installation stays: only our own marks are taken from it. So does
    what bears a manifest and no mark, because that was whole once.
    """
    keys = _keys(storage, folder)
    ours = [key for key in keys if mark_owner(_name(key)) == installation]
    if any(mark_owner(_name(key)) not in (None, installation) for key in keys) or not _is_removable(
        storage, folder, installation, marked=bool(ours), keys=keys
    ):
        for key in ours:
            storage.delete(key)
        return False
    remove_objects(storage, folder, last=next(iter(ours), ""))
    return True


def holds_manifest(storage: Storage, folder: str) -> bool:
    """Whether a manifest lies there, whoever's."""
    try:
        storage.stat(f"{folder}/{MANIFEST}")
    except ObjectMissing:
        return False
    return True


def _is_removable(storage: Storage, folder: str, installation: str, *, marked: bool, keys: list[str]) -> bool:
    if f"{folder}/{MANIFEST}" not in keys:
        return True
    try:
        manifest = Manifest.parse(b"".join(storage.read(f"{folder}/{MANIFEST}")))
    except (ManifestInvalid, ObjectMissing):
        return marked
    return marked and manifest.installation == installation


def _keys(storage: Storage, folder: str) -> list[str]:
    return [item.key for item in storage.list(f"{folder}/")]


def _name(key: str) -> str:
    return key.rpartition("/")[2]
