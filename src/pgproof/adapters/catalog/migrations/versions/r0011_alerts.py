"""Alerts, what was told of them, and who is told."""

from alembic import op

revision = "0011"
down_revision = "0010"

_STATEMENTS: tuple[str, ...] = (
    """
    CREATE TABLE pgproof.alerts (
        id bigserial PRIMARY KEY,
        kind varchar(20) NOT NULL,
        database text NOT NULL,
        about text NOT NULL,
        summary text NOT NULL,
        hint text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        told boolean NOT NULL,
        told_at timestamptz,
        CONSTRAINT one_alert_for_each_key UNIQUE (kind, database, about)
    )
    """,
    """
    CREATE TABLE pgproof.alert_notices (
        id bigserial PRIMARY KEY,
        occasion varchar(20) NOT NULL,
        kind varchar(20) NOT NULL,
        database text NOT NULL,
        about text NOT NULL,
        summary text NOT NULL,
        hint text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        created_at timestamptz NOT NULL,
        next_at timestamptz,
        attempts smallint NOT NULL DEFAULT 0,
        delivered text[] NOT NULL DEFAULT '{}'::text[],
        sent_at timestamptz,
        problem text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX idx_waiting_notices ON pgproof.alert_notices (next_at) WHERE next_at IS NOT NULL",
    """
    CREATE TABLE pgproof.alert_rules (
        id bigserial PRIMARY KEY,
        database text NOT NULL,
        kinds text[] NOT NULL,
        urls_sealed bytea,
        late_after_hours double precision,
        unproven_after_days integer NOT NULL,
        shrunken_below double precision NOT NULL,
        CONSTRAINT one_rule_for_each_database UNIQUE (database)
    )
    """,
    """
    CREATE TABLE pgproof.heartbeats (
        id bigserial PRIMARY KEY,
        told_at timestamptz NOT NULL
    )
    """,
    "ALTER TABLE pgproof.backup_jobs ADD COLUMN rows_count bigint",
    """
    CREATE INDEX idx_restore_test_outcomes ON pgproof.restore_tests (database, outcome, completed_at DESC)
    WHERE outcome IN ('passed', 'failed')
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
