"""The schema that the migrations make is the one that was promised, and no upgrade loses a row."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from pgproof.adapters.catalog.connect import make_engine
from pgproof.adapters.catalog.models import SCHEMA, Base
from pgproof.adapters.catalog.prepare import prepare_catalog
from pgproof.adapters.catalog.revisions import HEAD, MIGRATIONS, is_current, stored_revision, upgrade
from pgproof.domain.backup import BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from tests.servers import Server

_CONFIG = Config()
_CONFIG.set_main_option("script_location", str(MIGRATIONS))
_SCRIPTS = ScriptDirectory.from_config(_CONFIG)
REVISIONS = [script.revision for script in reversed(list(_SCRIPTS.walk_revisions()))]

# name, type, nullable, default: as the contract has them, in its order.
CONTRACT = [
    ("id", "bigint", False, "nextval('pgproof.backup_jobs_id_seq'::regclass)"),
    ("filename", "character varying(500)", False, None),
    ("file_path", "character varying(1000)", False, None),
    ("file_size", "bigint", True, None),
    ("checksum_sha256", "character varying(64)", True, None),
    ("format", "character varying(20)", False, "'custom'::character varying"),
    ("compression_level", "smallint", False, "6"),
    ("include_logs", "boolean", False, "false"),
    ("include_cache", "boolean", False, "false"),
    ("parallel_jobs", "smallint", False, "1"),
    ("status", "pgproof.backup_status", False, None),
    ("trigger_source", "pgproof.backup_trigger", False, None),
    ("started_at", "timestamp with time zone", True, None),
    ("completed_at", "timestamp with time zone", True, None),
    ("duration_seconds", "integer", True, None),
    ("created_by_id", "bigint", True, None),
    ("error_message", "text", True, None),
    ("error_details", "jsonb", True, None),
    ("database_size_bytes", "bigint", True, None),
    ("tables_count", "integer", True, None),
    ("created_at", "timestamp with time zone", False, "now()"),
    ("expires_at", "timestamp with time zone", True, None),
    ("description", "text", True, None),
]

INDEXES = {
    "CREATE INDEX idx_backup_jobs_status ON pgproof.backup_jobs USING btree (status)",
    "CREATE INDEX idx_backup_jobs_created_at ON pgproof.backup_jobs USING btree (created_at DESC)",
    (
        "CREATE INDEX idx_backup_jobs_expires_at ON pgproof.backup_jobs USING btree (expires_at)"
        " WHERE (status = 'completed'::pgproof.backup_status)"
    ),
    "CREATE INDEX idx_backup_jobs_trigger_source ON pgproof.backup_jobs USING btree (trigger_source)",
}

# Rows for the tables of each revision; a new revision with a new table adds its own here.
SAMPLES = {
    "0001": """
        INSERT INTO pgproof.backup_jobs
            (filename, file_path, status, trigger_source, error_details, database, storage_url)
        SELECT 'b' || n, 'shop/b' || n, 'completed', 'manual_api', '{"a": [1]}', 'shop', 'file:///b'
        FROM generate_series(1, 3) n""",
    "0002": """
        INSERT INTO pgproof.databases (name, dbname, host, port, username, password_sealed)
        VALUES ('shop', 'shop', 'db', 5432, 'app', '\\x00ff');
        INSERT INTO pgproof.restore_jobs (backup_id, database, dbname, shadow_database, mode, create_safety_backup,
                                          run_analyze, parallel_jobs, status, step)
        SELECT id, 'shop', 'shop', 's', 'swap', true, true, 2, 'completed', 'done' FROM pgproof.backup_jobs;
        INSERT INTO pgproof.job_logs (kind, job_id, logged_at, lines) VALUES ('backup', 1, now(), '{a,b}')""",
    "0003": """
        INSERT INTO pgproof.backup_jobs
            (filename, file_path, status, trigger_source, database, storage_url, held, held_until,
             deletion_started_at, deletion_target)
        VALUES ('b9', 'shop/b9', 'restored', 'manual_cli', 'shop', 'file:///b', true, now(), now(), 'expired');
        UPDATE pgproof.restore_jobs SET databases_dropped_at = now()""",
    "0004": """
        UPDATE pgproof.restore_jobs SET transaction_id = '77', live_oid = 16384, shadow_oid = 16385,
            further_options = '{"tables": ["public.a"]}'""",
    "0005": "UPDATE pgproof.databases SET from_settings = true",
    "0006": "UPDATE pgproof.backup_jobs SET fingerprint = 'content'",
    "0007": """
        UPDATE pgproof.backup_jobs SET proven_at = now();
        INSERT INTO pgproof.restore_tests
            (backup_id, database, status, step, outcome, started_at, database_oid, differences, missing, remarks)
        SELECT id, 'shop', 'completed', 'done', 'failed', now(), 16384, '[["table", "public.a", "1 rows", null]]',
               '{extension hstore}', '{a remark}' FROM pgproof.backup_jobs WHERE id = 1""",
    "0008": """
        INSERT INTO pgproof.users (name, name_key, password_hash, role) VALUES ('Ann', 'ann', '$argon2id$x', 'admin');
        INSERT INTO pgproof.sign_in_origins (user_id, origin, last_at) VALUES (1, '10.0.0.1', now());
        INSERT INTO pgproof.refresh_sessions (user_id, created_at, expires_at) VALUES (1, now(), now());
        INSERT INTO pgproof.refresh_tokens (session_id, token_hash) VALUES (1, '\\x00ff');
        INSERT INTO pgproof.api_tokens (user_id, name, role, token_hash, created_at)
        VALUES (1, 'ci', 'viewer', '\\x00ff', now());
        INSERT INTO pgproof.sign_in_failures (name, address, failures, last_at) VALUES ('', '10.0.0.1', 3, now());
        INSERT INTO pgproof.audit_trail (at, actor, action, object, outcome, details)
        VALUES (now(), 'Ann', 'hold', 'backup 1', 'done', '{"a": 1}');
        UPDATE pgproof.backup_jobs SET created_by_id = 1 WHERE id = 1""",
    "0009": """
        UPDATE pgproof.databases SET worker_group = 'near';
        INSERT INTO pgproof.jobs (kind, status, worker_group, requested_by, database, subject_id, progress, result)
        VALUES ('backup', 'running', 'near', 'cli:ann', 'shop', 1, '{"step": "dump"}', '{"backup_id": 1}');
        SET search_path TO pgproof;
        INSERT INTO procrastinate_workers DEFAULT VALUES;
        INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('near', 'pgproof', '{"job_id": 1}');
        INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp) VALUES ('nothing', 1)""",
    "0010": """
        INSERT INTO pgproof.schedules (database, task, cron, zone, options, settled_until, last_due_at, created_by)
        VALUES ('shop', 'backup', '0 2 * * *', 'Europe/Berlin', '{"include_logs": true}', now(), now(), 'ann');
        INSERT INTO pgproof.schedule_runs (schedule_id, due_at, started_at, jobs, missed, problems)
        SELECT id, now(), now(), 1, 2, '{a problem}' FROM pgproof.schedules""",
    "0011": """
        INSERT INTO pgproof.alerts (kind, database, about, summary, hint, opened_at, told, told_at)
        VALUES ('failed', 'shop', 'backup', 's', 'h', now(), true, now());
        INSERT INTO pgproof.alert_notices
            (occasion, kind, database, about, summary, hint, opened_at, created_at, next_at, delivered)
        VALUES ('begin', 'failed', 'shop', 'backup', 's', 'h', now(), now(), now(), '{abc}');
        INSERT INTO pgproof.alert_rules (database, kinds, urls_sealed, unproven_after_days, shrunken_below)
        VALUES ('shop', '{failed}', '\\x00ff', 14, 0.5);
        INSERT INTO pgproof.heartbeats (told_at) VALUES (now());
        UPDATE pgproof.backup_jobs SET rows_count = 7""",
    "0012": """
        INSERT INTO pgproof.idempotency_keys (caller, key, request_sha256, created_at, answer)
        VALUES ('admin', 'a key', repeat('ab', 32), now(), '{"job_id": 1}')""",
    "0013": """
        INSERT INTO pgproof.forgotten_jobs (kind, status, cause, jobs) VALUES ('backup', 'failed', 'dump_failed', 3)""",
    "0014": "UPDATE pgproof.restore_jobs SET system_identifier = '7300000000000000001'",
}


@pytest.fixture
def place(server18: Server) -> ConnectionInfo:
    return server18.create_database()


def rows_of(server: Server, place: ConnectionInfo) -> dict[str, list[dict[str, Any]]]:
    tables = server.sql(
        place, "SELECT tablename FROM pg_tables WHERE schemaname = 'pgproof' AND tablename <> 'alembic_version'"
    )
    return {
        table: [row for (row,) in server.sql(place, f"SELECT to_jsonb(t) FROM pgproof.{table} t ORDER BY id")]
        for (table,) in tables
    }


def test_the_table_of_backups_is_as_the_contract_says(server18: Server, catalog_connection: ConnectionInfo) -> None:
    columns = server18.sql(
        catalog_connection,
        """SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid)
           FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
           WHERE attrelid = 'pgproof.backup_jobs'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum""",
    )
    assert columns[: len(CONTRACT)] == CONTRACT


def test_file_names_are_unique(server18: Server, catalog_connection: ConnectionInfo) -> None:
    constraints = server18.sql(
        catalog_connection,
        "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'pgproof.backup_jobs'::regclass AND contype IN ('p', 'u') ORDER BY 1",
    )
    assert constraints == [("p", "PRIMARY KEY (id)"), ("u", "UNIQUE (filename)")]


def test_the_four_indexes_exist(server18: Server, catalog_connection: ConnectionInfo) -> None:
    found = server18.sql(
        catalog_connection,
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'pgproof' AND indexname LIKE 'idx_backup_jobs_%'",
    )
    assert {definition for (definition,) in found} == INDEXES


@pytest.mark.parametrize(("name", "kind"), [("backup_status", BackupStatus), ("backup_trigger", BackupTrigger)])
def test_the_enums_hold_the_lower_case_words(
    server18: Server, catalog_connection: ConnectionInfo, name: str, kind: type[BackupStatus | BackupTrigger]
) -> None:
    labels = server18.sql(
        catalog_connection,
        f"SELECT enumlabel FROM pg_enum WHERE enumtypid = 'pgproof.{name}'::regtype ORDER BY enumsortorder",
    )
    assert [label for (label,) in labels] == [member.value for member in kind]


def test_the_view_shows_the_fifty_newest_usable_backups(server18: Server, catalog_connection: ConnectionInfo) -> None:
    server18.sql(
        catalog_connection,
        """INSERT INTO pgproof.backup_jobs
               (filename, file_path, status, trigger_source, database, storage_url, created_at)
           SELECT 'b' || n, 'p', CASE WHEN n % 10 = 0 THEN 'failed' WHEN n % 10 = 1 THEN 'restored'
                  ELSE 'completed' END::pgproof.backup_status, 'manual_api', 'shop', 's', now() + n * interval '1 s'
           FROM generate_series(1, 100) n""",
        "UPDATE pgproof.backup_jobs SET deletion_started_at = now() WHERE filename = 'b99'",
    )
    columns = server18.sql(
        catalog_connection,
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'pgproof' AND table_name = 'backup_jobs_recent' ORDER BY ordinal_position",
    )
    assert ", ".join(name for (name,) in columns) == (
        "id, filename, file_size, status, trigger_source, created_at, duration_seconds, created_by_id"
    )
    names = [name for (name,) in server18.sql(catalog_connection, "SELECT filename FROM pgproof.backup_jobs_recent")]
    assert names == [f"b{n}" for n in range(98, 0, -1) if n % 10][:50]


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The queue's tables are Procrastinate's: no model of ours describes them."""
    if kind == "schema":
        return name == SCHEMA
    return kind != "table" or not str(name).startswith("procrastinate_")


def test_the_models_are_what_the_migrations_make(catalog_connection: ConnectionInfo) -> None:
    engine = make_engine(catalog_connection)
    options = {
        "include_schemas": True,
        "include_name": _is_ours,
        "version_table_schema": SCHEMA,
        "compare_type": True,
        "compare_server_default": True,
    }
    with engine.connect() as opened:
        differences = compare_metadata(MigrationContext.configure(opened, opts=options), Base.metadata)
    engine.dispose()
    assert differences == []


def test_the_newest_revision_is_the_one_that_a_start_looks_for() -> None:
    assert _SCRIPTS.get_heads() == [HEAD]


def test_every_revision_has_sample_rows() -> None:
    assert sorted(SAMPLES) == sorted(REVISIONS)


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_upgrade_from_any_revision_keeps_every_row(server18: Server, place: ConnectionInfo, revision: str) -> None:
    upgrade(place, revision)
    assert stored_revision(place) == revision
    for earlier in REVISIONS[: REVISIONS.index(revision) + 1]:
        server18.sql(place, SAMPLES[earlier])
    before = rows_of(server18, place)
    assert before
    assert all(before.values())
    upgrade(place)
    assert stored_revision(place) == HEAD
    after = rows_of(server18, place)
    for table, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[table]]
        assert json.dumps(kept) == json.dumps(rows)


def test_upgrades_at_the_same_moment_do_not_disturb_each_other(place: ConnectionInfo) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade, [place] * 3))
    assert stored_revision(place) == HEAD


def test_the_queue_lives_in_our_schema_and_leaves_public_alone(server18: Server, place: ConnectionInfo) -> None:
    upgrade(place)
    found = server18.sql(
        place,
        """SELECT DISTINCT nspname FROM pg_namespace n WHERE
               EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND relname LIKE 'procrastinate%')
            OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND proname LIKE 'procrastinate%')
            OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid AND typname LIKE 'procrastinate%')""",
    )
    assert found == [("pgproof",)]


def test_a_migration_of_a_newer_queue_library_is_run_at_the_next_start(server18: Server, place: ConnectionInfo) -> None:
    upgrade(place)
    assert is_current(place)
    # The last one makes a trigger anew. Without both it is as if an older library had made the catalog.
    server18.sql(
        place,
        "DELETE FROM pgproof.queue_migrations"
        ' WHERE name = (SELECT max(name COLLATE "C") FROM pgproof.queue_migrations)',
        "DROP TRIGGER procrastinate_trigger_status_events_update_v1 ON pgproof.procrastinate_jobs",
    )
    assert not is_current(place)
    prepare_catalog(place)
    assert is_current(place)
    made = server18.sql(place, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%status_events_update_v1'")
    assert made == [(1,)]
