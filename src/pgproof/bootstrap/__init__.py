"""The one place where adapters are chosen and wired together."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from pgproof import __version__
from pgproof.adapters.catalog import PostgresCatalog, PostgresIdempotencyRecords, prepare_catalog
from pgproof.adapters.catalog.prepare import CatalogUpgrade, describe_upgrade
from pgproof.adapters.embedded import EmbeddedServer, wheel_binaries
from pgproof.adapters.embedded.scratch import EmbeddedScratch
from pgproof.adapters.key_file import read_or_create_key
from pgproof.adapters.postgres.connect import parse_url
from pgproof.adapters.postgres.dump_files import LocalDumpFiles
from pgproof.adapters.postgres.scratch import NamedScratch
from pgproof.adapters.postgres.server import LivePostgresServer
from pgproof.adapters.postgres.staging import Staging
from pgproof.adapters.postgres.tools import LocalTools
from pgproof.adapters.seal import FernetSeal
from pgproof.adapters.storage.factory import open_storage
from pgproof.adapters.storage.folders import LocalFolders
from pgproof.adapters.streams import CompressedStreams
from pgproof.bootstrap.access import AccessParts, access_parts
from pgproof.bootstrap.alerts import watch_parts
from pgproof.bootstrap.jobs import job_parts, job_records
from pgproof.bootstrap.schedules import schedule_service
from pgproof.domain.database import ConnectionInfo
from pgproof.services.access import AccessService
from pgproof.services.alerts import AlertService
from pgproof.services.api_tokens import ApiTokenService
from pgproof.services.audit import AuditTrail
from pgproof.services.backups import BackupService
from pgproof.services.cataloguing.adopting import AdoptingService
from pgproof.services.cataloguing.importing import ImportService
from pgproof.services.cataloguing.rebuilding import RebuildService
from pgproof.services.databases import DatabaseService
from pgproof.services.downloading import DownloadService
from pgproof.services.expiry import ExpiryService
from pgproof.services.history import HistoryService
from pgproof.services.idempotency import IdempotencyService
from pgproof.services.job_news import JobNews
from pgproof.services.job_running import JobRunner
from pgproof.services.jobs import JobService
from pgproof.services.known_databases import KnownDatabases
from pgproof.services.lost_jobs import LostJobs
from pgproof.services.overview import OverviewService
from pgproof.services.patience import Patience
from pgproof.services.ports import (
    Catalog,
    Clock,
    JobQueue,
    PostgresServer,
    PostgresTools,
    ScratchServer,
    Seal,
    Storage,
)
from pgproof.services.recovery import RecoveryService
from pgproof.services.restore_tests import RestoreTestService
from pgproof.services.restores import RestoreService
from pgproof.services.restoring.work import World
from pgproof.services.schedules import ScheduleService
from pgproof.services.taking import TakingRules
from pgproof.services.users import UserService
from pgproof.settings import Settings

_CATALOG_DATABASE = "pgproof"
_CATALOG_PATIENCE = 600.0  # seconds for which the end of a dump waits for a catalog that is away


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""
        return monotonic()


@dataclass(frozen=True)
class App:
    """Everything that an entry point works with. `settled` tells what became of what dead processes left."""

    settings: Settings
    catalog: Catalog
    storage: Storage
    server: PostgresServer
    tools: PostgresTools
    clock: Clock
    databases: DatabaseService
    known_databases: KnownDatabases
    backups: BackupService
    downloads: DownloadService
    restores: RestoreService
    restore_tests: RestoreTestService
    recovery: RecoveryService
    expiry: ExpiryService
    rebuilding: RebuildService
    importing: ImportService
    adopting: AdoptingService
    access: AccessService
    users: UserService
    api_tokens: ApiTokenService
    audit: AuditTrail
    jobs: JobService
    job_runner: JobRunner
    job_news: JobNews
    lost_jobs: LostJobs
    queue: JobQueue
    history: HistoryService
    idempotency: IdempotencyService
    schedules: ScheduleService
    overview: OverviewService
    alerts: AlertService
    settled: Sequence[str]


def make_storage(settings: Settings) -> Storage:
    """The storage alone: it needs no catalog."""
    return open_storage(settings.storage_location)


def make_tools(settings: Settings) -> PostgresTools:
    """The tools alone: they need no catalog."""
    return LocalTools(
        configured=settings.pg_bin,
        environment=os.environ,
        embedded=wheel_binaries(),
        staging=settings.staging_folder,
        lock_wait_seconds=settings.lock_wait_seconds,
    )


def make_scratch(settings: Settings) -> ScratchServer:
    """Where restore tests restore to."""
    if settings.test_server_url is not None:
        return NamedScratch(parse_url(settings.test_server_url.reveal()))
    return EmbeddedScratch(settings.home / "scratch")


def embedded_server(home: Path) -> EmbeddedServer:
    """The embedded server of an installation; it runs while somebody uses it."""
    return EmbeddedServer(home / "embedded")


@contextmanager
def open_app(settings: Settings) -> Iterator[App]:
    """Wire the application for the length of a `with` block.

    Starts the embedded server where the settings name no other, brings the catalog to the newest revision,
    and settles what processes that died have left behind.
    """
    scratch = make_scratch(settings)
    cleared = [*Staging(settings.staging_folder).remove_abandoned(), *scratch.remove_abandoned()]
    with ExitStack() as stack:
        tools = make_tools(settings)
        catalog_at, embedded = catalog_place(settings, stack)
        prepare_catalog(catalog_at)
        secret_key = settings.secret_key or read_or_create_key(settings.home / "secret.key")
        seal = FernetSeal(secret_key)
        catalog = stack.enter_context(closing(PostgresCatalog(catalog_at, seal)))
        server = LivePostgresServer(settings.lock_wait_seconds, catalog.installation())
        access = access_parts(settings, catalog, secret_key, SystemClock())
        idempotency = IdempotencyService(PostgresIdempotencyRecords(catalog.transactions), SystemClock(), sleep)
        yield _wire(stack, settings, catalog, seal, server, tools, scratch, embedded, access, idempotency, cleared)


def upgrade_catalog(settings: Settings) -> CatalogUpgrade:
    """Make the catalog, or bring it to the newest revision, and tell what was done."""
    with ExitStack() as stack:
        catalog_at, _ = catalog_place(settings, stack)
        return describe_upgrade(catalog_at)


def catalog_place(settings: Settings, stack: ExitStack) -> tuple[ConnectionInfo, ConnectionInfo | None]:
    """Where the catalog is, and the embedded server's own database where that server runs."""
    if settings.catalog_url is not None:
        return parse_url(settings.catalog_url.reveal()), None
    embedded = stack.enter_context(embedded_server(settings.home).running())
    return embedded.to_database(_CATALOG_DATABASE), embedded


def _wire(
    stack: ExitStack,
    settings: Settings,
    catalog: PostgresCatalog,
    seal: Seal,
    server: PostgresServer,
    tools: PostgresTools,
    scratch: ScratchServer,
    embedded: ConnectionInfo | None,
    access: AccessParts,
    idempotency: IdempotencyService,
    cleared: Sequence[str],
) -> App:
    storage = make_storage(settings)
    streams = CompressedStreams()
    clock = SystemClock()
    records = job_records(catalog)
    databases = DatabaseService(catalog, server, tools, settings.first_database, embedded, records)
    backups = BackupService(
        catalog=catalog,
        storage=storage,
        streams=streams,
        server=server,
        tools=tools,
        clock=clock,
        databases=databases,
        rules=TakingRules(
            product_version=__version__,
            log_tables=settings.log_tables,
            cache_tables=settings.cache_tables,
            lock_wait_seconds=settings.lock_wait_seconds,
        ),
        patience=Patience(clock, sleep, _CATALOG_PATIENCE),
    )
    world = World(catalog=catalog, storage=storage, streams=streams, server=server, tools=tools, clock=clock)
    restore_tests = RestoreTestService(world=world, scratch=scratch, parallel_jobs=settings.parallel_jobs)
    restores = RestoreService(
        world=world,
        databases=databases,
        backups=backups,
        undo_hours=settings.undo_hours,
    )
    recovery = RecoveryService(
        catalog=catalog,
        storage=storage,
        server=server,
        databases=databases,
        clock=clock,
        undo_hours=settings.undo_hours,
        restore_tests=restore_tests,
        jobs=records,
    )
    expiry = ExpiryService(
        catalog=catalog,
        storage=storage,
        server=server,
        databases=databases,
        clock=clock,
        policy=settings.retention_policy,
        max_share=settings.cleanup_max_share,
    )
    parts = job_parts(
        catalog=catalog,
        records=records,
        storage=storage,
        server=server,
        clock=clock,
        databases=databases,
        backups=backups,
        restores=restores,
        restore_tests=restore_tests,
        expiry=expiry,
        recovery=recovery,
    )
    stack.enter_context(closing(parts.queue))
    watch = watch_parts(
        settings,
        catalog=catalog,
        seal=seal,
        storage=storage,
        tools=tools,
        databases=databases,
        embedded=embedded,
        clock=clock,
    )
    schedules = schedule_service(
        settings,
        catalog=catalog,
        jobs=parts.jobs,
        records=records,
        queue=parts.queue,
        databases=databases,
        clock=clock,
        storage_url=storage.url,
    )
    return App(
        settings=settings,
        catalog=catalog,
        storage=storage,
        server=server,
        tools=tools,
        clock=clock,
        databases=databases,
        known_databases=KnownDatabases(catalog=catalog, databases=databases, jobs=records, schedules=schedules),
        backups=backups,
        downloads=DownloadService(catalog=catalog, storage=storage, folders=LocalFolders()),
        restores=restores,
        restore_tests=restore_tests,
        recovery=recovery,
        expiry=expiry,
        rebuilding=RebuildService(catalog=catalog, storage=storage, clock=clock),
        importing=ImportService(
            catalog=catalog,
            storage=storage,
            streams=streams,
            tools=tools,
            files=LocalDumpFiles(),
            clock=clock,
            product_version=__version__,
        ),
        adopting=AdoptingService(catalog=catalog, schedules=schedules, alerts=watch.alerts, users=access.users),
        access=access.access,
        users=access.users,
        api_tokens=access.api_tokens,
        audit=access.audit,
        jobs=parts.jobs,
        job_runner=parts.runner,
        job_news=parts.news,
        lost_jobs=parts.lost,
        queue=parts.queue,
        history=HistoryService(records=records, catalog=catalog, clock=clock, days=settings.history_days),
        idempotency=idempotency,
        schedules=schedules,
        overview=watch.overview,
        alerts=watch.alerts,
        settled=[*cleared, *parts.lost.settle(), *recovery.settle()],
    )
