"""The catalog's tables of alerts, of what is told of them, and of who is told."""

from datetime import datetime

from sqlalchemy import Index, Integer, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pgproof.adapters.catalog.models import Base


class AlertRow(Base):
    """An alert, open or over; an empty `database` is all of them."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    database: Mapped[str]
    about: Mapped[str]
    summary: Mapped[str]
    hint: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    told: Mapped[bool]
    told_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("kind", "database", "about", name="one_alert_for_each_key"),)


class NoticeRow(Base):
    """Something that is or was to be told. `next_at` is empty once nobody is to try any more."""

    __tablename__ = "alert_notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    occasion: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    database: Mapped[str]
    about: Mapped[str]
    summary: Mapped[str]
    hint: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    delivered: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    sent_at: Mapped[datetime | None]
    problem: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (Index("idx_waiting_notices", "next_at", postgresql_where=text("next_at IS NOT NULL")),)


class RuleRow(Base):
    """A rule; an empty `database` is all that have none of their own."""

    __tablename__ = "alert_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    database: Mapped[str]
    kinds: Mapped[list[str]]
    urls_sealed: Mapped[bytes | None]
    late_after_hours: Mapped[float | None]
    unproven_after_days: Mapped[int] = mapped_column(Integer)
    shrunken_below: Mapped[float]

    __table_args__ = (UniqueConstraint("database", name="one_rule_for_each_database"),)


class HeartbeatRow(Base):
    """The one row with the success that was last told to who waits for heartbeats."""

    __tablename__ = "heartbeats"

    id: Mapped[int] = mapped_column(primary_key=True)
    told_at: Mapped[datetime]
