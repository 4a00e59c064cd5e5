"""The HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from pgproof.bootstrap import App
from pgproof.domain.errors import PgproofError
from pgproof.entrypoints.http.docs_page import install_docs
from pgproof.entrypoints.http.document import install_document
from pgproof.entrypoints.http.middleware.body_limit import BodyLimit
from pgproof.entrypoints.http.middleware.envelope import Envelope
from pgproof.entrypoints.http.middleware.gate import Gate
from pgproof.entrypoints.http.problems import handle_frameworks, handle_invalid, handle_ours
from pgproof.entrypoints.http.readiness import ReadinessCache
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.routes import (
    audit,
    auth,
    backup_files,
    backup_jobs,
    backups,
    cleanup,
    databases,
    health,
    jobs,
    notifications,
    restores,
    schedules,
    tokens,
    users,
)
from pgproof.entrypoints.http.waiting import Waiters

# For requests. Fewer than the sessions of the catalog's pool, and enough when some wait for jobs.
THREADS = 20

# In this order: of two routes that match a path, the first counts.
ROUTERS: tuple[APIRouter, ...] = (
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
    users.router,
    tokens.router,
    audit.router,
)


def create_app(application: App) -> FastAPI:
    """The API on an open application, for as long as that is open."""
    app = FastAPI(
        title="pgproof",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
    )
    app.state.waiters = Waiters()
    app.state.readiness = ReadinessCache()
    for router in ROUTERS:
        app.include_router(router, responses=problems(401, 403, 422, 500, 503))
    app.include_router(auth.router, responses=problems(401, 422, 500, 503))
    app.include_router(health.health, responses=problems(422, 500))
    app.include_router(health.scraping, responses=problems(401, 403, 422, 500, 503))
    install_document(app)
    install_docs(app)
    app.add_exception_handler(PgproofError, handle_ours)
    app.add_exception_handler(HTTPException, handle_frameworks)
    app.add_exception_handler(RequestValidationError, handle_invalid)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, public=auth.PUBLIC)
    app.add_middleware(Gate, application=application, waiters=app.state.waiters, public=auth.PUBLIC)
    app.add_middleware(Envelope)
    return app


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _operation_id(route: APIRoute) -> str:
    return route.name
