"""Which backups are being taken, or are in line where jobs are taken."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.ownership import KEY_BITS, lock_class
from pgproof.services.ports import Lock

# What runs has an owner that lives. What waits has a worker that lives, and either its time has hardly come, or its
# group is at work: a job of it runs, or has just ended, as between two of a long line.
_UNDER_WAY = """
    WITH held AS (
        SELECT classid::bigint AS kind, objid::bigint AS number FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 2
          AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ), running AS (
        SELECT kind, worker_group, database, created_at FROM pgproof.jobs
        WHERE status = 'running' AND (CAST(:job AS bigint), id & :bits) IN (SELECT kind, number FROM held)
    ), queued AS (
        SELECT worker_group, database, created_at, greatest(created_at, not_before) AS since FROM pgproof.jobs
        WHERE status = 'queued' AND kind = 'backup'
          AND EXISTS (SELECT FROM pgproof.procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute')
    ), at_work AS (
        SELECT worker_group FROM running
        UNION
        SELECT ended.worker_group
        FROM pgproof.databases AS names CROSS JOIN LATERAL (
            SELECT worker_group, finished_at FROM pgproof.jobs j
            WHERE j.database = names.name AND j.kind = 'backup' AND j.status IN ('succeeded', 'failed')
            ORDER BY j.id DESC LIMIT 1
        ) AS ended
        WHERE EXISTS (SELECT FROM queued) AND ended.finished_at > now() - interval '5 minutes'
    )
    SELECT database, min(created_at) AS since FROM (
        SELECT database, created_at FROM running WHERE kind = 'backup'
        UNION ALL
        SELECT database, created_at FROM queued
        WHERE since > now() - interval '5 minutes' OR worker_group IN (SELECT worker_group FROM at_work)
        UNION ALL
        SELECT database, created_at FROM pgproof.backup_jobs
        WHERE status IN ('pending', 'running')
          AND (CAST(:backup AS bigint), id & :bits) IN (SELECT kind, number FROM held)
    ) AS found GROUP BY database"""


def backups_under_way(session: Session) -> Mapping[str, datetime]:
    """Since when the oldest of each database has been asked for, by its name."""
    keys = {"job": lock_class(Lock.JOB), "backup": lock_class(Lock.BACKUP), "bits": KEY_BITS}
    return {row.database: row.since for row in session.execute(text(_UNDER_WAY), keys)}
