"""On which server a restore was begun, so that no other one is asked what became of it."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column; of restores that are there already nobody knows it."""
    op.execute("ALTER TABLE pgproof.restore_jobs ADD COLUMN system_identifier text")
