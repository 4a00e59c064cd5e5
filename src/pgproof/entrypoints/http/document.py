"""The OpenAPI document, whole: problems, security, headers."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pgproof import __version__
from pgproof.entrypoints.http.responses import document_problems
from pgproof.entrypoints.http.routes.auth import PUBLIC

_DESCRIPTION = """PostgreSQL backups, proven by restoring them.

Sign in at `/api/auth/token` and send `Authorization: Bearer TOKEN`, or use an API token. What takes long is a job: the
answer is `202` with a `Location` to poll, unless `Prefer: wait=SECONDS` holds it. Every error is
`application/problem+json` (RFC 9457). Unknown fields are errors. Times are ISO 8601 in UTC.
"""
_GUARDED = ("/api/", "/metrics")
_SCHEMES = {
    "password": {
        "type": "oauth2",
        "description": "A user's name and password, for a short-lived token.",
        "flows": {"password": {"tokenUrl": "/api/auth/token", "scopes": {}}},
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, or an API token that begins with `pgp_`.",
    },
}


def install_document(app: FastAPI) -> None:
    """Let `/openapi.json` be complete; it is made once, when somebody asks."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _make(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI documents


def _make(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title="pgproof", version=__version__, description=_DESCRIPTION, routes=app.routes)
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(_GUARDED) and (method.upper(), path) not in PUBLIC:
                operation["security"] = [{"password": []}, {"bearer": []}]
    document_problems(document)
    _drop_unused(document)
    return document


def _drop_unused(document: dict[str, Any]) -> None:
    # FastAPI's own form of a 422, which no route of ours gives.
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
