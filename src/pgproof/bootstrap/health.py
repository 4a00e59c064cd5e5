"""Wires the healthcheck: the catalog's records and nothing else, so that asking is quick and changes nothing."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from pgproof.adapters.catalog.alert_records import AlertRecords
from pgproof.adapters.catalog.overview_records import OverviewRecords
from pgproof.adapters.catalog.schedule_records import ScheduleRecords
from pgproof.adapters.catalog.transactions import Transactions
from pgproof.adapters.key_file import read_or_create_key
from pgproof.adapters.seal import FernetSeal
from pgproof.bootstrap import SystemClock, catalog_place
from pgproof.bootstrap.schedules import crons_of
from pgproof.services.health import HealthService
from pgproof.settings import Settings


@contextmanager
def open_health(settings: Settings) -> Iterator[HealthService]:
    """The healthcheck for the length of a `with` block. It neither makes nor upgrades the catalog."""
    with ExitStack() as stack:
        place, embedded = catalog_place(settings, stack)
        transactions = stack.enter_context(closing(Transactions(place)))
        seal = FernetSeal(settings.secret_key or read_or_create_key(settings.home / "secret.key"))
        yield HealthService(
            overview=OverviewRecords(transactions, embedded),
            schedules=ScheduleRecords(transactions),
            alerts=AlertRecords(transactions, seal),
            clock=SystemClock(),
            wanted=[task for task, cron in crons_of(settings).items() if cron is not None],
        )
