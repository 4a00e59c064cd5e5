"""The table of backups, its enums, indexes and view."""

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TYPE pgproof.backup_status AS ENUM (
        'pending', 'running', 'completed', 'failed', 'restored', 'cancelled', 'expired', 'deleted')
    """,
    """
    CREATE TYPE pgproof.backup_trigger AS ENUM (
        'manual_api', 'scheduled_cron', 'pre_restore_safety', 'manual_cli', 'imported')
    """,
    """
    CREATE TABLE pgproof.backup_jobs (
        id bigserial PRIMARY KEY,
        filename varchar(500) NOT NULL UNIQUE,
        file_path varchar(1000) NOT NULL,
        file_size bigint,
        checksum_sha256 varchar(64),
        format varchar(20) NOT NULL DEFAULT 'custom',
        compression_level smallint NOT NULL DEFAULT 6,
        include_logs boolean NOT NULL DEFAULT false,
        include_cache boolean NOT NULL DEFAULT false,
        parallel_jobs smallint NOT NULL DEFAULT 1,
        status pgproof.backup_status NOT NULL,
        trigger_source pgproof.backup_trigger NOT NULL,
        started_at timestamptz,
        completed_at timestamptz,
        duration_seconds integer,
        created_by_id bigint,
        error_message text,
        error_details jsonb,
        database_size_bytes bigint,
        tables_count integer,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        description text,
        database text NOT NULL,
        storage_url text NOT NULL,
        compression varchar(20) NOT NULL DEFAULT 'zstd',
        compression_wanted varchar(20),
        held boolean NOT NULL DEFAULT false,
        verified_at timestamptz
    )
    """,
    "CREATE INDEX idx_backup_jobs_status ON pgproof.backup_jobs (status)",
    "CREATE INDEX idx_backup_jobs_created_at ON pgproof.backup_jobs (created_at DESC)",
    "CREATE INDEX idx_backup_jobs_expires_at ON pgproof.backup_jobs (expires_at) WHERE status = 'completed'",
    "CREATE INDEX idx_backup_jobs_trigger_source ON pgproof.backup_jobs (trigger_source)",
    """
    CREATE VIEW pgproof.backup_jobs_recent AS
    SELECT id, filename, file_size, status, trigger_source, created_at, duration_seconds, created_by_id
    FROM pgproof.backup_jobs
    WHERE status IN ('completed', 'restored')
    ORDER BY created_at DESC, id DESC
    LIMIT 50
    """,
)


def upgrade() -> None:
    """Make what the contract names."""
    for statement in _STATEMENTS:
        op.execute(statement)
