"""Users, tokens and the audit trail."""

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS = (
    """
    CREATE TABLE pgproof.users (
        id bigserial PRIMARY KEY,
        name text NOT NULL,
        name_key text NOT NULL UNIQUE,
        password_hash text NOT NULL,
        role varchar(20) NOT NULL,
        active boolean NOT NULL DEFAULT true,
        epoch bigint NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_sign_in_at timestamptz
    )
    """,
    """
    CREATE TABLE pgproof.sign_in_origins (
        id bigserial PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES pgproof.users (id) ON DELETE CASCADE,
        origin text NOT NULL,
        last_at timestamptz NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX idx_sign_in_origins ON pgproof.sign_in_origins (user_id, origin)",
    """
    CREATE TABLE pgproof.refresh_sessions (
        id bigserial PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES pgproof.users (id) ON DELETE CASCADE,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        address text
    )
    """,
    "CREATE INDEX idx_refresh_sessions_user ON pgproof.refresh_sessions (user_id)",
    "CREATE INDEX idx_refresh_sessions_expires_at ON pgproof.refresh_sessions (expires_at)",
    """
    CREATE TABLE pgproof.refresh_tokens (
        id bigserial PRIMARY KEY,
        session_id bigint NOT NULL REFERENCES pgproof.refresh_sessions (id) ON DELETE CASCADE,
        token_hash bytea NOT NULL UNIQUE,
        exchanged boolean NOT NULL DEFAULT false
    )
    """,
    "CREATE INDEX idx_refresh_tokens_session ON pgproof.refresh_tokens (session_id)",
    """
    CREATE TABLE pgproof.api_tokens (
        id bigserial PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES pgproof.users (id) ON DELETE CASCADE,
        name text NOT NULL,
        role varchar(20) NOT NULL,
        token_hash bytea NOT NULL UNIQUE,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz
    )
    """,
    "CREATE INDEX idx_api_tokens_user ON pgproof.api_tokens (user_id)",
    """
    CREATE TABLE pgproof.sign_in_failures (
        id bigserial PRIMARY KEY,
        name text NOT NULL,
        address text NOT NULL,
        failures integer NOT NULL,
        last_at timestamptz NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX idx_sign_in_failures ON pgproof.sign_in_failures (name, address)",
    "CREATE INDEX idx_sign_in_failures_last_at ON pgproof.sign_in_failures (last_at)",
    """
    CREATE TABLE pgproof.audit_trail (
        id bigserial PRIMARY KEY,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        object text NOT NULL,
        outcome text NOT NULL,
        address text,
        request_id text,
        details jsonb NOT NULL DEFAULT '{}'::jsonb
    )
    """,
    "CREATE INDEX idx_audit_trail_actor ON pgproof.audit_trail (actor, id)",
    "CREATE INDEX idx_audit_trail_object ON pgproof.audit_trail (object, id)",
    "CREATE INDEX idx_audit_trail_at ON pgproof.audit_trail (at)",
    """
    CREATE FUNCTION pgproof.refuse_to_change_the_audit_trail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit trail is only ever added to'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END $$
    """,
    """
    CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON pgproof.audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION pgproof.refuse_to_change_the_audit_trail()
    """,
    # Otherwise a session that plays a replica would pass by.
    "ALTER TABLE pgproof.audit_trail ENABLE ALWAYS TRIGGER only_added_to",
    # Nobody could be referred to before there were users.
    "UPDATE pgproof.backup_jobs SET created_by_id = NULL WHERE created_by_id IS NOT NULL",
    """
    ALTER TABLE pgproof.backup_jobs ADD CONSTRAINT backup_jobs_created_by_id_fkey
    FOREIGN KEY (created_by_id) REFERENCES pgproof.users (id) ON DELETE SET NULL
    """,
    "CREATE INDEX idx_backups_of_user ON pgproof.backup_jobs (created_by_id) WHERE created_by_id IS NOT NULL",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
