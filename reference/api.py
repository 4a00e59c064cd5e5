"""Every endpoint of the HTTP API, as its OpenAPI document has them."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pgproof.bootstrap import App
from pgproof.entrypoints.http.app import create_app

_HEAD = """# Every endpoint

Generated from the OpenAPI document of the service by `make reference`. A running service shows the same at
`/docs`; `/openapi.json` is the document itself. Beside the answers that are named, every endpoint may answer 401 (no or
bad token), 403 (the role may not), 422 (a bad field), 500 (a defect) and 503 (the catalog is away).
"""
_EVERYWHERE = {"401", "403", "422", "500", "503"}
_METHODS = ("get", "post", "put", "patch", "delete")


def page() -> str:
    """The page."""
    return render(openapi())


def openapi() -> Mapping[str, Any]:
    """The document of the service, made without a catalog: no request is served, so nothing need be open."""
    return create_app(cast("App", None)).openapi()


def render(document: Mapping[str, Any]) -> str:
    """One section per endpoint."""
    parts = [_HEAD]
    for path, methods in document["paths"].items():
        parts += [_section(document, method, path, methods[method]) for method in _METHODS if method in methods]
    return "\n".join(parts)


def _section(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [f"## `{method.upper()} {path}`", "", _text(operation.get("description") or operation.get("summary")), ""]
    rows = [*_parameters(operation), *_body(document, operation)]
    if rows:
        lines += ["| parameter | in | meaning |", "|---|---|---|", *rows, ""]
    answers = "; ".join(
        f"`{status}` {_text(what.get('description')).removesuffix('.')}"
        for status, what in sorted(operation["responses"].items())
        if status not in _EVERYWHERE
    )
    return "\n".join([*lines, f"Answers: {answers}", ""])


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        yield _row(one["name"], one["in"], one, required=one.get("required", False))


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(document, content.get("schema", {}))
        for name, one in schema.get("properties", {}).items():
            yield _row(name, f"body, {kind}", one, required=name in schema.get("required", ()))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a schema refers to; of one that may be left out the schema for when it is not."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(document, choice)
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _row(name: str, place: str, one: Mapping[str, Any], *, required: bool) -> str:
    return f"| `{name}`{' (required)' if required else ''} | {place} | {_text(one.get('description'))} |"


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
