"""Which databases the settings registered, and not a person."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; what is registered already counts as a person's."""
    op.execute("ALTER TABLE pgproof.databases ADD COLUMN from_settings boolean NOT NULL DEFAULT false")
