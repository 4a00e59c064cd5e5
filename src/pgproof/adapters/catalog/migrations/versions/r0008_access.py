"""Users, tokens and the audit trail."""

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
