"""The application. `uvicorn --factory shop.main:create_app` runs it; README.md says how."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from sqlalchemy import make_url, select
from sqlalchemy.orm import Session, sessionmaker

from pgproof.fastapi import SettingValues, backup_router
from shop.database import Db, Order, User, make_sessions
from shop.login import CurrentUser, current_admin, passwords
from shop.login import router as login_router


def create_app() -> FastAPI:
    """The shop with its backups."""
    database = os.environ["SHOP_DATABASE_URL"]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.secret = os.environ["SHOP_SECRET"]
        app.state.sessions = make_sessions(database)
        add_first_users(app.state.sessions)
        yield

    app = FastAPI(title="Shop", lifespan=lifespan)
    app.include_router(login_router)

    @app.get("/orders")
    def list_orders(db: Db, user: CurrentUser) -> list[str]:
        """What the caller has ordered."""
        return list(db.scalars(select(Order.item).where(Order.user_id == user.id).order_by(Order.id)))

    @app.post("/orders", status_code=201)
    def add_order(db: Db, user: CurrentUser, item: str) -> dict[str, Any]:
        """Order something."""
        order = Order(user_id=user.id, item=item)
        db.add(order)
        db.commit()
        return {"id": order.id, "item": order.item}

    @app.delete("/orders", status_code=204)
    def forget_orders(db: Db, user: CurrentUser) -> None:
        """The mistake for which one has backups."""
        for order in db.scalars(select(Order).where(Order.user_id == user.id)):
            db.delete(order)
        db.commit()

    app.include_router(backup_router(current_admin, settings=protecting(database)), prefix="/api/admin")
    return app


def protecting(database: str) -> SettingValues:
    """Settings that make the shop's own database the protected one; the rest comes from BACKUP_* variables."""
    url = make_url(database)
    return {
        "postgres_host": url.host,
        "postgres_port": url.port,
        "postgres_user": url.username,
        "postgres_password": url.password,
        "postgres_db": url.database,
    }


def add_first_users(sessions: sessionmaker[Session]) -> None:
    """An admin and a customer, with the passwords that the environment names, where there is nobody yet."""
    with sessions() as session:
        if session.scalar(select(User)) is None:
            for email, variable, is_admin in (
                ("ann@shop.example", "SHOP_ADMIN_PASSWORD", True),
                ("ben@shop.example", "SHOP_CUSTOMER_PASSWORD", False),
            ):
                hashed = passwords.hash(os.environ[variable])
                session.add(User(email=email, password_hash=hashed, is_admin=is_admin))
            session.commit()
