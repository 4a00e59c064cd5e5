"""Who calls, before anything else is looked at: below `/api` a stranger learns nothing but 401."""

from collections.abc import Collection

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pgproof.bootstrap import App
from pgproof.domain.access import Principal
from pgproof.domain.errors import NotAuthenticated, PgproofError
from pgproof.entrypoints.http.context import Context, put_context
from pgproof.entrypoints.http.middleware.draining import drain
from pgproof.entrypoints.http.middleware.envelope import request_id_of
from pgproof.entrypoints.http.problems import answer_error
from pgproof.entrypoints.http.waiting import Waiters

_GUARDED = "/api"
_ALSO_GUARDED = frozenset({"/metrics"})


class Gate:
    """`public` are the pairs of method and path below `/api` that need no token."""

    def __init__(
        self, app: ASGIApp, *, application: App, waiters: Waiters, public: Collection[tuple[str, str]]
    ) -> None:
        self._app = app
        self._application = application
        self._public = frozenset(public)
        self._waiters = waiters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        address = scope["client"][0] if scope.get("client") else None
        principal: Principal | None = None
        if self._is_guarded(scope):
            bearer = _bearer(scope)
            try:
                principal = await run_in_threadpool(self._authenticate, bearer, address)
            except PgproofError as error:
                await drain(receive)
                answer = answer_error(error, request_id, bearer_sent=bearer is not None, stranger=True)
                await answer(scope, receive, send)
                return
        put_context(scope, Context(self._application, request_id, address, principal, self._waiters))
        await self._app(scope, receive, send)

    def _is_guarded(self, scope: Scope) -> bool:
        path: str = scope["path"]
        below = path == _GUARDED or path.startswith(f"{_GUARDED}/")
        return (below or path in _ALSO_GUARDED) and (scope["method"], path) not in self._public

    def _authenticate(self, bearer: str | None, address: str | None) -> Principal:
        if bearer is None:
            raise NotAuthenticated
        return self._application.access.authenticate(bearer, address=address)


def _bearer(scope: Scope) -> str | None:
    """The token, if there is exactly one."""
    given = Headers(scope=scope).getlist("authorization")
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
