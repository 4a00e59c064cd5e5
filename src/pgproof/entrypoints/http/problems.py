"""Every error of the API, as problem details (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pgproof.domain.errors import PgproofError, TooManyAttempts
from pgproof.domain.secret import without_url_passwords
from pgproof.entrypoints.http.context import Context, context_of
from pgproof.entrypoints.http.statuses import FRAMEWORK_CODES, UNEXPECTED, status_of

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER = 5  # seconds, where the catalog does not answer
_LONGEST_LIST = 50
_OURS = 500  # from here on a status says that the fault is not the caller's


class FieldProblem(BaseModel):
    """What is wrong with one field. The value is not repeated: it may be a password."""

    field: str = Field(description="Where it is, such as `body.compression_level`.")
    problem: str


class Problem(BaseModel):
    """Why a request failed."""

    type: str = Field(description="A URN that ends in the code.")
    title: str
    status: int
    detail: str = Field(description="What happened.")
    code: str = Field(description="The kind of error, for machines.")
    hint: str | None = Field(default=None, description="What to do about it.")
    request_id: str | None = Field(default=None, description="The same as in the header X-Request-Id and in the log.")
    errors: list[FieldProblem] | None = Field(default=None, description="With 422: each wrong field.")
    facts: dict[str, Any] | None = Field(
        default=None, description="Details, such as the last lines of a tool's stderr."
    )


class ProblemResponse(Response):
    """A problem on its way to the caller."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        body = problem.model_dump_json(exclude_none=True).encode()
        super().__init__(body, status_code=problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def make_problem(status: int, code: str, detail: str, hint: str = "", **more: Any) -> Problem:
    """A problem of any kind."""
    return Problem(
        type=f"urn:pgproof:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        hint=hint or None,
        **more,
    )


def answer_error(
    error: PgproofError, request_id: str | None, *, bearer_sent: bool = False, stranger: bool = False
) -> ProblemResponse:
    """The answer for an error of ours. A stranger does not learn what is behind us, such as where the catalog is."""
    status = status_of(type(error))
    if stranger and status >= _OURS:
        structlog.get_logger().warning("stranger_not_served", problem=error.detail, hint=error.hint)
        problem = make_problem(status, error.code, *_WORDS_FOR_STRANGERS, request_id=request_id)
    else:
        facts = _shown(error.facts) if status not in {401, 403, 429} else {}
        problem = make_problem(
            status, error.code, error.detail, hint=error.hint, request_id=request_id, facts=facts or None
        )
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="pgproof"' + (', error="invalid_token"' if bearer_sent else "")
    elif isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after)
    elif status == 503:
        headers["Retry-After"] = str(_RETRY_AFTER)
    return ProblemResponse(problem, headers)


def answer_unexpected(request_id: str | None) -> ProblemResponse:
    """The answer for a defect of ours: what it is stands in the log."""
    return ProblemResponse(
        make_problem(
            UNEXPECTED,
            "unexpected",
            "something went wrong that should not",
            hint="The log of the service has it under this request_id; please report it.",
            request_id=request_id,
        )
    )


def handle_ours(request: Request, error: Exception) -> Response:
    """A handler for `PgproofError`. A refusal is written to the audit trail."""
    if not isinstance(error, PgproofError):
        raise error
    context = context_of(request)
    if context is not None and context.caller is not None and status_of(type(error)) == 403:
        audit_refusal(context, f"{request.method} {request.url.path}", error.code)
    return answer_error(
        error,
        context.request_id if context else None,
        bearer_sent="authorization" in request.headers,
        stranger=context is None or context.caller is None,
    )


def audit_refusal(context: Context, call: str, code: str) -> None:
    """Write to the audit trail that the caller was refused, if it can be written."""
    try:
        context.audit("refused", call, outcome=code)
    except PgproofError as unwritten:
        # The caller is refused all the same; the log has what the trail lacks.
        structlog.get_logger().warning("refusal_not_audited", call=call, caller=context.actor, problem=unwritten.detail)


def handle_frameworks(request: Request, error: Exception) -> Response:
    """A handler for what the framework raises by itself."""
    if not isinstance(error, HTTPException):
        raise error
    context = context_of(request)
    # What cannot be parsed is no better than what does not fit: one status for both.
    status = 422 if error.status_code == 400 else error.status_code
    code = FRAMEWORK_CODES.get(status, "http_error")
    detail, hint = _WORDS.get(status, (str(error.detail), ""))
    problem = make_problem(status, code, detail, hint=hint, request_id=context.request_id if context else None)
    return ProblemResponse(problem, error.headers)


def handle_invalid(request: Request, error: Exception) -> Response:
    """A handler for requests whose fields are wrong."""
    if not isinstance(error, RequestValidationError):
        raise error
    context = context_of(request)
    return answer_invalid(error.errors(), context.request_id if context else None)


def answer_invalid(errors: Sequence[Any], request_id: str | None) -> ProblemResponse:
    """The answer for fields that are wrong, as pydantic tells of them."""
    found = [
        FieldProblem(
            field=".".join(str(part)[:100] for part in one["loc"]), problem=without_url_passwords(str(one["msg"]))
        )
        for one in errors[:_LONGEST_LIST]
    ]
    detail = f"{found[0].field}: {found[0].problem}" if found else "the request is not valid"
    hint = "/docs and /openapi.json say what each call takes; a body is JSON, sent as application/json."
    return ProblemResponse(make_problem(422, "invalid_input", detail, hint=hint, request_id=request_id, errors=found))


def _shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(inner) for inner in value]
    return without_url_passwords(str(value))


_WORDS_FOR_STRANGERS = (
    "the service cannot work at the moment",
    "Try again in some seconds; the log of the service has the reason under this request_id.",
)
_WORDS: Mapping[int, tuple[str, str]] = {
    404: ("there is nothing at this address", "/docs lists every address of the API."),
    405: ("this address does not take that method", "The header Allow names the methods that it takes."),
    422: ("the body of the request could not be read", "A body is JSON, sent as application/json."),
    413: ("the body of the request is too large", "Send less: no call of the API takes more than 1 MiB."),
}
