"""What a restore was asked for beside its mode, what tells its databases apart, and which installation this is."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """
    ALTER TABLE pgproof.restore_jobs
        ADD COLUMN further_options jsonb NOT NULL DEFAULT '{}'::jsonb,
        ADD COLUMN transaction_id text,
        ADD COLUMN live_oid bigint,
        ADD COLUMN shadow_oid bigint
    """,
    "CREATE TABLE pgproof.installation (id uuid PRIMARY KEY DEFAULT gen_random_uuid())",
    "INSERT INTO pgproof.installation DEFAULT VALUES",
)


def upgrade() -> None:
    """Add the columns, and give the catalog its name."""
    for statement in _STATEMENTS:
        op.execute(statement)
