"""A restore in the making: its ports, what it works on, its record, its log."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from pgproof.domain.backup import Backup
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Cancelled
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStep
from pgproof.services.job_log import JobLog
from pgproof.services.owning import check_restore_is_ours, save_if_ours
from pgproof.services.ports import Catalog, Clock, PostgresServer, PostgresTools, Storage, Streams


@dataclass(frozen=True)
class World:
    """The ports that a restore works with."""

    catalog: Catalog
    storage: Storage
    streams: Streams
    server: PostgresServer
    tools: PostgresTools
    clock: Clock


@dataclass(frozen=True)
class Subject:
    """A backup, the database that it is to end up in, and how. `makes` names the databases that come of it.

    Their names have a restore's number: one that is only thought about has none yet.
    """

    world: World
    backup: Backup
    database: Database
    dbname: str
    options: RestoreOptions
    makes: tuple[str, ...] = ()

    @property
    def live(self) -> ConnectionInfo:
        """The database that the restore is to end up in, whether it exists yet or not."""
        return self.database.connection.to_database(self.dbname)


@dataclass
class Work:
    """One restore; `restore` is its record as it goes on."""

    restore: Restore
    backup: Backup
    database: Database
    world: World
    log: JobLog
    cancelled: Event
    _begun_at: float | None = None

    @property
    def subject(self) -> Subject:
        """What the restore works on."""
        made = (self.restore.shadow_database, self.restore.previous_database)
        return Subject(
            world=self.world,
            backup=self.backup,
            database=self.database,
            dbname=self.restore.dbname,
            options=self.restore.options,
            makes=tuple(name for name in made if name is not None) if self._builds else (),
        )

    @property
    def live(self) -> ConnectionInfo:
        """The database that the restore is to end up in, whether it exists yet or not."""
        return self.subject.live

    @property
    def _builds(self) -> bool:
        return self.restore.options.mode is not RestoreMode.IN_PLACE

    def shadow(self, settings: Mapping[str, str]) -> ConnectionInfo:
        """The database that is built beside it, for sessions with these settings."""
        place = self.database.connection.to_database(self.restore.shadow_database)
        return place.with_settings(settings)

    def begin(self, step: RestoreStep) -> None:
        """Record a step before it starts, and the last one's time. Raises `Cancelled` and `WorkerLost`."""
        if self.cancelled.is_set():
            raise Cancelled("the job was cancelled")
        check_restore_is_ours(self.world.catalog, self.restore, self.database)
        timings = self.timings()
        self._begun_at = self.world.clock.monotonic()
        self.restore = replace(self.restore, step=step, timings=timings)
        save_if_ours(self.world.catalog, self.restore)
        self.log.step(step)

    def note(self, **changes: Any) -> None:
        """Change the record. Raises `WorkerLost` if somebody else has settled it."""
        self.restore = replace(self.restore, **changes)
        if self.restore.step is RestoreStep.SWAP:
            # The names may have changed: that is recorded, whatever somebody else made of it before.
            self.world.catalog.save_restore(self.restore)
        else:
            save_if_ours(self.world.catalog, self.restore)

    def timings(self) -> dict[str, float]:
        """Seconds of every step, the present one until now included."""
        if self._begun_at is None:
            return dict(self.restore.timings)
        seconds = self.world.clock.monotonic() - self._begun_at
        return {**self.restore.timings, self.restore.step: round(seconds, 3)}
