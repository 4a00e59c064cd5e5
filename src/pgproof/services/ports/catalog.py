"""The record of databases, backups, restores and restore tests, and the seal for its secrets."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import DEFAULT_GROUP, ConnectionInfo, Database
from pgproof.domain.restore import Restore, RestoreOptions, RestoreStatus
from pgproof.domain.restore_test import RestoreTest
from pgproof.services.ports.jobs import Lock


@dataclass(frozen=True)
class Position:
    """A place in a list that is ordered by a time and then by id, newest first: the last one that was shown."""

    at: datetime
    id: int


@dataclass(frozen=True)
class BackupFilter:
    """Which backups to list, newest first; ``None`` does not filter.

    `text` finds those with, for each of its words, a word in description, database or filename that begins so.
    `after` goes on behind a backup, which need not be there any more.
    """

    limit: int = 50
    status: BackupStatus | None = None
    database: str | None = None
    trigger_source: BackupTrigger | None = None
    text: str | None = None
    after: Position | None = None


@dataclass(frozen=True)
class BackupStats:
    """Totals for the overview; `total_size` in bytes.

    `total_backups` counts all that are not expired or deleted. The rest is of the usable ones (`completed`
    and `restored`, and not being deleted); `latest_backup_at` is when the last of them was completed.
    """

    total_backups: int
    completed_backups: int
    total_size: int
    latest_backup_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedBackup:
    """What a list shows of a `Backup`, under the same names. `file_size` is in bytes."""

    id: int
    database: str
    filename: str
    file_size: int | None
    status: BackupStatus
    deletion_started_at: datetime | None
    created_at: datetime
    completed_at: datetime | None
    duration_seconds: int | None
    description: str | None
    trigger_source: BackupTrigger
    proven_at: datetime | None


@dataclass(frozen=True)
class BackupPage:
    """Some backups of a list, the newest first, and how many the whole list has."""

    backups: Sequence[ListedBackup]
    total: int


class Catalog(Protocol):
    """The record of databases, backups and restores.

    Every method is one short transaction. All raise `CatalogUnreachable` when the catalog does not
    answer; lookups by id or name raise `NotFound`.
    """

    def installation(self) -> str:
        """What tells this catalog from every other: made with it, and never changed."""

    def add_database(
        self, name: str, connection: ConnectionInfo, *, from_settings: bool = False, group: str = DEFAULT_GROUP
    ) -> Database:
        """Register a database; `Conflict` if the name is taken. The password is stored sealed."""

    def update_database(self, database: Database) -> None:
        """Store a registered database's connection and worker group anew, and whether it is the settings'."""

    def get_database(self, name: str) -> Database:
        """The registered database of that name."""

    def list_databases(self) -> Sequence[Database]:
        """All registered databases by name."""

    def remove_database(self, name: str) -> None:
        """Forget a database. Its backups stay, in the catalog and in the storage, under its name."""

    def create_backup(
        self,
        database: str,
        *,
        storage_url: str,
        options: BackupOptions,
        trigger: BackupTrigger,
        now: datetime,
    ) -> Backup:
        """A new pending backup; its id, and with it its names, come from the catalog."""

    def begin_backup(
        self,
        database: str,
        *,
        storage_url: str,
        options: BackupOptions,
        trigger: BackupTrigger,
        now: datetime,
    ) -> AbstractContextManager[Backup]:
        """A new running backup, for the length of a `with` block owned; nobody sees it before it is."""

    def adopt_backup(self, backup: Backup) -> Backup:
        """A new row for a backup that was found in a storage; never one in the place of another.

        It keeps its number where that is free, else it gets a new one; later backups get higher ones. `Conflict`
        if a backup of its file name is known.
        """

    def get_backup(self, backup_id: int) -> Backup:
        """The backup of that id."""

    def save_backup(self, backup: Backup, *, expected: BackupStatus) -> None:
        """Store every field of a backup whose stored status is `expected`; else `Conflict`."""

    def change_backup(self, backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
        """Store what `change` makes of the stored backup, and return it; nobody changes it in between.

        What `change` raises comes out, and nothing is stored. `Conflict` for a transition that is not legal.
        """

    def list_backups(self, wanted: BackupFilter) -> Sequence[Backup]:
        """The newest first."""

    def backup_page(self, wanted: BackupFilter) -> BackupPage:
        """The same with how many there would be without `limit` and `after`."""

    def present_backups(self) -> Sequence[Backup]:
        """All that are neither expired nor deleted, the oldest first."""

    def unfinished_deletions(self) -> Sequence[Backup]:
        """All that are being deleted, the oldest deletion first."""

    def backup_stats(self) -> BackupStats:
        """Totals for the overview."""

    def create_restore(self, backup: Backup, dbname: str, options: RestoreOptions, now: datetime) -> Restore:
        """A new running restore at its first step, with the names of its databases.

        `dbname` is where it ends up. Only a swap keeps a previous database.

        `database` of the restore is the backup's: the registered name.
        """

    def get_restore(self, restore_id: int) -> Restore:
        """The restore of that id."""

    def save_restore(self, restore: Restore, *, expected: RestoreStatus | None = None) -> None:
        """Store every field; where a status is `expected`, of a restore whose stored status it is, else `Conflict`."""

    def list_restores(
        self, limit: int = 50, *, database: str | None = None, after: Position | None = None
    ) -> Sequence[Restore]:
        """The newest first; only those of the backups of one database where that is given."""

    def unfinished_restores(self) -> Sequence[Restore]:
        """All that are `running` or `undoing`, the oldest first."""

    def keeping_restores(self) -> Sequence[Restore]:
        """All that keep a database beside the live one and have an undo window, the oldest first."""

    def create_restore_test(self, backup: Backup, now: datetime) -> RestoreTest:
        """A new running restore test of a backup, at its first step."""

    def get_restore_test(self, test_id: int) -> RestoreTest:
        """The restore test of that id."""

    def save_restore_test(self, test: RestoreTest) -> None:
        """Store every field."""

    def list_restore_tests(
        self, limit: int = 50, *, backup_id: int | None = None, after: Position | None = None
    ) -> Sequence[RestoreTest]:
        """The newest first; of one backup where it is given."""

    def unfinished_restore_tests(self) -> Sequence[RestoreTest]:
        """All that are `running`, the oldest first."""

    def append_log(self, kind: Lock, job_id: int, lines: Sequence[str], now: datetime) -> None:
        """Add lines to the log of a backup or a restore."""

    def read_log(self, kind: Lock, job_id: int) -> Sequence[str]:
        """The log's lines in their order."""

    def forget_logs(self, before: datetime, limit: int) -> int:
        """Forget at most `limit` pieces of the logs of backups whose deletion began before that moment and is done.

        The logs of their restore tests go with them. Returns how many pieces went; the records themselves stay.
        """

    def own(self, kind: Lock, job_id: int) -> AbstractContextManager[None]:
        """Own a job for the length of a `with` block; `Conflict` if somebody else does.

        Ownership ends with the process that holds it, however it ends.
        """

    def check_owned(self, kind: Lock, job_id: int) -> None:
        """Raise `WorkerLost` unless a job that we began to `own` is still ours.

        Ownership can be lost behind the back of its owner, with its session. Then it is taken again, unless
        another process was quicker; what that one did while nobody owned the job, the job's row tells.
        """

    def keep_owned(self) -> None:
        """Take again, without delay, what this process owns and whose session was lost.

        Whoever does so every second is not taken for dead because of the catalog. What somebody else has by now,
        and a catalog that is away, `check_owned` reports.
        """

    def is_owned(self, kind: Lock, job_id: int) -> bool:
        """Whether some living process owns the job."""


class Seal(Protocol):
    """Keeps secrets that must be stored."""

    def seal(self, text: str) -> bytes:
        """An encrypted, authenticated form."""

    def open(self, sealed: bytes) -> str:
        """What was sealed. Raises `ConfigurationError` if the key is another one."""
