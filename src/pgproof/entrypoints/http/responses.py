"""What the document says about answers that are no success, and about headers."""

from collections.abc import Mapping
from typing import Any

from pgproof.entrypoints.http.problems import MEDIA_TYPE, Problem, make_problem

_Responses = dict[int | str, dict[str, Any]]

# For each status: what it means, and the code and the detail of an example.
_MEANINGS: Mapping[int, tuple[str, str, str]] = {
    401: ("No token, or one that is wrong or no longer valid.", "not_authenticated", "not signed in"),
    403: ("The caller's role does not include this.", "not_allowed", "the role viewer does not include: restore"),
    404: ("There is no such thing.", "not_found", "the catalog has no backup 17"),
    409: ("The request is right, the state is not.", "conflict", "backup 17 is held"),
    413: ("The body is larger than 1 MiB.", "body_too_large", "the body of the request is too large"),
    416: ("The range begins behind the end.", "range_not_satisfiable", "the archive has 1024 bytes"),
    422: ("A field is missing, wrong or unknown.", "invalid_input", "body.format: Input should be 'custom'"),
    429: ("Too many failed attempts; see `Retry-After`.", "too_many_attempts", "too many failed attempts to sign in"),
    500: ("A defect; the log has it under the `request_id`.", "unexpected", "something went wrong that should not"),
    502: ("PostgreSQL or the storage said no.", "server_unreachable", "unable to reach server db:5432"),
    503: (
        "The catalog does not answer, or a setting is missing.",
        "catalog_unreachable",
        "unable to reach the catalog",
    ),
    504: ("The job took longer than it may.", "timed_out", "the job took longer than it may"),
}

_REQUEST_ID = {"X-Request-Id": {"description": "The number of the request.", "schema": {"type": "string"}}}
LOCATION = {"Location": {"description": "Where to look how far the job is.", "schema": {"type": "string"}}}
APPLIED = {
    "Preference-Applied": {
        "description": "`wait=SECONDS` if the answer was held.",
        "schema": {"type": "string"},
    }
}


def problems(*statuses: int) -> _Responses:
    """Entries of `responses` for these statuses."""
    return {status: _problem(status) for status in sorted(statuses)}


def document_problems(document: dict[str, Any]) -> None:
    """Let every problem of an OpenAPI document be of the one type, with its own media type."""
    document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                answer["headers"] = {**answer.get("headers", {}), **_REQUEST_ID}
                if status[0] in "45" and not _has_own_schema(answer):
                    answer["content"] = _content(int(status), "#/components/schemas/Problem")


def _has_own_schema(answer: Mapping[str, Any]) -> bool:
    """Whether it is no problem, such as the answer of a readiness check."""
    return "schema" in answer.get("content", {}).get("application/json", {})


def _problem(status: int) -> dict[str, Any]:
    return {"description": _MEANINGS[status][0], "content": _content(status, None)}


def _content(status: int, reference: str | None) -> dict[str, Any]:
    _, code, detail = _MEANINGS[status]
    example = make_problem(status, code, detail, request_id="5f0c6a0e8f8d4f5f9d0f6c1a2b3c4d5e")
    schema: dict[str, Any] = {"type": "object"} if reference is None else {"$ref": reference}
    return {MEDIA_TYPE: {"schema": schema, "example": example.model_dump(exclude_none=True)}}


def _schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**schema.pop("$defs", {}), "Problem": schema}
