"""Deletions in two phases, holds that end by themselves, and when a restore's databases were dropped."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    """
    ALTER TABLE pgproof.backup_jobs
        ADD COLUMN held_until timestamptz,
        ADD COLUMN deletion_started_at timestamptz,
        ADD COLUMN deletion_target pgproof.backup_status
    """,
    """
    CREATE INDEX idx_unfinished_deletions ON pgproof.backup_jobs (deletion_started_at)
    WHERE deletion_started_at IS NOT NULL AND status NOT IN ('expired', 'deleted')
    """,
    "CREATE INDEX idx_backups_of_database ON pgproof.backup_jobs (database)",
    """
    CREATE OR REPLACE VIEW pgproof.backup_jobs_recent AS
    SELECT id, filename, file_size, status, trigger_source, created_at, duration_seconds, created_by_id
    FROM pgproof.backup_jobs
    WHERE status IN ('completed', 'restored') AND deletion_started_at IS NULL
    ORDER BY created_at DESC, id DESC
    LIMIT 50
    """,
    "ALTER TABLE pgproof.restore_jobs ADD COLUMN databases_dropped_at timestamptz",
)


def upgrade() -> None:
    """Add the columns; the view leaves out what is being deleted."""
    for statement in _STATEMENTS:
        op.execute(statement)
