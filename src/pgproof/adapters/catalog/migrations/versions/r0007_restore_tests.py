"""Restore tests, and since when a backup is proven by one."""

from alembic import op

revision = "0007"
down_revision = "0006"

_STATEMENTS = (
    "ALTER TABLE pgproof.backup_jobs ADD COLUMN proven_at timestamptz",
    """
    CREATE TABLE pgproof.restore_tests (
        id bigserial PRIMARY KEY,
        backup_id bigint NOT NULL REFERENCES pgproof.backup_jobs (id),
        database text NOT NULL,
        status varchar(20) NOT NULL,
        step varchar(30) NOT NULL,
        outcome varchar(20),
        started_at timestamptz NOT NULL,
        completed_at timestamptz,
        duration_seconds double precision,
        timings jsonb NOT NULL DEFAULT '{}'::jsonb,
        server text,
        system_identifier text,
        database_name text,
        database_oid bigint,
        differences jsonb NOT NULL DEFAULT '[]'::jsonb,
        missing text[] NOT NULL DEFAULT '{}'::text[],
        compared jsonb NOT NULL DEFAULT '{}'::jsonb,
        remarks text[] NOT NULL DEFAULT '{}'::text[],
        error_message text,
        error_details jsonb NOT NULL DEFAULT '{}'::jsonb
    )
    """,
    "CREATE INDEX idx_restore_tests_backup ON pgproof.restore_tests (backup_id)",
    "CREATE INDEX idx_unfinished_restore_tests ON pgproof.restore_tests (started_at) WHERE status = 'running'",
)


def upgrade() -> None:
    """Make the table, and add the column."""
    for statement in _STATEMENTS:
        op.execute(statement)
