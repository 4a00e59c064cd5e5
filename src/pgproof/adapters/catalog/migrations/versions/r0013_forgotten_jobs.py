"""How many finished jobs were forgotten, so that what counts jobs never counts backwards."""

from alembic import op

revision = "0013"
down_revision = "0012"

_TABLE = """
    CREATE TABLE pgproof.forgotten_jobs (
        id bigserial PRIMARY KEY,
        kind varchar(20) NOT NULL,
        status varchar(20) NOT NULL,
        cause text NOT NULL,
        jobs bigint NOT NULL,
        CONSTRAINT uq_forgotten_jobs UNIQUE (kind, status, cause)
    )
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(_TABLE)
