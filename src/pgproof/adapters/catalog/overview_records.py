"""A look at the whole catalog."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.transactions import Records, Transactions
from pgproof.adapters.catalog.under_way import backups_under_way
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.schedule import CLOCKS_DIFFER_BY
from pgproof.services.ports.overview import DatabaseState, LastBackup, LastFailure, QueueState

# Each LATERAL is one look into an index: the number of databases counts, not that of backups.
_STATES = """
    WITH totals AS (
        SELECT database, sum(backups)::bigint AS backups, sum(bytes)::bigint AS bytes FROM pgproof.backup_counts
        WHERE status IN ('completed', 'restored') AND NOT being_deleted
        GROUP BY database
    ), registered AS (
        SELECT name, created_at FROM pgproof.databases WHERE (host, dbname) IS DISTINCT FROM (:host, :dbname)
    ), known AS (
        SELECT name, created_at FROM registered
        UNION ALL
        SELECT database, NULL FROM totals WHERE backups > 0 AND database NOT IN (SELECT name FROM registered)
    )
    SELECT known.name, known.created_at, coalesce(totals.backups, 0) AS backups, coalesce(totals.bytes, 0) AS bytes,
           last.id AS last_id, last.completed_at AS last_at, last.duration_seconds, last.file_size, last.rows_count,
           usual.size AS usual_size, usual.row_count AS usual_rows,
           failed.id AS failed_id, failed.completed_at AS failed_at, failed.code AS failed_code,
           failed.error_message AS failed_message,
           passed.completed_at AS proven_at, passed.duration_seconds AS test_seconds,
           restored.completed_at AS restored_at, restored.duration_seconds AS restore_seconds,
           verdict.completed_at AS verdict_at, verdict.outcome, verdict.backup_id AS verdict_backup,
           verdict.error_message AS verdict_message
    FROM known
    LEFT JOIN totals ON totals.database = known.name
    LEFT JOIN LATERAL (
        SELECT id, completed_at, duration_seconds, file_size, rows_count, format, compression, compression_level,
               include_logs, include_cache
        FROM pgproof.backup_jobs b
        WHERE b.database = known.name AND status IN ('completed', 'restored') AND deletion_started_at IS NULL
          AND completed_at <= :latest
        ORDER BY completed_at DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY file_size) AS size,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY rows_count) AS row_count
        FROM (
            SELECT file_size, rows_count FROM pgproof.backup_jobs b
            WHERE b.database = known.name AND status IN ('completed', 'restored') AND deletion_started_at IS NULL
              AND completed_at < last.completed_at
              AND (format, compression, compression_level, include_logs, include_cache) =
                  (last.format, last.compression, last.compression_level, last.include_logs, last.include_cache)
            ORDER BY completed_at DESC LIMIT 5
        ) AS before
    ) AS usual ON true
    LEFT JOIN LATERAL (
        SELECT id, completed_at, error_details ->> 'code' AS code, error_message FROM pgproof.backup_jobs b
        WHERE b.database = known.name AND status = 'failed' AND completed_at <= :latest
        ORDER BY completed_at DESC LIMIT 1
    ) AS failed ON true
    LEFT JOIN LATERAL (
        SELECT completed_at, duration_seconds FROM pgproof.restore_tests t
        WHERE t.database = known.name AND outcome = 'passed' AND completed_at <= :latest
        ORDER BY completed_at DESC LIMIT 1
    ) AS passed ON true
    LEFT JOIN LATERAL (
        SELECT completed_at, outcome, backup_id, error_message FROM pgproof.restore_tests t
        WHERE t.database = known.name AND outcome IN ('passed', 'failed') AND completed_at <= :latest
        ORDER BY completed_at DESC LIMIT 1
    ) AS verdict ON true
    LEFT JOIN LATERAL (
        SELECT completed_at, duration_seconds FROM pgproof.restore_jobs r
        WHERE r.database = known.name AND status IN ('completed', 'undone', 'undoing')
        ORDER BY created_at DESC LIMIT 1
    ) AS restored ON true"""

_FAILURES = """
    SELECT database, coalesce(error_details ->> 'code', 'unexpected') AS code, count(*) AS failures
    FROM pgproof.backup_jobs WHERE status = 'failed' GROUP BY 1, 2"""

# Of the jobs that are not backups: those tell by their own rows.
_FAILING_JOBS = """
    SELECT names.name, kinds.kind, job.finished_at, job.error_code, job.error_message, job.subject_id
    FROM pgproof.databases AS names CROSS JOIN (VALUES ('verify'), ('restore_test')) AS kinds (kind)
    CROSS JOIN LATERAL (
        SELECT status, finished_at, error_code, error_message, subject_id FROM pgproof.jobs j
        WHERE j.database = names.name AND j.kind = kinds.kind AND j.status IN ('succeeded', 'failed')
        ORDER BY j.id DESC LIMIT 1
    ) AS job
    WHERE job.status = 'failed'"""

_LAST_CLEANUP = """
    SELECT status, finished_at, error_code, error_message FROM pgproof.jobs
    WHERE kind = 'cleanup' AND status IN ('succeeded', 'failed') ORDER BY id DESC LIMIT 1"""

_UNFINISHED = """
    SELECT kind, status, worker_group, count(*) AS jobs, min(greatest(created_at, not_before)) AS oldest
    FROM pgproof.jobs WHERE status IN ('queued', 'running') GROUP BY 1, 2, 3"""

_FINISHED = """
    SELECT kind, status, code, sum(jobs)::bigint AS jobs FROM (
        SELECT kind, status, coalesce(error_code, '') AS code, count(*) AS jobs
        FROM pgproof.jobs WHERE status NOT IN ('queued', 'running') GROUP BY 1, 2, 3
        UNION ALL
        SELECT kind, status, cause, jobs FROM pgproof.forgotten_jobs
    ) AS ended GROUP BY 1, 2, 3"""

_WORKERS = "SELECT count(*) FROM pgproof.procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute'"


class OverviewRecords(Records):
    """See the port `OverviewRecords`.

    The `embedded` server's own database, which a look at it registers, counts as one that nobody has registered.
    """

    def __init__(self, transactions: Transactions, embedded: ConnectionInfo | None = None) -> None:
        super().__init__(transactions)
        self._apart = {"host": embedded and embedded.host, "dbname": embedded and embedded.dbname}

    def database_states(self, now: datetime) -> Sequence[DatabaseState]:
        """Every database that is registered or has usable backups, by name."""
        with self._transactions() as session:
            failures: dict[str, dict[str, int]] = defaultdict(dict)
            for row in session.execute(text(_FAILURES)):
                failures[row.database][row.code] = row.failures
            failing = _failing_jobs(session)
            rows = session.execute(text(_STATES), {**self._apart, "latest": now + CLOCKS_DIFFER_BY}).all()
            under_way = backups_under_way(session)
        states = [
            _to_state(row, failures.get(row.name, {}), failing.get(row.name, {}), under_way.get(row.name))
            for row in rows
        ]
        return sorted(states, key=lambda state: state.name)

    def queue_state(self) -> QueueState:
        """What is queued and what runs."""
        waiting: dict[tuple[str, str], int] = defaultdict(int)
        running: dict[tuple[str, str], int] = defaultdict(int)
        oldest: dict[str, datetime] = {}
        with self._transactions() as session:
            workers = session.scalars(text(_WORKERS)).one()
            rows = session.execute(text(_UNFINISHED)).all()
        for row in rows:
            if row.status == "queued":
                waiting[row.worker_group, row.kind] += row.jobs
                oldest[row.worker_group] = min(oldest.get(row.worker_group, row.oldest), row.oldest)
            else:
                running[row.worker_group, row.kind] += row.jobs
        return QueueState(waiting, running, oldest, workers)

    def finished_jobs(self) -> Mapping[tuple[str, str, str], int]:
        """How many jobs have ended."""
        with self._transactions() as session:
            return {(row.kind, row.status, row.code): row.jobs for row in session.execute(text(_FINISHED))}

    def failing_cleanup(self) -> LastFailure | None:
        """The last cleanup, if it failed."""
        with self._transactions() as session:
            row = session.execute(text(_LAST_CLEANUP)).one_or_none()
        if row is None or row.status != "failed":
            return None
        return LastFailure(row.finished_at, row.error_code or "unexpected", row.error_message or "")


def _failing_jobs(session: Session) -> Mapping[str, Mapping[str, LastFailure]]:
    found: dict[str, dict[str, LastFailure]] = defaultdict(dict)
    for row in session.execute(text(_FAILING_JOBS)):
        failure = LastFailure(row.finished_at, row.error_code or "unexpected", row.error_message or "", row.subject_id)
        found[row.name][row.kind] = failure
    return found


def _to_state(
    row: Any, failures: Mapping[str, int], jobs: Mapping[str, LastFailure], under_way: datetime | None
) -> DatabaseState:
    failing = dict(jobs)
    tried = failing.get("restore_test")
    if tried is not None and row.verdict_at is not None and row.verdict_at > tried.at:
        del failing["restore_test"]  # a later test, asked for at the command line, had an answer
    if row.failed_at is not None and (row.last_at is None or row.failed_at > row.last_at):
        code, message = row.failed_code or "unexpected", row.failed_message or ""
        failing["backup"] = LastFailure(row.failed_at, code, message, row.failed_id)
    if row.outcome == "failed":
        message = row.verdict_message or "what came back is not what was backed up"
        failing["restore_test"] = LastFailure(row.verdict_at, "restore_test_failed", message, row.verdict_backup)
    last = None
    if row.last_id is not None:
        last = LastBackup(
            id=row.last_id,
            completed_at=row.last_at,
            seconds=row.duration_seconds,
            size=row.file_size,
            rows=row.rows_count,
            usual_size=row.usual_size,
            usual_rows=row.usual_rows,
        )
    return DatabaseState(
        name=row.name,
        known_since=row.created_at,
        backups=row.backups,
        size=row.bytes,
        last=last,
        failures=failures,
        failing=failing,
        proven_at=row.proven_at,
        test_seconds=row.test_seconds,
        restored_at=row.restored_at,
        restore_seconds=row.restore_seconds,
        unfinished_since=under_way,
    )
