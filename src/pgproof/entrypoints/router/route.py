"""What our routes do differently from those of the application that they are part of: errors, bodies, numbers."""

import re
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pgproof.domain.errors import PgproofError
from pgproof.entrypoints.http.context import context_of
from pgproof.entrypoints.http.middleware.body_limit import BodyTooLarge, announces_too_much, counted, too_large
from pgproof.entrypoints.http.middleware.draining import drain
from pgproof.entrypoints.http.problems import (
    ProblemResponse,
    answer_error,
    answer_invalid,
    audit_refusal,
    make_problem,
)
from pgproof.entrypoints.http.statuses import status_of

_NUMBER = "pgproof.request_id"
_BASE = "pgproof.base"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_UNPARSED = "There was an error parsing the body"  # the framework's own words
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class BackupRoute(APIRoute):
    """Answers our own errors as problem details.

    What the application's dependency raises goes to the application's own handlers, and so does a defect of ours:
    whoever watches over the application is to see it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with ours around it."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            scope = request.scope
            scope[_NUMBER] = number = _wanted_number(request)
            # Other parameters of the path belong to the host's prefix.
            ours = {name: request.path_params[name] for name in self.param_convertors}
            scope[_BASE] = _base(request, str(self.url_path_for(self.name, **ours)))
            if announces_too_much(scope):
                await drain(request.receive)
                return _sealed(too_large(number), number)
            try:
                answer = await handle(Request(scope, counted(request.receive)))
            except PgproofError as error:
                answer = await run_in_threadpool(_refuse, request, error)
            except RequestValidationError as error:
                answer = answer_invalid(error.errors(), number)
            except BodyTooLarge:
                answer = too_large(number)
            except HTTPException as error:
                if not _of_the_body(error):
                    raise
                answer = _unreadable(number)
            return _sealed(answer, number)

        return handled


def number_of(request: Request) -> str:
    """The number of a request to one of our routes."""
    number: str = request.scope[_NUMBER]
    return number


def base_of(request: Request) -> str:
    """What precedes our own part of the path."""
    base: str = request.scope[_BASE]
    return base


def _wanted_number(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _base(request: Request, ours: str) -> str:
    path: str = request.scope["path"]
    root: str = request.scope.get("root_path", "").rstrip("/")
    before = path.removesuffix(ours)
    # A proxy may have cut off what the caller's address began with.
    return before if before.startswith(root) else root + before


def _refuse(request: Request, error: PgproofError) -> Response:
    """The answer; that somebody was refused is in the audit trail."""
    context = context_of(request)
    if context is not None and context.caller is not None and status_of(type(error)) == 403:
        audit_refusal(context, f"{request.method} {request.url.path}", error.code)
    return answer_error(error, number_of(request), bearer_sent="authorization" in request.headers)


def _of_the_body(error: HTTPException) -> bool:
    """Whether the framework could not read a body, and not the application's dependency refused it."""
    return error.status_code == 400 and error.detail == _UNPARSED


def _unreadable(number: str) -> ProblemResponse:
    return ProblemResponse(
        make_problem(
            422,
            "invalid_input",
            "the body of the request could not be read",
            hint="A body is JSON, sent as application/json.",
            request_id=number,
        )
    )


def _sealed(answer: Response, number: str) -> Response:
    answer.headers["X-Request-Id"] = number
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
