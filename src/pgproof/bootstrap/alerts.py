"""Wires alerts and the overview."""

import socket
from dataclasses import dataclass

from pgproof import __version__
from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.alert_records import AlertRecords
from pgproof.adapters.catalog.overview_records import OverviewRecords
from pgproof.adapters.catalog.schedule_records import ScheduleRecords
from pgproof.adapters.heartbeat import HttpHeartbeat
from pgproof.adapters.notify import AppriseNotifier
from pgproof.domain.database import ConnectionInfo
from pgproof.services.alerts import AlertService
from pgproof.services.databases import DatabaseService
from pgproof.services.overview import OverviewService
from pgproof.services.ports import Clock, PostgresTools, Seal, Storage
from pgproof.services.storage_watch import StorageWatch
from pgproof.services.telling import Telling
from pgproof.settings import Settings

_GB = 1024**3


@dataclass(frozen=True)
class WatchParts:
    """Who looks after the whole."""

    overview: OverviewService
    alerts: AlertService


def watch_parts(
    settings: Settings,
    *,
    catalog: PostgresCatalog,
    seal: Seal,
    storage: Storage,
    tools: PostgresTools,
    databases: DatabaseService,
    embedded: ConnectionInfo | None,
    clock: Clock,
) -> WatchParts:
    """All of it, on one catalog."""
    records = AlertRecords(catalog.transactions, seal)
    overview = OverviewRecords(catalog.transactions, embedded)
    notifier = AppriseNotifier()
    max_size = settings.max_size_gb * _GB
    return WatchParts(
        overview=OverviewService(
            records=overview,
            alerts=records,
            storage=storage,
            tools=tools,
            clock=clock,
            max_size=max_size,
            version=__version__,
        ),
        alerts=AlertService(
            records=records,
            overview=overview,
            schedules=ScheduleRecords(catalog.transactions),
            databases=databases,
            storage_watch=StorageWatch(storage, clock, socket.gethostname()),
            telling=Telling(records, notifier, clock, settings.notify_urls, storage.url),
            notifier=notifier,
            heartbeat=HttpHeartbeat(),
            heartbeat_url=settings.heartbeat_url,
            clock=clock,
            max_size=max_size,
            catalog=catalog,
        ),
    )
