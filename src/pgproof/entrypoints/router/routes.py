"""Which calls of the API the router has, and how they are copied from there."""

from collections.abc import Sequence

from fastapi import APIRouter, params
from fastapi.routing import APIRoute

from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.routes import (
    audit,
    backup_files,
    backup_jobs,
    backups,
    cleanup,
    databases,
    jobs,
    notifications,
    restores,
    schedules,
)
from pgproof.entrypoints.router.admission import ROUTE_NAMES

_ADMIN = "/api/admin"

# All but users and tokens: who may call is the host's affair. Of two that match a path, the first counts.
_SOURCES: tuple[APIRouter, ...] = (
    cleanup.router,
    backup_jobs.router,
    backup_files.router,
    backups.router,
    restores.restores,
    restores.restore_tests,
    jobs.router,
    databases.router,
    schedules.router,
    notifications.router,
    audit.router,
)


def add_routes(router: APIRouter, *, admission: Sequence[params.Depends], tags: Sequence[str]) -> None:
    """Add every call to a router, below `/backups`, `/restores` and so on."""
    for source in _SOURCES:
        for route in source.routes:
            if isinstance(route, APIRoute):
                _add(router, route, admission, tags)


def _add(router: APIRouter, route: APIRoute, admission: Sequence[params.Depends], tags: Sequence[str]) -> None:
    router.add_api_route(
        route.path.removeprefix(_ADMIN),
        route.endpoint,
        response_model=route.response_model,
        status_code=route.status_code,
        tags=list(tags),
        dependencies=admission,
        responses={**problems(403, 422, 503), **route.responses},
        methods=route.methods,
        response_class=route.response_class,
        # The host may have routes of the same name, and look for them by it.
        name=ROUTE_NAMES + route.name,
        summary=route.name.replace("_", " ").capitalize(),
    )
