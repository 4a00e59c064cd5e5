"""The names of the variables."""

from collections.abc import Mapping

from pgproof.settings.model import Settings

PREFIX = "BACKUP_"

FIELDS: Mapping[str, str] = {
    f"{PREFIX}{field.upper()}": field for field in Settings.model_fields if field != "warnings"
}

SECRETS = frozenset(
    {
        "BACKUP_CATALOG_URL", "BACKUP_TEST_SERVER_URL", "BACKUP_SECRET_KEY", "BACKUP_POSTGRES_PASSWORD",
        "BACKUP_NOTIFY_URLS", "BACKUP_HEARTBEAT_URL",
    }
)  # fmt: skip

# An empty value of these is one: there is no such schedule, no such table. Of all others it is the same as none.
MAY_BE_EMPTY = frozenset({"BACKUP_SCHEDULE", "BACKUP_CLEANUP_SCHEDULE", "BACKUP_LOG_TABLES", "BACKUP_CACHE_TABLES"})

# Every variable that is read.
NAMES = (*FIELDS, *sorted(f"{name}_FILE" for name in SECRETS))

# What these read when they are not set themselves.
FALLBACKS: Mapping[str, str] = {
    "BACKUP_POSTGRES_USER": "POSTGRES_USER",
    "BACKUP_POSTGRES_PASSWORD": "POSTGRES_PASSWORD",
    "BACKUP_POSTGRES_DB": "POSTGRES_DB",
}

# Known, so no warning, but nothing in this release reads them.
LATER = frozenset(
    {
        "BACKUP_COPY_URLS", "BACKUP_ENCRYPTION_RECIPIENTS", "BACKUP_IDENTITY_FILE",
    }
)  # fmt: skip

# What libpq would read of a server, and we do not: a session of ours and a tool must mean the same one.
LIBPQ = (
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS",
    "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGCHANNELBINDING", "PGREQUIREAUTH",
    "PGGSSENCMODE", "PGTARGETSESSIONATTRS",
)  # fmt: skip
