"""Queued work, the queue's own tables, and which worker group does the jobs of a database."""

from alembic import op

from pgproof.adapters.catalog import queue_schema
from pgproof.adapters.catalog.connect import driver_session

revision = "0009"
down_revision = "0008"

_STATEMENTS = (
    "ALTER TABLE pgproof.databases ADD COLUMN worker_group varchar(40) NOT NULL DEFAULT 'default'",
    """
    CREATE TABLE pgproof.jobs (
        id bigserial PRIMARY KEY,
        kind varchar(20) NOT NULL,
        status varchar(20) NOT NULL,
        worker_group varchar(40) NOT NULL,
        requested_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        database text,
        subject_id bigint,
        options jsonb NOT NULL DEFAULT '{}'::jsonb,
        attempt smallint NOT NULL DEFAULT 0,
        max_attempts smallint NOT NULL DEFAULT 1,
        schedule_id bigint,
        not_before timestamptz,
        started_at timestamptz,
        finished_at timestamptz,
        cancel_requested_at timestamptz,
        worker text,
        progress jsonb,
        result jsonb NOT NULL DEFAULT '{}'::jsonb,
        error_code text,
        error_message text,
        error_details jsonb NOT NULL DEFAULT '{}'::jsonb,
        queue_id bigint
    )
    """,
    "CREATE INDEX idx_jobs_status ON pgproof.jobs (status)",
    "CREATE INDEX idx_jobs_database ON pgproof.jobs (database, kind, id)",
    "CREATE INDEX idx_jobs_subject ON pgproof.jobs (kind, subject_id)",
    "CREATE INDEX idx_unfinished_jobs ON pgproof.jobs (id) WHERE status IN ('queued', 'running')",
    """
    CREATE TABLE pgproof.queue_migrations (
        id bigserial PRIMARY KEY,
        name text NOT NULL UNIQUE,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def upgrade() -> None:
    """Make the tables, ours and the queue's."""
    for statement in _STATEMENTS:
        op.execute(statement)
    queue_schema.create(driver_session(op.get_bind()))
