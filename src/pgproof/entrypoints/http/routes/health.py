"""`/health/live` and `/health/ready`, for whoever watches over the process, and `/metrics` for Prometheus."""

from typing import Literal

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from pgproof.entrypoints.http import metrics
from pgproof.entrypoints.http.answers import as_json
from pgproof.entrypoints.http.dependencies import Anybody, Looker
from pgproof.entrypoints.http.readiness import ReadinessCache
from pgproof.entrypoints.http.responses import problems
from pgproof.services.doctor import Outcome

health = APIRouter(prefix="/health", tags=["health"])
scraping = APIRouter(tags=["health"])

_NOT_READY = 503
_PLAIN = {"text/plain": {"schema": {"type": "string"}}}


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """How one check went. What exactly it found stands in the log, and `pgproof doctor` tells."""

    check: str
    outcome: Outcome


class Ready(BaseModel):
    """Whether requests can be served."""

    status: Literal["ready", "not ready"]
    checks: list[Check]


# Not in a thread of the pool: when all of those are busy, the process still lives.
@health.get("/live")
async def get_live(_context: Anybody) -> Live:
    """Whether the process answers at all; nothing else is looked at."""
    return Live()


@health.get(
    "/ready",
    response_model=Ready,
    responses={_NOT_READY: {"model": Ready, "description": "Catalog or storage do not answer."}},
)
def get_ready(context: Anybody, request: Request) -> Response:
    """Whether requests can be served: catalog, storage, tools and queue. Answers are up to five seconds old."""
    cache: ReadinessCache = request.app.state.readiness
    found = cache.read(context.app.overview.readiness)
    for one in found.checks:
        if one.outcome is Outcome.FAIL:
            structlog.get_logger().warning("not_ready", check=one.check, problem=one.detail)
    body = Ready(
        status="ready" if found.ready else "not ready",
        checks=[Check(check=one.check, outcome=one.outcome) for one in found.checks],
    )
    return as_json(body, 200 if found.ready else _NOT_READY)


@scraping.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus's text format.", "content": _PLAIN}, **problems(502)},
)
def get_metrics(context: Looker) -> Response:
    """Metrics for Prometheus. They name databases, so they need a token: a viewer's API token will do."""
    body, kind = metrics.render(context.app.overview.read())
    return Response(body, media_type=None, headers={"Content-Type": kind})
