"""pgproof inside a FastAPI application.

::

    from pgproof.fastapi import backup_router

    app.include_router(backup_router(current_admin), prefix="/api/admin")

`current_admin` is the application's own dependency: it returns the user, and raises for everybody who may not.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter

from pgproof.domain.access import Role
from pgproof.entrypoints.router.admission import UserRole, check_host_parts, everybody_is_admin, make_admission
from pgproof.entrypoints.router.naming import UserName, default_name
from pgproof.entrypoints.router.route import BackupRoute
from pgproof.entrypoints.router.routes import add_routes
from pgproof.entrypoints.router.service import Service
from pgproof.settings import Settings, SettingValues, load_settings

__all__ = ["Role", "SettingValues", "Settings", "backup_router", "load_settings"]


def backup_router(
    current_admin: Callable[..., Any],
    *,
    settings: Settings | SettingValues | None = None,
    worker: bool = True,
    user_name: UserName = default_name,
    role: UserRole = everybody_is_admin,
    tags: Sequence[str] = ("backups",),
    longest_wait: int = 30,
) -> APIRouter:
    """A router with the calls of pgproof's API, for `include_router` of your application.

    `settings` are values by name, such as ``{"retention_days": 14}``, which win over the environment, or a whole
    `Settings`, which stands for itself. Without `worker` the jobs are left to `pgproof worker` processes. `role` says
    what a user may do, else everybody whom `current_admin` lets in is an admin. `longest_wait` is how many seconds a
    caller may have an answer held. The settings are read when your application starts.
    """

    check_host_parts(current_admin, {"user_name": user_name, "role": role})

    def load() -> Settings:
        return settings if isinstance(settings, Settings) else load_settings(given=settings)

    service = Service(load, worker=worker, longest_wait=longest_wait)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        # With a limit of its own: the application's threads may all be busy when it ends.
        limiter = CapacityLimiter(1)
        await to_thread.run_sync(service.start, limiter=limiter)
        try:
            yield
        finally:
            await to_thread.run_sync(service.stop, limiter=limiter)

    router = APIRouter(route_class=BackupRoute, lifespan=lifespan)
    admission = make_admission(current_admin, service=service, router=router, user_name=user_name, role=role)
    add_routes(router, admission=admission, tags=tags)
    return router
