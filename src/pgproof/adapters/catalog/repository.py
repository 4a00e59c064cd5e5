"""The catalog port on PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.connect import make_engine
from pgproof.adapters.catalog.failures import translated
from pgproof.adapters.catalog.models import BackupRow, DatabaseRow, InstallationRow, LogRow, RestoreRow
from pgproof.adapters.catalog.ownership import Ownership, is_owned
from pgproof.adapters.catalog.restore_tests import RestoreTestRecords
from pgproof.adapters.catalog.rows import (
    backup_values,
    clean,
    connection_values,
    new_backup,
    restore_values,
    to_backup,
    to_database,
    to_restore,
)
from pgproof.domain.backup import GONE, USABLE, Backup, BackupOptions, BackupStatus, BackupTrigger, check_transition
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Conflict, NotFound, WorkerLost
from pgproof.domain.restore import (
    Restore,
    RestoreMode,
    RestoreOptions,
    RestoreStatus,
    RestoreStep,
    previous_name,
    shadow_name,
)
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import BackupFilter, BackupStats, Lock, Seal

_UNFINISHED_RESTORES = (RestoreStatus.RUNNING.value, RestoreStatus.UNDOING.value)
_KEEPING_RESTORES = (RestoreStatus.COMPLETED.value, RestoreStatus.UNDONE.value)
_LARGEST_ID = 2**63 - 1
_LISTS = {
    "backup": "`pgproof list` shows all backups with their numbers.",
    "restore": "`pgproof list --restores` shows all restores with their numbers.",
}
_Row = TypeVar("_Row", BackupRow, RestoreRow)


class PostgresCatalog(RestoreTestRecords):
    """The record of databases, backups and restores; `prepare_catalog` makes its tables.

    It connects when it is first asked. Threads may share it; `close` ends its idle sessions.
    """

    def __init__(self, connection: ConnectionInfo, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal
        self._engine = make_engine(connection)
        self._owned: dict[tuple[Lock, int], Ownership] = {}

    def close(self) -> None:
        """End the sessions of the pool."""
        self._engine.dispose()

    def installation(self) -> str:
        """What tells this catalog from every other."""
        with self._transaction() as session:
            return str(session.scalars(select(InstallationRow.id)).one())

    def add_database(self, name: str, connection: ConnectionInfo, *, from_settings: bool = False) -> Database:
        """Register a database; `Conflict` if the name is taken. The password is stored sealed."""
        statement = (
            insert(DatabaseRow)
            .values(name=name, from_settings=from_settings, **connection_values(connection, self._seal))
            .on_conflict_do_nothing(index_elements=["name"])
            .returning(DatabaseRow.id)
        )
        with self._transaction() as session:
            new_id = session.scalar(statement)
        if new_id is None:
            raise Conflict(
                f"a database named {in_quotes(name)} is registered already",
                hint="Choose another name, or remove that one first; its backups stay.",
            )
        return Database(new_id, name, connection, from_settings)

    def update_database(self, database: Database) -> None:
        """Store a registered database's connection anew, and whether it is the settings'."""
        values = {"from_settings": database.from_settings, **connection_values(database.connection, self._seal)}
        statement = update(DatabaseRow).where(DatabaseRow.name == database.name).values(**values)
        with self._transaction() as session:
            found = session.scalar(statement.returning(DatabaseRow.id))
        if found is None:
            raise _no_database(database.name)

    def get_database(self, name: str) -> Database:
        """The registered database of that name."""
        with self._transaction() as session:
            row = session.scalar(select(DatabaseRow).where(DatabaseRow.name == clean(name)))
            if row is None:
                raise _no_database(name)
            return to_database(row, self._seal)

    def list_databases(self) -> Sequence[Database]:
        """All registered databases by name."""
        with self._transaction() as session:
            rows = session.scalars(select(DatabaseRow))
            # Sorted here: the server's collation differs from machine to machine.
            return sorted((to_database(row, self._seal) for row in rows), key=lambda database: database.name)

    def remove_database(self, name: str) -> None:
        """Forget a database. Its backups stay."""
        with self._transaction() as session:
            row = session.scalar(select(DatabaseRow).where(DatabaseRow.name == clean(name)))
            if row is None:
                raise _no_database(name)
            session.delete(row)

    def create_backup(
        self, database: str, *, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
    ) -> Backup:
        """A new pending backup; its id, and with it its names, come from the catalog."""
        with self._transaction() as session:
            backup = new_backup(_next_backup_id(session), database, storage_url, options, trigger, now)
            session.add(BackupRow(id=backup.id, **backup_values(backup)))
        return backup

    @contextmanager
    def begin_backup(
        self, database: str, *, storage_url: str, options: BackupOptions, trigger: BackupTrigger, now: datetime
    ) -> Iterator[Backup]:
        """A new running backup, for the length of a `with` block owned; nobody sees it before it is."""
        with self._transaction() as session:
            new_id = _next_backup_id(session)
        with self.own(Lock.BACKUP, new_id):
            pending = new_backup(new_id, database, storage_url, options, trigger, now)
            running = replace(pending, status=BackupStatus.RUNNING, started_at=now)
            with self._transaction() as session:
                session.add(BackupRow(id=new_id, **backup_values(running)))
            yield running

    def get_backup(self, backup_id: int) -> Backup:
        """The backup of that id."""
        with self._transaction() as session:
            return to_backup(_found(session, BackupRow, backup_id, "backup"))

    def save_backup(self, backup: Backup, *, expected: BackupStatus) -> None:
        """Store every field of a backup whose stored status is `expected`; else `Conflict`."""
        if backup.status != expected:
            check_transition(expected, backup.status)
        statement = (
            update(BackupRow)
            .where(BackupRow.id == _checked_id(backup.id, "backup"), BackupRow.status == expected)
            .values(**backup_values(backup))
            .returning(BackupRow.id)
        )
        with self._transaction() as session:
            if session.scalar(statement) is None:
                stored = _found(session, BackupRow, backup.id, "backup")
                raise Conflict(
                    f"backup {backup.id} is {stored.status}, not {expected}",
                    hint="Somebody else changed it meanwhile: look at it again.",
                )

    def change_backup(self, backup_id: int, change: Callable[[Backup], Backup]) -> Backup:
        """Store what `change` makes of the stored backup, and return it; nobody changes it in between."""
        with self._transaction() as session:
            row = _found(session, BackupRow, backup_id, "backup", lock=True)
            stored = to_backup(row)
            changed = change(stored)
            if changed.status != stored.status:
                check_transition(stored.status, changed.status)
            for column, value in backup_values(changed).items():
                setattr(row, column, value)
        return changed

    def list_backups(self, wanted: BackupFilter) -> Sequence[Backup]:
        """The newest first."""
        statement = select(BackupRow).order_by(BackupRow.created_at.desc(), BackupRow.id.desc())
        if wanted.status is not None:
            statement = statement.where(BackupRow.status == wanted.status)
        if wanted.database is not None:
            statement = statement.where(BackupRow.database == clean(wanted.database))
        if wanted.trigger_source is not None:
            statement = statement.where(BackupRow.trigger_source == wanted.trigger_source)
        with self._transaction() as session:
            return [to_backup(row) for row in session.scalars(statement.limit(wanted.limit))]

    def present_backups(self) -> Sequence[Backup]:
        """All that are neither expired nor deleted, the oldest first."""
        statement = select(BackupRow).where(BackupRow.status.not_in(GONE))
        with self._transaction() as session:
            rows = session.scalars(statement.order_by(BackupRow.created_at, BackupRow.id))
            return [to_backup(row) for row in rows]

    def unfinished_deletions(self) -> Sequence[Backup]:
        """All that are being deleted, the oldest deletion first."""
        statement = select(BackupRow).where(BackupRow.deletion_started_at.is_not(None), BackupRow.status.not_in(GONE))
        with self._transaction() as session:
            rows = session.scalars(statement.order_by(BackupRow.deletion_started_at, BackupRow.id))
            return [to_backup(row) for row in rows]

    def backup_stats(self) -> BackupStats:
        """Totals for the overview."""
        usable = and_(BackupRow.status.in_(USABLE), BackupRow.deletion_started_at.is_(None))
        statement = select(
            func.count().filter(BackupRow.status.not_in(GONE)),
            func.count().filter(usable),
            func.sum(BackupRow.file_size).filter(usable),
            func.max(BackupRow.completed_at).filter(usable),
        )
        with self._transaction() as session:
            total, completed, size, latest = session.execute(statement).one()
        return BackupStats(total, completed, int(size or 0), latest)

    def create_restore(self, backup: Backup, dbname: str, options: RestoreOptions, now: datetime) -> Restore:
        """A new running restore at its first step, with the names of its databases."""
        with self._transaction() as session:
            _found(session, BackupRow, backup.id, "backup")
            new_id = session.scalars(select(func.nextval("pgproof.restore_jobs_id_seq"))).one()
            restore = Restore(
                id=new_id,
                backup_id=backup.id,
                database=backup.database,
                options=options,
                status=RestoreStatus.RUNNING,
                step=RestoreStep.PREFLIGHT,
                created_at=now,
                dbname=dbname,
                shadow_database=shadow_name(dbname, new_id),
                previous_database=previous_name(dbname, new_id) if options.mode is RestoreMode.SWAP else None,
                started_at=now,
            )
            session.add(RestoreRow(id=new_id, **restore_values(restore)))
        return restore

    def get_restore(self, restore_id: int) -> Restore:
        """The restore of that id."""
        with self._transaction() as session:
            return to_restore(_found(session, RestoreRow, restore_id, "restore"))

    def save_restore(self, restore: Restore, *, expected: RestoreStatus | None = None) -> None:
        """Store every field; where a status is `expected`, of a restore whose stored status it is, else `Conflict`."""
        with self._transaction() as session:
            row = _found(session, RestoreRow, restore.id, "restore", lock=True)
            if expected is not None and row.status != expected:
                raise Conflict(
                    f"restore {restore.id} is {row.status}, not {expected}",
                    hint="Somebody else changed it meanwhile: look at it again.",
                )
            for column, value in restore_values(restore).items():
                setattr(row, column, value)

    def list_restores(self, limit: int = 50, *, database: str | None = None) -> Sequence[Restore]:
        """The newest first; only those of the backups of one database where that is given."""
        statement = select(RestoreRow).order_by(RestoreRow.created_at.desc(), RestoreRow.id.desc())
        if database is not None:
            statement = statement.where(RestoreRow.database == clean(database))
        with self._transaction() as session:
            return [to_restore(row) for row in session.scalars(statement.limit(limit))]

    def unfinished_restores(self) -> Sequence[Restore]:
        """All that are `running` or `undoing`, the oldest first."""
        statement = select(RestoreRow).where(RestoreRow.status.in_(_UNFINISHED_RESTORES))
        with self._transaction() as session:
            rows = session.scalars(statement.order_by(RestoreRow.created_at, RestoreRow.id))
            return [to_restore(row) for row in rows]

    def keeping_restores(self) -> Sequence[Restore]:
        """All that keep a database beside the live one and have an undo window, the oldest first."""
        statement = select(RestoreRow).where(
            RestoreRow.undo_until.is_not(None),
            RestoreRow.databases_dropped_at.is_(None),
            RestoreRow.status.in_(_KEEPING_RESTORES),
        )
        with self._transaction() as session:
            rows = session.scalars(statement.order_by(RestoreRow.created_at, RestoreRow.id))
            return [restore for row in rows if (restore := to_restore(row)).kept_database is not None]

    def append_log(self, kind: Lock, job_id: int, lines: Sequence[str], now: datetime) -> None:
        """Add lines to the log of a backup or a restore."""
        if lines:
            with self._transaction() as session:
                session.add(LogRow(kind=kind.name.lower(), job_id=job_id, logged_at=now, lines=clean(list(lines))))

    def read_log(self, kind: Lock, job_id: int) -> Sequence[str]:
        """The log's lines in their order."""
        statement = select(LogRow.lines).where(LogRow.kind == kind.name.lower(), LogRow.job_id == job_id)
        with self._transaction() as session:
            return [line for lines in session.scalars(statement.order_by(LogRow.id)) for line in lines]

    @contextmanager
    def own(self, kind: Lock, job_id: int) -> Iterator[None]:
        """Own a job for the length of a `with` block; `Conflict` if somebody else does."""
        ownership = Ownership(self._connection, kind, job_id)
        # Its session may be lost, then the server would let a second thread of ours have the job.
        if self._owned.setdefault((kind, job_id), ownership) is not ownership:
            raise ownership.conflict()
        try:
            ownership.take()
            yield
        finally:
            del self._owned[kind, job_id]
            ownership.release()

    def check_owned(self, kind: Lock, job_id: int) -> None:
        """Raise `WorkerLost` unless we still own the job."""
        ownership = self._owned.get((kind, job_id))
        if ownership is None:
            raise WorkerLost(f"nobody here owns {kind.name.lower()} {job_id}", hint="Start it again.")
        ownership.check()

    def is_owned(self, kind: Lock, job_id: int) -> bool:
        """Whether some living process owns the job."""
        return is_owned(self._connection, kind, job_id)

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with translated(self._connection), Session(self._engine) as session, session.begin():
            yield session


def _next_backup_id(session: Session) -> int:
    number: int = session.scalars(select(func.nextval("pgproof.backup_jobs_id_seq"))).one()
    return number


def _found(session: Session, kind: type[_Row], key: int, what: str, *, lock: bool = False) -> _Row:
    row = session.get(kind, _checked_id(key, what), with_for_update=lock)
    if row is None:
        raise _not_found(key, what)
    return row


def _checked_id(key: int, what: str) -> int:
    if not 0 < key <= _LARGEST_ID:
        raise _not_found(key, what)
    return key


def _not_found(key: int, what: str) -> NotFound:
    return NotFound(f"the catalog has no {what} {key}", hint=_LISTS[what])


def _no_database(name: str) -> NotFound:
    return NotFound(
        f"no database named {in_quotes(name)} is registered", hint="`pgproof database list` shows the registered ones."
    )
