"""Emptying a backup's folder, so that a crash at any point leaves nothing that looks whole and is not."""

from pgproof.domain.archive import MANIFEST
from pgproof.domain.errors import StorageError
from pgproof.domain.wording import counted
from pgproof.services.ports import Storage

_NAMED = 5


def remove_objects(storage: Storage, folder: str, *, last: str = "") -> None:
    """Remove all that a folder holds, the manifest first and the key `last` last, and see that nothing is left."""
    prefix = f"{folder}/"
    manifest = f"{prefix}{MANIFEST}"
    for key in sorted((item.key for item in storage.list(prefix)), key=lambda key: (key == last, key != manifest)):
        storage.delete(key)
    storage.discard_unfinished(prefix)
    left = [item.key for item in storage.list(prefix)]
    if left:
        raise StorageError(
            f"{storage.url} still lists {counted(len(left), 'object')} of {folder} after they were deleted",
            hint="See whether it keeps deleted objects (versions, object lock), then run: pgproof cleanup",
            facts={"objects": left[:_NAMED]},
        )
