"""`/docs`: the OpenAPI document as one page of HTML, without any script, ours or anybody's."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "h2{margin-top:2.5rem}summary{cursor:pointer;padding:.4rem 0;border-top:1px solid #d0d7de}"
    "code{font:14px ui-monospace,monospace}b{display:inline-block;min-width:4.5rem}"
    "table{border-collapse:collapse;margin:.5rem 0}"
    "td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
)
_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_Schema = Mapping[str, Any]


def install_docs(app: FastAPI) -> None:
    """Serve the page; it is made anew each time, which takes some milliseconds."""

    def docs(_request: Request) -> Response:
        return HTMLResponse(render(app.openapi()), headers={"Content-Security-Policy": _POLICY})

    app.add_route("/docs", docs, methods=["GET"], include_in_schema=False)


def render(document: _Schema) -> str:
    """The page."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1>{''.join(_head(document))}{''.join(_areas(document))}"
        f"<h2>Schemas</h2>{''.join(_schemas(document))}</body></html>"
    )


def _head(document: _Schema) -> Iterator[str]:
    for paragraph in document["info"]["description"].strip().split("\n\n"):
        yield f"<p>{_text(paragraph)}</p>"
    yield '<p>The same for machines: <a href="openapi.json">openapi.json</a></p>'


def _areas(document: _Schema) -> Iterator[str]:
    areas: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            areas.setdefault(operation["tags"][0], []).append("".join(_operation(method, path, operation)))
    for name, found in areas.items():
        yield f"<h2>{escape(name.capitalize())}</h2>{''.join(found)}"


def _operation(method: str, path: str, operation: _Schema) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
    yield f"<p>{_text(operation.get('description', operation['summary']))}</p>"
    parameters = [
        (f"{one['name']} ({one['in']})", _kind(one["schema"]), one.get("description", ""))
        for one in operation.get("parameters", ())
    ]
    yield _table(parameters)
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, <code>{escape(media)}</code>: {_kind(content['schema'])}</p>"
    answers = [
        (status, ", ".join(_kind(one.get("schema", {})) for one in answer.get("content", {}).values()),
         answer["description"])
        for status, answer in operation["responses"].items()
    ]  # fmt: skip
    yield f"{_table(answers)}</details>"


def _schemas(document: _Schema) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        yield f"<p>{_text(schema.get('description', ''))}</p>"
        if "enum" in schema:
            yield f"<p>{_kind(schema)}</p>"
        required = set(schema.get("required", ()))
        fields = [
            (field + (" (required)" if field in required else ""), _kind(kind), kind.get("description", ""))
            for field, kind in schema.get("properties", {}).items()
        ]
        yield f"{_table(fields)}</details>"


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(first)}</code></td><td>{second}</td><td>{_text(third)}</td></tr>"
        for first, second, third in rows
    )
    return f"<table>{cells}</table>" if rows else ""


def _kind(schema: _Schema) -> str:
    """A type in few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for words in ("anyOf", "oneOf", "allOf"):
        if words in schema:
            return " or ".join(_kind(one) for one in schema[words])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "up to"))
        if key in schema
    ]
    return escape(" ".join([str(schema.get("type", "anything")), *limits]))


def _text(words: str) -> str:
    """Words with their code set as such."""
    parts = escape(words).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
