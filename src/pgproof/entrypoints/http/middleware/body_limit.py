"""No body is read beyond a limit, whether its length is announced or it comes in chunks."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pgproof.entrypoints.http.middleware.draining import drain
from pgproof.entrypoints.http.middleware.envelope import request_id_of
from pgproof.entrypoints.http.problems import ProblemResponse, make_problem

MOST = 1 << 20  # bytes
# Where nobody is known yet: to read a body takes time that the event loop has for all others, too.
MOST_OF_STRANGERS = 64 << 10
_TOO_LARGE = 413


class BodyTooLarge(HTTPException):
    """A body has passed the limit while it was read."""

    def __init__(self) -> None:
        super().__init__(_TOO_LARGE)


class BodyLimit:
    """Refuses what is too long: at once if the header says so, else when the limit is passed.

    `public` are the pairs of method and path that need no token; their limit is lower.
    """

    def __init__(self, app: ASGIApp, public: Collection[tuple[str, str]] = ()) -> None:
        self._app = app
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MOST_OF_STRANGERS if (scope["method"], scope["path"]) in self._public else MOST
        if announces_too_much(scope, most):
            await drain(receive)
            await too_large(request_id_of(scope), most)(scope, receive, send)
            return
        await self._app(scope, counted(receive, most), send)


def announces_too_much(scope: Scope, most: int = MOST) -> bool:
    """Whether the header says already that the body is too long."""
    announced = Headers(scope=scope).get("content-length", "0")
    return not announced.isdecimal() or int(announced[:20]) > most


def counted(receive: Receive, most: int = MOST) -> Receive:
    """A body that raises `BodyTooLarge` beyond the limit."""
    read = 0

    async def count() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            if message.get("more_body", False):
                await drain(receive, read)
            raise BodyTooLarge
        return message

    return count


def too_large(request_id: str, most: int = MOST) -> ProblemResponse:
    """The answer for a body that is too long."""
    return ProblemResponse(
        make_problem(
            _TOO_LARGE,
            "body_too_large",
            "the body of the request is too large",
            hint=f"Send {most:,} bytes at most.",
            request_id=request_id,
        ),
        {"Connection": "close"},
    )
