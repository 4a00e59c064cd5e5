"""Registered databases, restores, and the logs of jobs."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    """
    CREATE TABLE pgproof.databases (
        id bigserial PRIMARY KEY,
        name varchar(63) NOT NULL UNIQUE,
        dbname text NOT NULL,
        host text NOT NULL,
        port integer NOT NULL,
        username text NOT NULL,
        password_sealed bytea,
        options jsonb NOT NULL DEFAULT '{}'::jsonb,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE pgproof.restore_jobs (
        id bigserial PRIMARY KEY,
        backup_id bigint NOT NULL REFERENCES pgproof.backup_jobs (id),
        safety_backup_id bigint REFERENCES pgproof.backup_jobs (id),
        database text NOT NULL,
        dbname text NOT NULL,
        shadow_database text NOT NULL,
        previous_database text,
        mode varchar(20) NOT NULL,
        create_safety_backup boolean NOT NULL,
        run_analyze boolean NOT NULL,
        parallel_jobs smallint NOT NULL,
        status varchar(20) NOT NULL,
        step varchar(30) NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        completed_at timestamptz,
        duration_seconds double precision,
        undo_until timestamptz,
        timings jsonb NOT NULL DEFAULT '{}'::jsonb,
        error_message text,
        error_details jsonb NOT NULL DEFAULT '{}'::jsonb
    )
    """,
    "CREATE INDEX idx_restore_jobs_status ON pgproof.restore_jobs (status)",
    """
    CREATE TABLE pgproof.job_logs (
        id bigserial PRIMARY KEY,
        kind varchar(20) NOT NULL,
        job_id bigint NOT NULL,
        logged_at timestamptz NOT NULL,
        lines text[] NOT NULL
    )
    """,
    "CREATE INDEX idx_job_logs_job ON pgproof.job_logs (kind, job_id, id)",
)


def upgrade() -> None:
    """Make the three tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
