"""Owning a database while something is put in its place, and noticing when a job is not ours any more."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pgproof.domain.backup import BackupStatus
from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict, WorkerLost
from pgproof.domain.restore import Restore, RestoreStatus
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import Catalog, Lock


@contextmanager
def owning_database(catalog: Catalog, database: Database) -> Iterator[None]:
    """Own a database for the length of a `with` block; `Conflict`, under its name, if somebody else does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(catalog.own(Lock.DATABASE, database.id))
        except Conflict as taken:
            raise Conflict(
                f"another process works on the database {in_quotes(database.name)}",
                hint="Wait until it ends; `pgproof list --restores` shows what it does. "
                "A process that died holds nothing.",
            ) from taken
        yield


def check_backup_is_ours(catalog: Catalog, backup_id: int) -> None:
    """Raise `WorkerLost` if the backup that we take is another process's now, or was settled by one."""
    catalog.check_owned(Lock.BACKUP, backup_id)
    status = catalog.get_backup(backup_id).status
    if status is not BackupStatus.RUNNING:
        raise _settled(f"backup {backup_id}", status)


def backup_is_ours(catalog: Catalog, backup_id: int) -> bool:
    """Whether no other process has taken the backup over or settled it."""
    try:
        check_backup_is_ours(catalog, backup_id)
    except WorkerLost:
        return False
    return True


def check_restore_is_ours(catalog: Catalog, restore: Restore, database: Database) -> None:
    """Raise `WorkerLost` if the restore, its backup or its database is another process's now."""
    catalog.check_owned(Lock.DATABASE, database.id)
    catalog.check_owned(Lock.BACKUP, restore.backup_id)
    catalog.check_owned(Lock.RESTORE, restore.id)
    status = catalog.get_restore(restore.id).status
    if status is not RestoreStatus.RUNNING:
        raise _settled(f"restore {restore.id}", status)


def save_if_ours(catalog: Catalog, restore: Restore) -> None:
    """Store a running restore. Raises `WorkerLost` if another process has settled it."""
    try:
        catalog.save_restore(restore, expected=RestoreStatus.RUNNING)
    except Conflict as settled:
        raise _settled(f"restore {restore.id}", catalog.get_restore(restore.id).status) from settled


def _settled(what: str, status: str) -> WorkerLost:
    return WorkerLost(
        f"{what} is {status}: another process has settled it while we were cut off from the catalog",
        hint="Start it again.",
    )
