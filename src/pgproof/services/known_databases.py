"""Telling a slip of the pen from a database of which there is nothing to list."""

from collections.abc import Sequence

from pgproof.domain.errors import NotFound
from pgproof.domain.wording import in_quotes
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import BackupFilter, Catalog, JobFilter, JobRecords
from pgproof.services.schedules import ScheduleService


class KnownDatabases:
    """The databases that are registered, and those that were and of which something is still recorded."""

    def __init__(
        self, *, catalog: Catalog, databases: DatabaseService, jobs: JobRecords, schedules: ScheduleService
    ) -> None:
        self._catalog = catalog
        self._databases = databases
        self._jobs = jobs
        self._schedules = schedules

    def check(self, name: str | None, found: Sequence[object]) -> None:
        """Raise `NotFound` if nothing was `found` for a name, and nothing ever could be. ``None`` chose nothing."""
        if name is not None and not found and not self._is_known(name):
            raise NotFound(
                f"no database named {in_quotes(name)} is known",
                hint="`pgproof database list` shows the registered ones, `pgproof list` those that have backups.",
            )

    def _is_known(self, name: str) -> bool:
        return bool(
            name in self._databases.groups()
            or name in {one.name for one in self._databases.list()}
            or self._catalog.list_backups(BackupFilter(limit=1, database=name))
            or self._catalog.list_restores(1, database=name)
            or self._jobs.list_jobs(JobFilter(limit=1, database=name))
            or self._schedules.list(name)
        )
