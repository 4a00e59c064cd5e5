"""Forgetting what ended long ago, so that the catalog of a service that runs for years does not grow for ever."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pgproof.services.ports import Catalog, Clock, JobRecords

_AT_ONCE = 5_000


class HistoryService:
    """Finished jobs, and logs of what is gone, are forgotten after `days`; with 0 days never."""

    def __init__(self, *, records: JobRecords, catalog: Catalog, clock: Clock, days: int) -> None:
        self._records = records
        self._catalog = catalog
        self._clock = clock
        self._days = days

    def forget(self) -> int:
        """Forget what is old enough; the number of jobs and pieces of logs that went. Any number may do it at once."""
        if not self._days:
            return 0
        before = self._clock.now() - timedelta(days=self._days)
        return _all(self._records.forget_jobs, before) + _all(self._catalog.forget_logs, before)


def _all(forget: Callable[[datetime, int], int], before: datetime) -> int:
    """In transactions so short that nobody waits for them."""
    gone = 0
    while (forgotten := forget(before, _AT_ONCE)) > 0:
        gone += forgotten
    return gone
