"""Schedules, and which of their runs were started."""

from alembic import op

revision = "0010"
down_revision = "0009"

_STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE pgproof.schedules (
        id bigserial PRIMARY KEY,
        database text,
        task varchar(20) NOT NULL,
        cron varchar(200) NOT NULL,
        zone varchar(100) NOT NULL,
        enabled boolean NOT NULL DEFAULT true,
        options jsonb NOT NULL DEFAULT '{}'::jsonb,
        from_settings boolean NOT NULL DEFAULT false,
        settled_until timestamptz NOT NULL,
        last_due_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        created_by text NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX idx_same_schedule ON pgproof.schedules (database, task, cron, zone)",
    """
    CREATE UNIQUE INDEX idx_same_schedule_of_all ON pgproof.schedules (task, cron, zone)
    WHERE database IS NULL AND NOT from_settings
    """,
    "CREATE UNIQUE INDEX idx_schedule_of_settings ON pgproof.schedules (task) WHERE from_settings",
    """
    CREATE TABLE pgproof.schedule_runs (
        id bigserial PRIMARY KEY,
        schedule_id bigint NOT NULL REFERENCES pgproof.schedules (id) ON DELETE CASCADE,
        due_at timestamptz NOT NULL,
        started_at timestamptz NOT NULL,
        jobs integer NOT NULL DEFAULT 0,
        missed integer NOT NULL DEFAULT 0,
        problems text[] NOT NULL DEFAULT '{}'::text[],
        CONSTRAINT one_run_for_each_due_time UNIQUE (schedule_id, due_at)
    )
    """,
    "CREATE INDEX idx_schedule_runs_started_at ON pgproof.schedule_runs (started_at)",
    # What an overview asks for of every database: its last success, and what its backups take.
    """
    CREATE INDEX idx_usable_backups ON pgproof.backup_jobs (database, completed_at DESC) INCLUDE (file_size)
    WHERE status IN ('completed', 'restored') AND deletion_started_at IS NULL
    """,
    "CREATE INDEX idx_failed_backups ON pgproof.backup_jobs (database, completed_at DESC) WHERE status = 'failed'",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
