"""A backup with all of its objects, for tests that need no database behind it."""

import hashlib
from dataclasses import replace

from pgproof.domain.archive import Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.manifest import StoredObject
from pgproof.services.texts import texts_beside
from tests.command_line import MANIFEST, NOW
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage

ARCHIVE = bytes(range(256)) * 40
GLOBALS = b"CREATE ROLE app;\n"


def stored_whole(catalog: MemoryCatalog, storage: MemoryStorage) -> Backup:
    """A completed backup whose folder is as `Taking` leaves it."""
    made = catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    catalog.change_backup(made.id, lambda one: replace(one, status=BackupStatus.RUNNING))
    sha256 = hashlib.sha256(ARCHIVE).hexdigest()
    backup = catalog.change_backup(
        made.id,
        lambda one: replace(
            one, status=BackupStatus.COMPLETED, file_size=len(ARCHIVE), checksum_sha256=sha256, completed_at=NOW
        ),
    )
    objects = (
        StoredObject(backup.filename, len(ARCHIVE), sha256, Compression.ZSTD),
        StoredObject("globals.sql.zst", len(GLOBALS), hashlib.sha256(GLOBALS).hexdigest(), Compression.ZSTD),
    )
    storage.put(backup.file_path, [ARCHIVE])
    storage.put(f"{backup.folder}/globals.sql.zst", [GLOBALS])
    for name, text in texts_beside(replace(MANIFEST, backup_id=backup.id, objects=objects)):
        storage.put(f"{backup.folder}/{name}", [text.encode()])
    return backup
