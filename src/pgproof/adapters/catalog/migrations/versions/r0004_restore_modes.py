"""What a restore was asked for beside its mode, and the transaction of one in place."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns."""
    op.execute(
        """
        ALTER TABLE pgproof.restore_jobs
            ADD COLUMN further_options jsonb NOT NULL DEFAULT '{}'::jsonb,
            ADD COLUMN transaction_id text
        """
    )
