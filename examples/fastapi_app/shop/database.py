"""The shop's own tables and sessions; pgproof knows nothing of them."""

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, Request
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """Of every table."""


class User(Base):
    """Somebody who may sign in."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(default=False)


class Order(Base):
    """What somebody has ordered."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    item: Mapped[str]


def make_sessions(url: str) -> sessionmaker[Session]:
    """Sessions on the shop's database.

    A restore by swap ends all sessions on the database that it replaces, so each is looked at before it is used again.
    """
    engine = create_engine(url, pool_pre_ping=True)
    Base.metadata.create_all(engine)
    return sessionmaker(engine, expire_on_commit=False)


def get_session(request: Request) -> Iterator[Session]:
    """A session for the length of a request."""
    with request.app.state.sessions() as session:
        yield session


Db = Annotated[Session, Depends(get_session)]
