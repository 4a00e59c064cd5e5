"""The tables of queued work. Those of the queue itself are Procrastinate's: see `queue_schema.py`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, SmallInteger, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pgproof.adapters.catalog.models import Base


class JobRow(Base):
    """A job."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    worker_group: Mapped[str] = mapped_column(String(40))
    requested_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    database: Mapped[str | None]
    subject_id: Mapped[int | None]
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    max_attempts: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    schedule_id: Mapped[int | None]
    not_before: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    worker: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    queue_id: Mapped[int | None]

    __table_args__ = (
        Index("idx_jobs_status", "status"),
        Index("idx_jobs_database", "database", "kind", "id"),
        Index("idx_jobs_subject", "kind", "subject_id"),
        Index("idx_unfinished_jobs", "id", postgresql_where=text("status IN ('queued', 'running')")),
    )


class ForgottenJobsRow(Base):
    """How many finished jobs of a kind, with one end and cause, are not in `jobs` any more."""

    __tablename__ = "forgotten_jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    cause: Mapped[str]
    jobs: Mapped[int]

    __table_args__ = (UniqueConstraint("kind", "status", "cause", name="uq_forgotten_jobs"),)


class QueueMigrationRow(Base):
    """One of Procrastinate's own migrations that the queue's tables have."""

    __tablename__ = "queue_migrations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())
