"""How much of every table a backup's fingerprint holds."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; backups that are there have row counts."""
    op.execute("ALTER TABLE pgproof.backup_jobs ADD COLUMN fingerprint varchar(20) NOT NULL DEFAULT 'counts'")
