"""Folders that somebody names, as storages."""

import os
import pwd
from pathlib import Path

from pgproof.adapters.storage.failures import reading
from pgproof.adapters.storage.local import LocalStorage
from pgproof.domain.archive import MANIFEST
from pgproof.domain.errors import Conflict, InvalidInput, ObjectMissing
from pgproof.services.ports import Storage

_ROOT = 0


class LocalFolders:
    """The `Folders` port on this machine's file systems."""

    def open(self, path: Path, apart_from: Storage) -> Storage:
        """A storage in that folder. Raises `InvalidInput` if it is `apart_from`, lies in it, or cannot be named."""
        try:
            folder = path.expanduser().resolve()
        except (RuntimeError, OSError, ValueError) as error:
            raise InvalidInput(f"{str(path)!r} names no folder: {error}", hint="Name another folder.") from error
        stored = apart_from.local_path(MANIFEST)
        if stored is not None and _lies_in(folder, stored.parent.resolve()):
            raise InvalidInput(
                f"{folder} lies in the storage itself, {apart_from.url}",
                hint="Name a folder elsewhere, best on another disk or machine.",
            )
        return LocalStorage(folder)

    def check_owner(self, storage: Storage, name: str) -> None:
        """Raise `Conflict` if the folder `name` in there is another user's than ours or root's."""
        path = storage.local_path(name)
        if path is None:
            return
        try:
            with reading(path):
                owner = path.lstat().st_uid
        except ObjectMissing:  # then it will be made, and be ours
            return
        if owner not in {os.geteuid(), _ROOT}:
            raise Conflict(
                f"{path} belongs to another user, {_name(owner)}",
                hint="Its owner could exchange the copy later. Move that folder away, or name another place.",
                facts={"path": str(path), "owner": owner},
            )


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a user of another machine, or one that was removed
        return str(user)


def _lies_in(folder: Path, root: Path) -> bool:
    # One folder can have several names: mounted twice, or written otherwise where case does not count.
    return folder.is_relative_to(root) or any(_is_same(one, root) for one in (folder, *folder.parents))


def _is_same(one: Path, root: Path) -> bool:
    try:
        return one.samefile(root)
    except OSError:  # what is not there, or cannot be looked at, is not the storage that we read
        return False
