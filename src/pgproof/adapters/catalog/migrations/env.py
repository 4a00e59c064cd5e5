"""What Alembic runs: the migrations, on the connection and in the transaction of whoever called it."""

from alembic import context
from sqlalchemy import text

from pgproof.adapters.catalog import (  # noqa: F401 - their tables join the others
    access_models,
    alert_models,
    api_models,
    job_models,
    schedule_models,
)
from pgproof.adapters.catalog.models import SCHEMA, Base


def run() -> None:
    """Migrate in the schema pgproof, which also holds the table with the revision."""
    connection = context.config.attributes["connection"]
    # IF NOT EXISTS would ask for the right to create it even where it exists.
    if connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}')")) is None:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    context.configure(connection=connection, target_metadata=Base.metadata, version_table_schema=SCHEMA)
    context.run_migrations()


run()
