"""Around every request: its number, the log, headers that protect, and an answer whatever happens."""

import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pgproof.entrypoints.http.context import context_of
from pgproof.entrypoints.http.problems import answer_unexpected

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_KEY = "request_id"


class Envelope:
    """Outermost. A request id that the caller sends is kept if it looks like one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, _request_id(scope))
        scope.setdefault("state", {})[_KEY] = answer.request_id
        begun = perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=answer.request_id):
            try:
                await self._app(scope, receive, answer.send)
            except Exception:
                structlog.get_logger().exception("request_failed", method=scope["method"], path=scope["path"])
                if answer.status is not None:
                    raise  # half an answer must not look like a whole one
                await answer_unexpected(answer.request_id)(scope, receive, answer.send)
            finally:
                _log(scope, answer, perf_counter() - begun)


def request_id_of(scope: Scope) -> str:
    """The number of the request."""
    found: str = scope.get("state", {}).get(_KEY, "")
    return found


class _Answer:
    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _log(scope: Scope, answer: _Answer, seconds: float) -> None:
    # Neither headers nor the query: both may carry what a log must not hold.
    context = context_of(scope)
    structlog.get_logger().info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=answer.status,
        milliseconds=round(seconds * 1000, 1),
        address=scope["client"][0] if scope.get("client") else None,
        caller=context.caller.actor if context and context.caller else None,
    )
