"""The OpenAPI document and the page made from it."""

from typing import Any

from pgproof.entrypoints.http.docs_page import render
from tests.http.world import Api


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation) for path, found in document["paths"].items() for method, operation in found.items()
    ]


def test_everybody_may_read_the_document_and_the_page(shared_api: Api) -> None:
    assert shared_api.get("/openapi.json", role=None).json()["info"]["title"] == "pgproof"
    page = shared_api.get("/docs", role=None)
    assert page.status_code == 200
    assert "/api/admin/backups/create" in page.text


def test_the_page_loads_nothing_from_anywhere(shared_api: Api) -> None:
    page = shared_api.get("/docs", role=None)
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://db", "")
    assert "https://" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in page.headers["content-security-policy"]


def test_the_page_shows_names_as_they_are() -> None:
    document = {
        "info": {"title": "<b>", "version": "1", "description": "a `<i>` word"},
        "paths": {"/<x>": {"get": {"tags": ["a"], "summary": "<s>", "responses": {"200": {"description": "<d>"}}}}},
        "components": {"schemas": {"<S>": {"properties": {"<p>": {"type": "string"}}}}},
    }
    page = render(document)
    for word in ("<b>", "<i>", "/<x>", "<s>", "<d>", "<S>", "<p>}"):
        assert word not in page.replace("<b>GET</b>", "")


def test_every_route_has_a_description_and_answers_with_problems(shared_api: Api) -> None:
    for method, path, operation in operations(shared_api.get("/openapi.json", role=None).json()):
        assert operation["description"], (method, path)
        for status, answer in operation["responses"].items():
            assert "X-Request-Id" in answer["headers"], (method, path, status)
            if status[0] in "45" and path != "/health/ready":
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (method, path, status)
                assert answer["content"]["application/problem+json"]["example"]["status"] == int(status)


def test_every_guarded_route_names_the_ways_to_sign_in(shared_api: Api) -> None:
    public = {"/api/auth/token", "/api/auth/refresh", "/api/auth/sign-out", "/health/live", "/health/ready"}
    ways: list[dict[str, list[str]]] = [{"password": []}, {"bearer": []}]
    for method, path, operation in operations(shared_api.get("/openapi.json", role=None).json()):
        wanted = None if path in public else ways
        assert operation.get("security") == wanted, (method, path)
        always = {"401"} if path == "/api/auth/me" else {"401", "403"}
        assert path in public or always <= set(operation["responses"]), (method, path)


def test_every_body_field_has_a_type_and_no_body_takes_unknown_fields(shared_api: Api) -> None:
    document = shared_api.get("/openapi.json", role=None).json()
    for _, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for reference in [content["schema"], *content["schema"].get("anyOf", ())]:
                if "$ref" in reference:
                    schema = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
                    assert schema["additionalProperties"] is False, path
