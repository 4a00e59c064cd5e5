"""The overview as Prometheus reads it.

Every scrape has a registry of its own: nothing belongs to the process, so an application that mounts pgproof keeps
its own metrics to itself. docs/monitoring.md tells what each metric means.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pgproof.domain.alert import AlertKind
from pgproof.services.overview import Overview
from pgproof.services.ports.overview import DatabaseState

NEVER = float("inf")

_Figure = Callable[[DatabaseState], float | None]


def render(overview: Overview) -> tuple[bytes, str]:
    """Body and content type of an answer to Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(overview))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Collector:
    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Every metric, each with all its samples."""
        yield _gauge("pgproof_info", "Always 1; the version is a label.", {"version": self._overview.version}, 1)
        yield from self._databases()
        yield from self._queue()
        yield from self._storage()
        alerts = GaugeMetricFamily("pgproof_alerts_open", "Open alerts.", labels=["kind"])
        for kind in AlertKind:
            alerts.add_metric([kind.value], sum(alert.key.kind is kind for alert in self._overview.alerts))
        yield alerts

    def _databases(self) -> Iterator[Metric]:
        figures: Mapping[str, tuple[str, _Figure]] = {
            "pgproof_backup_last_success_timestamp_seconds": (
                "When the newest usable backup was completed; 0 if there is none.",
                lambda state: 0 if state.last is None else state.last.completed_at.timestamp(),
            ),
            "pgproof_backup_age_seconds": ("Age of the newest usable backup; +Inf if there is none.", self._age),
            "pgproof_backup_duration_seconds": (
                "What the newest usable backup took.",
                lambda state: None if state.last is None else state.last.seconds,
            ),
            "pgproof_backup_size_bytes": (
                "Stored size of the newest usable backup.",
                lambda state: None if state.last is None else state.last.size,
            ),
            "pgproof_backup_rows": (
                "Rows in the newest usable backup, where they were counted.",
                lambda state: None if state.last is None else state.last.rows,
            ),
            "pgproof_backups": ("Usable backups.", lambda state: state.backups),
            "pgproof_backups_size_bytes": ("Stored size of all usable backups.", lambda state: state.size),
            "pgproof_backup_failing": (
                "1 if the last backup failed, else 0.",
                lambda state: float("backup" in state.failing),
            ),
            "pgproof_restore_test_age_seconds": (
                "Age of the last restore test that passed; +Inf if none.",
                self._proof_age,
            ),
            "pgproof_restore_test_duration_seconds": (
                "What the last restore test that passed took.",
                lambda state: state.test_seconds,
            ),
            "pgproof_restore_test_failing": (
                "1 if the last restore test failed, else 0.",
                lambda state: float("restore_test" in state.failing),
            ),
            "pgproof_restore_duration_seconds": (
                "What the last restore took.",
                lambda state: state.restore_seconds,
            ),
        }
        for name, (meaning, figure) in figures.items():
            family = GaugeMetricFamily(name, meaning, labels=["database"])
            for state in self._overview.databases:
                value = figure(state)
                if value is not None:
                    family.add_metric([state.name], value)
            yield family
        failures = GaugeMetricFamily(
            "pgproof_backups_failed", "Failed backups that are still listed, by cause.", labels=["database", "cause"]
        )
        for state in self._overview.databases:
            for cause, count in sorted(state.failures.items()):
                failures.add_metric([state.name, cause], count)
        yield failures

    # Of a database that is registered no more nobody expects another backup: an age would alarm for ever.

    def _age(self, state: DatabaseState) -> float | None:
        last = None if state.last is None else state.last.completed_at
        return None if state.known_since is None else self._since(last)

    def _proof_age(self, state: DatabaseState) -> float | None:
        return None if state.known_since is None else self._since(state.proven_at)

    def _since(self, moment: datetime | None) -> float:
        return NEVER if moment is None else (self._overview.at - moment).total_seconds()

    def _queue(self) -> Iterator[Metric]:
        queue = self._overview.queue
        for name, meaning, counts in (
            ("pgproof_jobs_waiting", "Jobs in the queue.", queue.waiting),
            ("pgproof_jobs_running", "Jobs that run.", queue.running),
        ):
            family = GaugeMetricFamily(name, meaning, labels=["group", "kind"])
            for (group, kind), count in sorted(counts.items()):
                family.add_metric([group, kind], count)
            yield family
        finished = CounterMetricFamily(
            "pgproof_jobs_finished",
            "Jobs that have ended, by kind, status and cause.",
            labels=["kind", "status", "cause"],
        )
        for labels, count in sorted(self._overview.finished.items()):
            finished.add_metric(list(labels), count)
        yield finished
        oldest = queue.oldest_waiting_at
        waited = 0.0 if oldest is None else max(0.0, (self._overview.at - oldest).total_seconds())
        yield _gauge("pgproof_jobs_waiting_age_seconds", "How long the oldest queued job has waited.", {}, waited)
        yield _gauge("pgproof_workers", "Workers that gave a sign of life within a minute.", {}, queue.workers)

    def _storage(self) -> Iterator[Metric]:
        storage = self._overview.storage
        yield _gauge("pgproof_storage_up", "1 if the storage answers, else 0.", {}, float(storage.problem is None))
        yield _gauge("pgproof_storage_used_bytes", "What all usable backups take.", {}, storage.used)
        yield _gauge("pgproof_storage_limit_bytes", "BACKUP_MAX_SIZE_GB.", {}, storage.limit)
        if storage.free is not None:
            yield _gauge("pgproof_storage_free_bytes", "What is free in the storage.", {}, storage.free)


def _gauge(name: str, meaning: str, labels: Mapping[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
