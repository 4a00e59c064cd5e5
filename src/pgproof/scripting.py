"""pgproof in a program, with the types of what its calls return.

::

    import pgproof

    with pgproof.open() as backups:
        backup = backups.back_up("shop")
        backups.verify(backup.id)
"""

from collections.abc import Mapping
from typing import Unpack

from pgproof.domain.backup import Backup, BackupStatus
from pgproof.domain.database import Database
from pgproof.domain.restore import Restore, RestoreMode
from pgproof.domain.restore_test import RestoreTest, RestoreTestOutcome
from pgproof.entrypoints.scripting.databases import Databases
from pgproof.entrypoints.scripting.pgproof import Pgproof
from pgproof.entrypoints.scripting.watching import ProgressCallback
from pgproof.services.backups import Verification
from pgproof.services.downloading import Download
from pgproof.services.expiry import CleanupPlan, Sweep
from pgproof.services.ports import BackupStats, Progress
from pgproof.settings import SettingValues, load_settings

__all__ = [
    "Backup",
    "BackupStats",
    "BackupStatus",
    "CleanupPlan",
    "Database",
    "Databases",
    "Download",
    "Pgproof",
    "Progress",
    "ProgressCallback",
    "Restore",
    "RestoreMode",
    "RestoreTest",
    "RestoreTestOutcome",
    "Sweep",
    "Verification",
    "open",
]


def open(environ: Mapping[str, str] | None = None, **settings: Unpack[SettingValues]) -> Pgproof:  # noqa: A001 - as `gzip.open`
    """Open pgproof: its catalog, its storage, its tools.

    Settings by name win over `environ` (default: the process's environment) and over `.env` of the current folder.
    Raises `ConfigurationError` that lists every problem with them.
    """
    return Pgproof(load_settings(environ, given=settings))
