"""The catalog's tables of schedules and of their runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from pgproof.adapters.catalog.models import Base


class ScheduleRow(Base):
    """A schedule. `database` is a name, not a reference: the schedule of a forgotten database is reported."""

    __tablename__ = "schedules"

    id: Mapped[int] = mapped_column(primary_key=True)
    database: Mapped[str | None]
    task: Mapped[str] = mapped_column(String(20))
    cron: Mapped[str] = mapped_column(String(200))
    zone: Mapped[str] = mapped_column(String(100))
    enabled: Mapped[bool] = mapped_column(server_default=true())
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    from_settings: Mapped[bool] = mapped_column(server_default=false())
    settled_until: Mapped[datetime]
    last_due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]

    __table_args__ = (
        Index("idx_same_schedule", "database", "task", "cron", "zone", unique=True),
        Index(
            "idx_same_schedule_of_all",
            "task",
            "cron",
            "zone",
            unique=True,
            postgresql_where=text("database IS NULL AND NOT from_settings"),
        ),
        Index("idx_schedule_of_settings", "task", unique=True, postgresql_where=text("from_settings")),
    )


class ScheduleRunRow(Base):
    """What became of one due time of a schedule."""

    __tablename__ = "schedule_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("pgproof.schedules.id", ondelete="CASCADE"))
    due_at: Mapped[datetime]
    started_at: Mapped[datetime]
    jobs: Mapped[int] = mapped_column(Integer, server_default="0")
    missed: Mapped[int] = mapped_column(Integer, server_default="0")
    problems: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))

    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at", name="one_run_for_each_due_time"),
        Index("idx_schedule_runs_started_at", "started_at"),
    )
