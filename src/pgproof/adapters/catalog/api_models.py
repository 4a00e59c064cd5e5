"""Tables for the API: answers to repeat, and what triggers count."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, Numeric, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pgproof.adapters.catalog.models import Base
from pgproof.domain.backup import BackupStatus, BackupTrigger


class IdempotencyRow(Base):
    """A request with an idempotency key; without an answer it is still under way."""

    __tablename__ = "idempotency_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    caller: Mapped[str]
    key: Mapped[str]
    request_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    answer: Mapped[dict[str, Any] | None]

    __table_args__ = (
        UniqueConstraint("caller", "key", name="uq_idempotency_keys_caller_key"),
        Index("idx_idempotency_keys_created_at", "created_at"),
    )


class BackupCountRow(Base):
    """How many backups of a kind there are, and their bytes. Triggers on `backup_jobs` keep it right."""

    __tablename__ = "backup_counts"

    id: Mapped[int] = mapped_column(primary_key=True)
    database: Mapped[str]
    status: Mapped[BackupStatus]
    trigger_source: Mapped[BackupTrigger]
    being_deleted: Mapped[bool]
    backups: Mapped[int]
    bytes: Mapped[Decimal] = mapped_column(Numeric)

    __table_args__ = (
        UniqueConstraint("database", "status", "trigger_source", "being_deleted", name="uq_backup_counts"),
    )
