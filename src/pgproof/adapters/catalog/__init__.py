"""The catalog in PostgreSQL: models, migrations, repository."""
