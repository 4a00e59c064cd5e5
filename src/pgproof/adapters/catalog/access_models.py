"""The tables of users and rights."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from pgproof.adapters.catalog.models import Base


class UserRow(Base):
    """A user. `name_key` is the name as it is compared."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(server_default=true())
    epoch: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_sign_in_at: Mapped[datetime | None]


class SignInOriginRow(Base):
    """From where a user has signed in."""

    __tablename__ = "sign_in_origins"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("pgproof.users.id", ondelete="CASCADE"))
    origin: Mapped[str]
    last_at: Mapped[datetime]

    __table_args__ = (Index("idx_sign_in_origins", "user_id", "origin", unique=True),)


class SessionRow(Base):
    """A sign-in that goes on by refresh tokens."""

    __tablename__ = "refresh_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("pgproof.users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    address: Mapped[str | None]

    __table_args__ = (
        Index("idx_refresh_sessions_user", "user_id"),
        Index("idx_refresh_sessions_expires_at", "expires_at"),
    )


class RefreshTokenRow(Base):
    """The hash of a refresh token; those that were exchanged stay as long as their session, to be recognised."""

    __tablename__ = "refresh_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("pgproof.refresh_sessions.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    exchanged: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = (Index("idx_refresh_tokens_session", "session_id"),)


class ApiTokenRow(Base):
    """An API token; its text is not kept."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("pgproof.users.id", ondelete="CASCADE"))
    name: Mapped[str]
    role: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("idx_api_tokens_user", "user_id"),)


class FailureRow(Base):
    """Failed attempts to sign in. `name` is a keyed digest; empty is any."""

    __tablename__ = "sign_in_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime]

    __table_args__ = (
        Index("idx_sign_in_failures", "name", "address", unique=True),
        Index("idx_sign_in_failures_last_at", "last_at"),
    )


class AuditRow(Base):
    """A line of the audit trail. A trigger refuses to change or remove one; no user is referred to."""

    __tablename__ = "audit_trail"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    outcome: Mapped[str]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (
        Index("idx_audit_trail_actor", "actor", "id"),
        Index("idx_audit_trail_object", "object", "id"),
        Index("idx_audit_trail_at", "at"),
    )
