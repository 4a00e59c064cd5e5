"""What the catalog forgets of work that ended long ago, each as one statement with a limit."""

# The newest of each kind and end stays: alerts, metrics and estimates read it. So does whatever still tells of a
# restore or a backup that has not ended, since recovery looks at both.
FORGET_JOBS = """
    WITH doomed AS (
        SELECT id FROM pgproof.jobs AS job
        WHERE finished_at < :before AND status NOT IN ('queued', 'running')
          AND id NOT IN (SELECT max(id) FROM pgproof.jobs GROUP BY database, kind, status)
          AND NOT EXISTS (
              SELECT FROM pgproof.restore_jobs AS restore
              WHERE restore.status IN ('running', 'undoing')
                AND restore.id = CASE job.kind WHEN 'undo' THEN job.subject_id
                                               WHEN 'restore' THEN (job.result ->> 'restore_id')::bigint END)
          AND NOT EXISTS (
              SELECT FROM pgproof.backup_jobs AS backup
              WHERE job.kind = 'backup' AND backup.id = job.subject_id AND backup.status IN ('pending', 'running'))
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), removed AS (
        DELETE FROM pgproof.jobs USING doomed WHERE jobs.id = doomed.id
        RETURNING jobs.id, kind, status, coalesce(error_code, '') AS cause
    ), without_logs AS (
        DELETE FROM pgproof.job_logs USING removed WHERE job_logs.kind = 'job' AND job_id = removed.id
    ), counted AS (
        INSERT INTO pgproof.forgotten_jobs AS known (kind, status, cause, jobs)
        SELECT kind, status, cause, count(*) FROM removed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (kind, status, cause) DO UPDATE SET jobs = known.jobs + excluded.jobs
    )
    SELECT count(*) FROM removed"""

FORGET_LOGS = """
    WITH gone AS (
        SELECT id FROM pgproof.backup_jobs
        WHERE status IN ('expired', 'deleted') AND deletion_started_at < :before
    ), told AS (
        SELECT 'backup' AS kind, id FROM gone
        UNION ALL
        SELECT 'restore_test', test.id FROM pgproof.restore_tests AS test JOIN gone ON gone.id = test.backup_id
    ), doomed AS (
        SELECT log.id FROM pgproof.job_logs AS log JOIN told ON told.kind = log.kind AND told.id = log.job_id
        LIMIT :limit FOR UPDATE OF log SKIP LOCKED
    ), removed AS (
        DELETE FROM pgproof.job_logs USING doomed WHERE job_logs.id = doomed.id RETURNING 1
    )
    SELECT count(*) FROM removed"""
