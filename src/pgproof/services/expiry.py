"""Cleaning up: what a retention policy would remove, and removing it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event
from typing import TypeVar

from pgproof.domain.backup import Backup, BackupStatus
from pgproof.domain.errors import Cancelled, Conflict, PgproofError
from pgproof.domain.removal_share import Removal, removals_beyond
from pgproof.domain.retention import Action, Decision, Facts, decide, decide_each
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.services.databases import DatabaseService
from pgproof.services.deleting import delete_backup, finish_deletion, lies_here
from pgproof.services.orphans import Orphans, StoredFolder, find_orphans, remove_unknown, stored_folders
from pgproof.services.ports import BackupFilter, Catalog, Clock, PostgresServer, Storage
from pgproof.services.undo_window import KeptDatabase, drop_kept, find_kept, undoable_until

_ALL = 10_000_000
_Removed = TypeVar("_Removed")


@dataclass(frozen=True)
class CleanupPlan:
    """What a cleanup would do at `now`. `too_much` says where it would remove more than it may at once."""

    now: datetime
    decisions: Mapping[str, Sequence[Decision]]
    kept_databases: Sequence[KeptDatabase]
    orphans: Orphans
    too_much: Sequence[Removal]

    def with_action(self, action: Action) -> Sequence[Decision]:
        """The decisions of one kind over all databases, the oldest backup of each database first."""
        return [
            decision
            for decided in self.decisions.values()
            for decision in reversed(decided)
            if decision.action is action
        ]

    @property
    def removals(self) -> Sequence[Decision]:
        """The decisions that remove something."""
        return [*self.with_action(Action.EXPIRE), *self.with_action(Action.FORGET)]

    @property
    def due_databases(self) -> Sequence[KeptDatabase]:
        """The kept databases that would be dropped."""
        return [kept for kept in self.kept_databases if kept.due]


@dataclass(frozen=True)
class Failure:
    """One thing that could not be removed now, and why; the next cleanup tries again."""

    what: str
    error: PgproofError


@dataclass(frozen=True)
class Sweep:
    """What a cleanup has removed, what it left alone because it had changed meanwhile, and what failed."""

    expired: Sequence[Backup]
    forgotten: Sequence[Backup]
    dropped: Sequence[KeptDatabase]
    removed: Sequence[StoredFolder]
    left_alone: Sequence[str]
    failures: Sequence[Failure]

    @property
    def freed(self) -> int:
        """Bytes of the archives and folders that went."""
        return sum(backup.file_size or 0 for backup in self.expired) + sum(found.size for found in self.removed)


class ExpiryService:
    """`max_share` (0 to 1) of the usable backups may go at once."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        storage: Storage,
        server: PostgresServer,
        databases: DatabaseService,
        clock: Clock,
        policy: RetentionPolicy,
        max_share: float,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._server = server
        self._databases = databases
        self._clock = clock
        self.policy = policy
        self.max_share = max_share

    def plan(self, now: datetime, *, database: str | None = None) -> CleanupPlan:
        """Decide about everything, or about all that is of one database; changes nothing."""
        stored = stored_folders(self._storage) if database is None else ()
        backups = [one for one in self._catalog.present_backups() if database in (None, one.database)]
        kept = [one for one in find_kept(self._catalog, now) if database in (None, one.restore.database)]
        decisions = decide_each(self.policy, backups, self._facts(backups, kept), now)
        return CleanupPlan(
            now=now,
            decisions=decisions,
            kept_databases=kept,
            orphans=find_orphans(stored, backups, now, self._catalog.installation()),
            too_much=removals_beyond(decisions, self.max_share),
        )

    def sweep(
        self,
        plan: CleanupPlan,
        *,
        force: bool = False,
        remove_orphans: bool = False,
        cancelled: Event | None = None,
    ) -> Sweep:
        """Carry out a plan, as far as it still holds; one failure does not keep anything else from going.

        Raises `Conflict`, and changes nothing, if the plan would remove too much and `force` is not given; and
        `Cancelled` between two removals.
        """
        if plan.too_much and not force:
            raise _too_much(plan.too_much, self.max_share)
        notes = _Notes(cancelled or Event())
        expired: list[Backup] = []
        forgotten: list[Backup] = []
        dropped: list[KeptDatabase] = []
        removed: list[StoredFolder] = []
        for name in plan.decisions:
            for decision in self._still_holding(name, plan):
                done = notes.attempt(f"backup {decision.backup.id} of {name}", partial(self._remove, decision))
                (expired if decision.action is Action.EXPIRE else forgotten).extend(done)
        for kept in plan.due_databases:
            dropped += notes.attempt(f"database {kept.name}", partial(self._drop, kept))
        for found in plan.orphans.removable if remove_orphans else ():
            removed += notes.attempt(f"folder {found.folder}", partial(self._remove_unknown, found))
        return Sweep(expired, forgotten, dropped, removed, notes.left_alone, notes.failures)

    def _still_holding(self, database: str, plan: CleanupPlan) -> Sequence[Decision]:
        """What the plan removes of a database and what is still to be removed, the oldest first."""
        planned = {one.backup.id for one in plan.decisions[database] if one.action is not Action.KEEP}
        if not planned:
            return []
        backups = self._catalog.list_backups(BackupFilter(limit=_ALL, database=database))
        kept = find_kept(self._catalog, plan.now)
        decided = decide(self.policy, backups, self._facts(backups, kept), plan.now)
        return [one for one in reversed(decided) if one.action is not Action.KEEP and one.backup.id in planned]

    def _facts(self, backups: Sequence[Backup], kept: Sequence[KeptDatabase]) -> Facts:
        unfinished = self._catalog.unfinished_restores()
        in_use = {restore.backup_id for restore in unfinished}
        in_use |= {restore.safety_backup_id for restore in unfinished if restore.safety_backup_id is not None}
        return Facts(
            in_use=frozenset(in_use | {test.backup_id for test in self._catalog.unfinished_restore_tests()}),
            elsewhere=frozenset(backup.id for backup in backups if not lies_here(self._storage, backup)),
            undoable_until=undoable_until(kept),
        )

    def _remove(self, decision: Decision) -> Backup:
        backup = decision.backup
        if backup.being_deleted:
            return finish_deletion(self._catalog, self._storage, backup.id)
        target = BackupStatus.EXPIRED if decision.action is Action.EXPIRE else BackupStatus.DELETED
        now = self._clock.now()
        return delete_backup(self._catalog, self._storage, backup.id, target=target, now=now, why=str(decision))

    def _drop(self, kept: KeptDatabase) -> KeptDatabase:
        drop_kept(self._catalog, self._server, self._databases, kept, self._clock.now())
        return kept

    def _remove_unknown(self, found: StoredFolder) -> StoredFolder:
        remove_unknown(self._storage, self._catalog, found)
        return found


class _Notes:
    """Goes on past what fails, and remembers it."""

    def __init__(self, cancelled: Event) -> None:
        self._cancelled = cancelled
        self.left_alone: list[str] = []
        self.failures: list[Failure] = []

    def attempt(self, what: str, remove: Callable[[], _Removed]) -> Sequence[_Removed]:
        if self._cancelled.is_set():
            raise Cancelled("the job was cancelled", hint="What was removed is removed; the next cleanup goes on.")
        try:
            return [remove()]
        except Conflict as changed:
            self.left_alone.append(f"{what}: {changed.detail}")
        except PgproofError as error:
            self.failures.append(Failure(what, error))
        return []


def _too_much(beyond: Sequence[Removal], max_share: float) -> Conflict:
    return Conflict(
        f"the cleanup would remove more than {max_share:.0%} of the usable backups at once, so it removed nothing",
        hint="See what it would remove: pgproof cleanup --dry-run. If that is right: pgproof cleanup --force;"
        " else correct the settings (or the clock).",
        facts={"beyond": [f"{one}" for one in beyond], "max_share": max_share},
    )
