"""Folders in the storage that look like a backup's and that no row of the catalog stands for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pgproof.domain.archive import MANIFEST, time_in_name
from pgproof.domain.backup import UNFINISHED, Backup
from pgproof.domain.errors import Conflict, NotFound
from pgproof.services.claiming import mark_owner, remove_left
from pgproof.services.ports import Catalog, Lock, Storage

# A backup that another installation takes at this moment has no manifest yet.
UNTOUCHED_FOR = timedelta(days=1)

_FOLDER = re.compile(r"(?P<folder>[^/]+/backup_(?P<taken>\d{8}_\d{6})_(?P<id>\d{1,19}))/(?P<name>.+)", re.DOTALL)


@dataclass(frozen=True)
class StoredFolder:
    """A backup's folder as it lies in the storage; `taken_at` and `backup_id` are what its name says.

    `marked_by` are the installations that take a backup into it, or died of it.
    """

    folder: str
    backup_id: int
    taken_at: datetime
    objects: int = 0
    size: int = 0
    has_manifest: bool = False
    marked_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Orphans:
    """Folders that no row stands for.

    `removable` have no manifest and are older than a day. `importable` are whole, `claimed` are those that would be
    removable but bear the mark of another installation: neither is ever removed.
    """

    removable: Sequence[StoredFolder]
    importable: Sequence[StoredFolder]
    claimed: Sequence[StoredFolder]


def find_orphans(
    stored: Sequence[StoredFolder], backups: Iterable[Backup], now: datetime, installation: str
) -> Orphans:
    """Tell the folders of `backups` from the others. Look at the storage first: what begins then has a row."""
    known = {backup.folder for backup in backups if _stands_for_objects(backup)}
    unknown = [folder for folder in stored if folder.folder not in known]
    left = [one for one in unknown if not one.has_manifest and now - one.taken_at > UNTOUCHED_FOR]
    return Orphans(
        removable=[one for one in left if one.marked_by <= {installation}],
        importable=[one for one in unknown if one.has_manifest],
        claimed=[one for one in left if not one.marked_by <= {installation}],
    )


def remove_unknown(storage: Storage, catalog: Catalog, found: StoredFolder) -> None:
    """Remove what a folder without a manifest holds. Raises `Conflict` if it has become a backup's."""
    with catalog.own(Lock.BACKUP, found.backup_id):
        now_there = stored_folders(storage, f"{found.folder}/")
        if _is_known(catalog, found) or any(one.has_manifest for one in now_there):
            raise Conflict(
                f"{found.folder} has become a backup meanwhile; nothing was removed",
                hint="Look at the plan again: pgproof cleanup --dry-run",
            )
        if not remove_left(storage, found.folder, catalog.installation()):
            raise Conflict(
                f"{found.folder} bears the mark of another installation, or became whole; nothing of that was removed",
                hint="Look at the plan again: pgproof cleanup --dry-run",
            )


def stored_folders(storage: Storage, prefix: str = "") -> Sequence[StoredFolder]:
    """All folders that have a name such as backups' folders have."""
    found: dict[str, StoredFolder] = {}
    for item in storage.list(prefix):
        match = _FOLDER.fullmatch(item.key)
        taken_at = time_in_name(match["taken"]) if match else None
        if match is None or taken_at is None:
            continue
        folder = match["folder"]
        before = found.get(folder) or StoredFolder(folder, int(match["id"]), taken_at)
        found[folder] = replace(
            before,
            objects=before.objects + 1,
            size=before.size + item.size,
            has_manifest=before.has_manifest or match["name"] == MANIFEST,
            marked_by=before.marked_by | {owner for owner in [mark_owner(match["name"])] if owner},
        )
    return list(found.values())


def _is_known(catalog: Catalog, found: StoredFolder) -> bool:
    try:
        backup = catalog.get_backup(found.backup_id)
    except NotFound:
        return False
    return backup.folder == found.folder and _stands_for_objects(backup)


def _stands_for_objects(backup: Backup) -> bool:
    return backup.usable or backup.being_deleted or backup.status in UNFINISHED
