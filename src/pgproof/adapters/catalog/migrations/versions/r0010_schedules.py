"""Schedules, and which of their runs were started."""

from alembic import op

revision = "0010"
down_revision = "0009"

_STATEMENTS: tuple[str, ...] = ()


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
