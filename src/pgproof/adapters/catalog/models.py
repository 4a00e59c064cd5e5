"""The catalog's tables. Nobody outside this adapter sees them; Alembic's migrations make them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgproof.domain.backup import BackupStatus, BackupTrigger

SCHEMA = "pgproof"


def _enum(kind: type[StrEnum], name: str) -> Enum:
    return Enum(kind, name=name, schema=SCHEMA, values_callable=lambda members: [member.value for member in members])


class Base(DeclarativeBase):
    """All tables, in a schema of their own."""

    metadata = MetaData(schema=SCHEMA)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it so
        int: BigInteger,
        float: Double,
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        BackupStatus: _enum(BackupStatus, "backup_status"),
        BackupTrigger: _enum(BackupTrigger, "backup_trigger"),
    }


class DatabaseRow(Base):
    """A registered database and how to reach it."""

    __tablename__ = "databases"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    dbname: Mapped[str]
    host: Mapped[str]
    port: Mapped[int] = mapped_column(Integer)
    username: Mapped[str]
    password_sealed: Mapped[bytes | None]
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    from_settings: Mapped[bool] = mapped_column(server_default=false())
    worker_group: Mapped[str] = mapped_column(String(40), server_default="default")


class BackupRow(Base):
    """A backup. `created_by_id` is empty when nobody of ours asked for it, and when that user is gone."""

    __tablename__ = "backup_jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    filename: Mapped[str] = mapped_column(String(500), unique=True)
    file_path: Mapped[str] = mapped_column(String(1000))
    file_size: Mapped[int | None]
    checksum_sha256: Mapped[str | None] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(20), server_default="custom")
    compression_level: Mapped[int] = mapped_column(SmallInteger, server_default="6")
    include_logs: Mapped[bool] = mapped_column(server_default=false())
    include_cache: Mapped[bool] = mapped_column(server_default=false())
    parallel_jobs: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    status: Mapped[BackupStatus]
    trigger_source: Mapped[BackupTrigger]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[int | None] = mapped_column(Integer)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("pgproof.users.id", ondelete="SET NULL"))
    error_message: Mapped[str | None]
    error_details: Mapped[dict[str, Any] | None]
    database_size_bytes: Mapped[int | None]
    tables_count: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    description: Mapped[str | None]
    database: Mapped[str]
    storage_url: Mapped[str]
    compression: Mapped[str] = mapped_column(String(20), server_default="zstd")
    compression_wanted: Mapped[str | None] = mapped_column(String(20))
    held: Mapped[bool] = mapped_column(server_default=false())
    verified_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    deletion_started_at: Mapped[datetime | None]
    deletion_target: Mapped[BackupStatus | None]
    fingerprint: Mapped[str] = mapped_column(String(20), server_default="counts")
    proven_at: Mapped[datetime | None]
    rows_count: Mapped[int | None]
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('simple'::regconfig, regexp_replace("
            "database || ' ' || filename || ' ' || \"left\"(COALESCE(description, ''), 2000), "
            r"'[!-/:-@\[-`{-~\s]+', ' ', 'g'))",
            persisted=True,
        ),
        nullable=True,
        deferred=True,
    )

    __table_args__ = (
        Index("idx_backup_jobs_status", "status"),
        Index("idx_backup_jobs_created_at", created_at.desc()),
        Index("idx_backup_jobs_expires_at", "expires_at", postgresql_where=text("status = 'completed'")),
        Index("idx_backup_jobs_trigger_source", "trigger_source"),
        Index("idx_backups_of_user", "created_by_id", postgresql_where=text("created_by_id IS NOT NULL")),
        Index("idx_backups_by_words", "search", postgresql_using="gin"),
        Index("idx_backups_by_age", text("created_at DESC"), text("id DESC")),
        Index("idx_backups_by_database_and_age", "database", text("created_at DESC"), text("id DESC")),
        Index("idx_backups_by_status_and_age", "status", text("created_at DESC"), text("id DESC")),
        Index("idx_backups_by_trigger_and_age", "trigger_source", text("created_at DESC"), text("id DESC")),
        Index(
            "idx_usable_backups",
            "database",
            text("completed_at DESC"),
            postgresql_include=["file_size"],
            postgresql_where=text("status IN ('completed', 'restored') AND deletion_started_at IS NULL"),
        ),
        Index(
            "idx_failed_backups",
            "database",
            text("completed_at DESC"),
            postgresql_where=text("status = 'failed'"),
        ),
        Index(
            "idx_usable_backups_by_end",
            "completed_at",
            postgresql_where=text("status IN ('completed', 'restored') AND deletion_started_at IS NULL"),
        ),
        Index(
            "idx_unfinished_deletions",
            "deletion_started_at",
            postgresql_where=text("deletion_started_at IS NOT NULL AND status NOT IN ('expired', 'deleted')"),
        ),
    )


class RestoreRow(Base):
    """A restore."""

    __tablename__ = "restore_jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    backup_id: Mapped[int] = mapped_column(ForeignKey("pgproof.backup_jobs.id"))
    safety_backup_id: Mapped[int | None] = mapped_column(ForeignKey("pgproof.backup_jobs.id"))
    database: Mapped[str]
    dbname: Mapped[str]
    shadow_database: Mapped[str]
    previous_database: Mapped[str | None]
    mode: Mapped[str] = mapped_column(String(20))
    create_safety_backup: Mapped[bool]
    run_analyze: Mapped[bool]
    parallel_jobs: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[str] = mapped_column(String(20))
    step: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    undo_until: Mapped[datetime | None]
    timings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    further_options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    transaction_id: Mapped[str | None]
    live_oid: Mapped[int | None]
    shadow_oid: Mapped[int | None]
    system_identifier: Mapped[str | None]
    error_message: Mapped[str | None]
    error_details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    databases_dropped_at: Mapped[datetime | None]

    __table_args__ = (
        Index("idx_restore_jobs_status", "status"),
        Index("idx_restores_by_age", text("created_at DESC"), text("id DESC")),
        Index("idx_restores_by_database_and_age", "database", text("created_at DESC"), text("id DESC")),
    )


class RestoreTestRow(Base):
    """A restore test. The errors are the verdict's where there is an outcome, else of the work itself."""

    __tablename__ = "restore_tests"

    id: Mapped[int] = mapped_column(primary_key=True)
    backup_id: Mapped[int] = mapped_column(ForeignKey("pgproof.backup_jobs.id"))
    database: Mapped[str]
    status: Mapped[str] = mapped_column(String(20))
    step: Mapped[str] = mapped_column(String(30))
    outcome: Mapped[str | None] = mapped_column(String(20))
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    timings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    server: Mapped[str | None]
    system_identifier: Mapped[str | None]
    database_name: Mapped[str | None]
    database_oid: Mapped[int | None]
    differences: Mapped[dict[str, Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    missing: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    compared: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    remarks: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    error_message: Mapped[str | None]
    error_details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (
        Index("idx_restore_tests_backup", "backup_id"),
        Index("idx_restore_tests_by_age", text("started_at DESC"), text("id DESC")),
        Index(
            "idx_restore_test_outcomes",
            "database",
            "outcome",
            text("completed_at DESC"),
            postgresql_where=text("outcome IN ('passed', 'failed')"),
        ),
        Index("idx_unfinished_restore_tests", "started_at", postgresql_where=text("status = 'running'")),
    )


class InstallationRow(Base):
    """The one row that tells this catalog from every other."""

    __tablename__ = "installation"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())


class LogRow(Base):
    """Some lines of a job's log; rows are only ever added."""

    __tablename__ = "job_logs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    job_id: Mapped[int]
    logged_at: Mapped[datetime]
    lines: Mapped[list[str]]

    __table_args__ = (Index("idx_job_logs_job", "kind", "job_id", "id"),)
