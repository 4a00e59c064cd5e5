"""What lists and totals of the API are read from, and the answers that a repeated request gets again."""

from alembic import op

revision = "0012"
down_revision = "0011"

# Punctuation of ASCII ends a word. The rest is left to PostgreSQL's own parser, which then splits by locale.
_SEARCH = (
    "to_tsvector('simple'::regconfig, regexp_replace("
    "database || ' ' || filename || ' ' || \"left\"(COALESCE(description, ''), 2000), "
    "'[!-/:-@\\[-`{-~\\s]+', ' ', 'g'))"
)

_TABLES = (
    """
    CREATE TABLE pgproof.idempotency_keys (
        id bigserial PRIMARY KEY,
        caller text NOT NULL,
        key text NOT NULL,
        request_sha256 varchar(64) NOT NULL,
        created_at timestamptz NOT NULL,
        answer jsonb,
        CONSTRAINT uq_idempotency_keys_caller_key UNIQUE (caller, key)
    )
    """,
    "CREATE INDEX idx_idempotency_keys_created_at ON pgproof.idempotency_keys (created_at)",
    """
    CREATE TABLE pgproof.backup_counts (
        id bigserial PRIMARY KEY,
        database text NOT NULL,
        status pgproof.backup_status NOT NULL,
        trigger_source pgproof.backup_trigger NOT NULL,
        being_deleted boolean NOT NULL,
        backups bigint NOT NULL,
        bytes numeric NOT NULL,
        CONSTRAINT uq_backup_counts UNIQUE (database, status, trigger_source, being_deleted)
    )
    """,
)

_INDEXES = (
    f"ALTER TABLE pgproof.backup_jobs ADD COLUMN search tsvector GENERATED ALWAYS AS ({_SEARCH}) STORED",
    "CREATE INDEX idx_backups_by_words ON pgproof.backup_jobs USING gin (search)",
    "CREATE INDEX idx_backups_by_age ON pgproof.backup_jobs (created_at DESC, id DESC)",
    "CREATE INDEX idx_backups_by_database_and_age ON pgproof.backup_jobs (database, created_at DESC, id DESC)",
    "CREATE INDEX idx_backups_by_status_and_age ON pgproof.backup_jobs (status, created_at DESC, id DESC)",
    "CREATE INDEX idx_backups_by_trigger_and_age ON pgproof.backup_jobs (trigger_source, created_at DESC, id DESC)",
    """
    CREATE INDEX idx_usable_backups_by_end ON pgproof.backup_jobs (completed_at)
    WHERE status IN ('completed', 'restored') AND deletion_started_at IS NULL
    """,
    "DROP INDEX pgproof.idx_backups_of_database",
    "CREATE INDEX idx_restores_by_age ON pgproof.restore_jobs (created_at DESC, id DESC)",
    "CREATE INDEX idx_restores_by_database_and_age ON pgproof.restore_jobs (database, created_at DESC, id DESC)",
    "CREATE INDEX idx_restore_tests_by_age ON pgproof.restore_tests (started_at DESC, id DESC)",
)

# One statement changes each count once, and in the order of the keys, so that two of them never wait for each other.
_COUNT = """
    INSERT INTO pgproof.backup_counts AS counts (database, status, trigger_source, being_deleted, backups, bytes)
    SELECT database, status, trigger_source, deletion_started_at IS NOT NULL, sum(sign), sum(sign * file_size)
    FROM ({rows}) AS changed
    GROUP BY 1, 2, 3, 4
    HAVING sum(sign) <> 0 OR sum(sign * file_size) <> 0
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (database, status, trigger_source, being_deleted) DO UPDATE
    SET backups = counts.backups + excluded.backups, bytes = counts.bytes + excluded.bytes
"""
_ROWS = (
    "SELECT database, status, trigger_source, deletion_started_at,"
    " COALESCE(file_size, 0) AS file_size, {sign} AS sign FROM {table}"
)
_ADDED = _ROWS.format(sign="1", table="added")
_REMOVED = _ROWS.format(sign="-1", table="removed")


def _function(name: str, rows: str) -> str:
    return f"""
    CREATE FUNCTION pgproof.{name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $function$
    BEGIN
        {_COUNT.format(rows=rows)};
        RETURN NULL;
    END
    $function$
    """


def _trigger(name: str, event: str, tables: str) -> str:
    return f"""
    CREATE TRIGGER count_{name} AFTER {event} ON pgproof.backup_jobs REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION pgproof.count_{name}_backups()
    """


_COUNTING = (
    _function("count_added_backups", _ADDED),
    _function("count_removed_backups", _REMOVED),
    _function("count_changed_backups", f"{_ADDED} UNION ALL {_REMOVED}"),
    _trigger("added", "INSERT", "NEW TABLE AS added"),
    _trigger("removed", "DELETE", "OLD TABLE AS removed"),
    _trigger("changed", "UPDATE", "OLD TABLE AS removed NEW TABLE AS added"),
    _COUNT.format(rows=_ROWS.format(sign="1", table="pgproof.backup_jobs")),
)


def upgrade() -> None:
    """Make the tables, the indexes, and the triggers that count."""
    for statement in (*_TABLES, *_INDEXES, *_COUNTING):
        op.execute(statement)
