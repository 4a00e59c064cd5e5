"""Wires schedules."""

from collections.abc import Mapping

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.schedule_records import ScheduleRecords
from pgproof.domain.backup import BackupOptions
from pgproof.domain.schedule import Task
from pgproof.services.databases import DatabaseService
from pgproof.services.dispatching import Dispatcher
from pgproof.services.jobs import JobService
from pgproof.services.ports import Clock, JobQueue, JobRecords
from pgproof.services.schedules import ScheduleDefaults, ScheduleService
from pgproof.settings import Settings


def crons_of(settings: Settings) -> Mapping[Task, str | None]:
    """The schedules that the settings name; without an expression there is none."""
    return {Task.BACKUP: settings.schedule, Task.CLEANUP: settings.cleanup_schedule}


def backup_defaults(settings: Settings) -> BackupOptions:
    """What the settings say about backups."""
    return BackupOptions(
        format=settings.format,
        compression=settings.compression,
        compression_level=settings.compression_level,
        parallel_jobs=settings.parallel_jobs,
        fingerprint=settings.fingerprint,
    )


def schedule_service(
    settings: Settings,
    *,
    catalog: PostgresCatalog,
    jobs: JobService,
    records: JobRecords,
    queue: JobQueue,
    databases: DatabaseService,
    clock: Clock,
    storage_url: str,
) -> ScheduleService:
    """Schedules on one catalog, with those that the settings name."""
    return ScheduleService(
        records=ScheduleRecords(catalog.transactions),
        jobs=jobs,
        dispatcher=Dispatcher(records, queue, clock),
        databases=databases,
        clock=clock,
        storage_url=storage_url,
        defaults=ScheduleDefaults(
            crons=crons_of(settings),
            zone=getattr(settings.timezone, "key", "UTC"),
            backup=backup_defaults(settings),
        ),
    )
