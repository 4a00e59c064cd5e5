"""How the whole installation stands: what a page, the metrics and the readiness check show."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pgproof.domain.alert import Alert
from pgproof.domain.errors import PgproofError
from pgproof.domain.wording import counted
from pgproof.services.doctor import Finding, Outcome, examine, look_at_tools
from pgproof.services.ports import Clock, PostgresTools, Storage
from pgproof.services.ports.alerts import AlertRecords
from pgproof.services.ports.overview import DatabaseState, OverviewRecords, QueueState

# Without these, requests cannot be answered; the others are the workers' business, which may be elsewhere.
_NEEDED = frozenset({"catalog", "storage"})


@dataclass(frozen=True)
class StorageState:
    """The place of the backups, in bytes; `free` is ``None`` where nobody knows. `problem` keeps it from being used."""

    url: str
    used: int
    limit: float
    free: int | None
    problem: str | None = None


@dataclass(frozen=True)
class Overview:
    """Everything at one moment. `finished` counts jobs by kind, status and cause; `alerts` are the open ones."""

    at: datetime
    version: str
    databases: Sequence[DatabaseState]
    queue: QueueState
    finished: Mapping[tuple[str, str, str], int]
    storage: StorageState
    alerts: Sequence[Alert]


@dataclass(frozen=True)
class Readiness:
    """Whether requests can be served, and how each check went."""

    ready: bool
    checks: Sequence[Finding]


class OverviewService:
    """`max_size` (bytes) is what all backups together should not exceed."""

    def __init__(
        self,
        *,
        records: OverviewRecords,
        alerts: AlertRecords,
        storage: Storage,
        tools: PostgresTools,
        clock: Clock,
        max_size: float,
        version: str,
    ) -> None:
        self._records = records
        self._alerts = alerts
        self._storage = storage
        self._tools = tools
        self._clock = clock
        self._max_size = max_size
        self._version = version

    def read(self) -> Overview:
        """The state of everything. A storage that does not answer is part of it; raises `CatalogUnreachable`."""
        now = self._clock.now()
        databases = self._records.database_states(now)
        return Overview(
            at=now,
            version=self._version,
            databases=databases,
            queue=self._records.queue_state(),
            finished=self._records.finished_jobs(),
            storage=self._storage_state(sum(one.size for one in databases)),
            alerts=[alert for alert in self._alerts.list_alerts() if alert.is_open],
        )

    def readiness(self) -> Readiness:
        """Whether this process can serve. Tools and workers are told of, but may be missing here."""
        looks: dict[str, Callable[[], Iterable[Finding]]] = {
            "catalog": self._look_at_queue,
            "storage": self._look_at_storage,
            "tools": lambda: look_at_tools(self._tools),
        }
        checks = [finding for check, look in looks.items() for finding in examine(check, look)]
        failed = {finding.check for finding in checks if finding.outcome is Outcome.FAIL}
        return Readiness(not failed & _NEEDED, checks)

    def _look_at_queue(self) -> Iterator[Finding]:
        queue = self._records.queue_state()
        yield Finding("catalog", Outcome.OK, "it answers")
        waiting = sum(queue.waiting.values())
        if queue.workers:
            yield Finding("queue", Outcome.OK, f"{counted(queue.workers, 'worker')}, {counted(waiting, 'job')} waiting")
        else:
            hint = "Start one: pgproof worker, or pgproof serve without --no-worker."
            yield Finding("queue", Outcome.WARN, f"no worker is alive, {counted(waiting, 'job')} waiting", hint)

    def _look_at_storage(self) -> Iterator[Finding]:
        self._storage.check()
        yield Finding("storage", Outcome.OK, f"{self._storage.url} can be written, read and deleted in")

    def _storage_state(self, used: int) -> StorageState:
        url = self._storage.url
        try:
            return StorageState(url, used, self._max_size, self._storage.free_bytes())
        except PgproofError as error:
            return StorageState(url, used, self._max_size, None, error.detail)
