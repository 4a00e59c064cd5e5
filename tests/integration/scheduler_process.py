"""A scheduler in a process of its own: it looks at every minute of some hours, on the catalog that stdin names."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.catalog.schedule_records import ScheduleRecords
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.backup import BackupOptions
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.job import Job
from pgproof.domain.schedule import Task
from pgproof.domain.secret import Secret
from pgproof.services.databases import DatabaseService
from pgproof.services.schedules import ScheduleDefaults, ScheduleService

BEGIN = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NO_DEFAULTS = ScheduleDefaults({Task.BACKUP: None, Task.CLEANUP: None}, "UTC", BackupOptions())


class TurnedClock:
    """A clock that somebody turns."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class Unsent:
    """The dispatcher of a process that dies before it has sent anything."""

    def send(self, jobs: Sequence[Job]) -> None:
        pass


def scheduler(catalog: PostgresCatalog, clock: TurnedClock) -> ScheduleService:
    databases = DatabaseService(catalog, cast("Any", None), cast("Any", None), None)
    return ScheduleService(
        records=ScheduleRecords(catalog.transactions),
        jobs=cast("Any", None),
        dispatcher=cast("Any", Unsent()),
        databases=databases,
        clock=clock,
        storage_url="file:///b",
        defaults=NO_DEFAULTS,
    )


def main() -> None:
    place = json.loads(sys.stdin.readline())
    connection = ConnectionInfo(**{**place, "password": Secret(place["password"])})
    catalog = PostgresCatalog(connection, FernetSeal(Secret("a secret of the tests")))
    clock = TurnedClock()
    service = scheduler(catalog, clock)
    for step in range(int(sys.argv[1])):
        clock.time = BEGIN + step * MINUTE
        service.tick()
        sys.stdout.write(f"{step}\n")
        sys.stdout.flush()
    catalog.close()


if __name__ == "__main__":
    main()
