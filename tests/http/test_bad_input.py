"""Whatever is sent: an answer that says what was wrong, and never a 500."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from pgproof.adapters.postgres.connect import parse_url
from pgproof.bootstrap import App
from pgproof.domain.database import ConnectionInfo
from tests.http.world import Api, problem
from tests.servers import Server

BACKUPS = "/api/admin/backups"


@pytest.mark.parametrize(
    "body",
    [
        {"compression_level": "5"},
        {"compression_level": True},
        {"compression_level": 5.0},
        {"compression_level": 10},
        {"compression_level": -1},
        {"compression_level": 10**400},
        {"parallel_jobs": 0},
        {"include_logs": 1},
        {"include_logs": "true"},
        {"include_logs": None},
        {"description": 5},
        {"description": ["x"]},
        {"description": "x" * 2001},
        {"description": "a\0b"},
        {"description": "\ud800"},
        {"format": "zip"},
        {"format": "tar"},
        {"compression": "ZSTD"},
        {"database": ""},
        {"database": "postgresql://a:b@127.0.0.1/c"},
        {"surprise": 1},
        {"Description": "x"},
        [],
        "text",
        5,
    ],
)
def test_a_wrong_body_is_refused_and_makes_nothing(shared_api: Api, body: Any) -> None:
    text = json.dumps(body)
    answer = shared_api.post(f"{BACKUPS}/create", content=text, headers={"Content-Type": "application/json"})
    found = problem(answer, 422, "invalid_input")
    assert found["errors"]
    assert found["hint"]
    assert shared_api.get(BACKUPS).json()["total"] == 0


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"{}", "text/plain"),
        (b"{}", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/json"),
        (b'{"description": "a"} x', "application/json"),
        (b'{"a":' * 5000, "application/json"),
        (b"NaN", "application/json"),
        (b'{"compression_level": NaN}', "application/json"),
    ],
)
def test_what_is_no_json_object_is_refused(shared_api: Api, content: bytes, kind: str) -> None:
    answer = shared_api.post(f"{BACKUPS}/create", content=content, headers={"Content-Type": kind})
    problem(answer, 422, "invalid_input")


@pytest.mark.parametrize(
    "number",
    [
        "abc",
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "%20",
        "9" * 19,
        "9" * 50,
        "1;DROP",
        "'",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "1_0",
    ],
)
def test_what_is_no_number_is_unknown_or_wrong(shared_api: Api, number: str) -> None:
    for path in (f"{BACKUPS}/{number}", f"/api/admin/jobs/{number}", f"/api/admin/schedules/{number}"):
        answer = shared_api.get(path)
        assert answer.status_code in {404, 422}, answer.text
        problem(answer, answer.status_code)
    problem(shared_api.get(f"{BACKUPS}/{2**63 - 1}"), 404, "not_found")


@pytest.mark.parametrize(
    "name", ["it's", 'a"b', "a/b", "../../etc", "a\\b", "%", "ä ö", ";", "\N{PILE OF POO}", "a b", "check", "x/check"]
)
def test_a_database_may_have_any_name_and_is_found_by_it(api: Api, name: str) -> None:
    path = f"/api/admin/databases/{quote(name, safe='')}"
    url = "postgresql://app:hidden-secret@127.0.0.1:1/shop"
    problem(api.get(path), 404, "not_found")
    made = api.post("/api/admin/databases", json={"name": name, "url": url})
    assert made.status_code in {201, 502}, made.text
    if made.status_code == 201:
        for answer in (made, api.get(path), api.get("/api/admin/databases")):
            assert "hidden-secret" not in answer.text
        assert api.get(path).json()["name"] == name
        assert api.delete(path).status_code == 200
    assert "hidden-secret" not in api.get("/api/admin/audit").text


@pytest.mark.parametrize("url", ["", "mysql://x", "postgresql://", "x" * 5000, 5, None])
def test_a_url_that_means_nothing_is_refused_without_being_repeated(shared_api: Api, url: Any) -> None:
    answer = shared_api.post("/api/admin/databases", json={"name": "x", "url": url})
    problem(answer, 422, "invalid_input")
    assert "u:p@" not in answer.text


def test_a_body_is_not_read_beyond_its_limit_however_it_is_sent(shared_api: Api) -> None:
    big = b'{"description": "' + b"x" * 2_000_000 + b'"}'
    problem(shared_api.post(f"{BACKUPS}/create", content=big), 413, "body_too_large")

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    answer = shared_api.post(f"{BACKUPS}/create", content=chunks(), headers={"Content-Type": "application/json"})
    problem(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "new_database"},
        {"target_database": "x"},
        {"mode": "swap", "tables": ["public.a"]},
        {"tables": "public.a"},
        {"tables": [5]},
        {"role_map": {"a": 5}},
        {"role_map": {"a": ""}},
        {"create_safety_backup": "no"},
        {"parallel_jobs": 65},
        {"drop": True},
    ],
)
def test_a_restore_that_makes_no_sense_is_refused(api: Api, body: dict[str, Any]) -> None:
    row = api.row()
    problem(api.post(f"{BACKUPS}/restore/{row.id}", json=body), 422, "invalid_input")
    assert api.get("/api/admin/jobs").json()["jobs"] == []


def test_a_backup_of_an_unknown_database_is_refused(api: Api) -> None:
    problem(api.post(f"{BACKUPS}/create", json={"database": "nothing"}), 404, "not_found")
    assert api.get("/api/admin/databases").json()["databases"] == []


def test_static_addresses_win_over_numbers(shared_api: Api) -> None:
    assert "total_backups" in shared_api.get(f"{BACKUPS}/stats").json()
    problem(shared_api.get(f"{BACKUPS}/create"), 422, "invalid_input")
    problem(shared_api.post(f"{BACKUPS}/stats"), 405, "method_not_allowed")
    problem(shared_api.get(f"{BACKUPS}/"), 404, "not_found")


def test_an_unknown_address_and_a_wrong_method_are_problems_too(shared_api: Api) -> None:
    problem(shared_api.get("/api/nothing"), 404, "not_found")
    answer = shared_api.call("PATCH", f"{BACKUPS}/stats")
    assert problem(answer, 405)["hint"]
    assert answer.headers["allow"] == "GET"
    problem(shared_api.get("/nothing", role=None), 404, "not_found")


def test_a_defect_is_told_without_details_and_logged_with_them(
    app: App, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Api.of(replace(app, expiry=None)) as api:  # type: ignore[arg-type] # that is the defect
        headers = {"X-Request-Id": "my-request-1"}
        answer = api.post(f"{BACKUPS}/cleanup", params={"dry_run": "true"}, headers=headers)
    found = problem(answer, 500, "unexpected")
    assert found["request_id"] == "my-request-1"
    assert "NoneType" not in answer.text
    # Where to, depends on what has set up the logs of this process before.
    assert "NoneType" in capsys.readouterr().out + caplog.text


def test_every_answer_has_a_number_and_the_headers_that_protect(shared_api: Api) -> None:
    for answer in (shared_api.get(BACKUPS), shared_api.get("/nothing", role=None), shared_api.get(BACKUPS, role=None)):
        assert len(answer.headers["x-request-id"]) >= 8
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    kept = shared_api.get(BACKUPS, headers={"X-Request-Id": "abc-123_DEF.456"})
    assert kept.headers["x-request-id"] == "abc-123_DEF.456"
    for bad in ("short", "x" * 65, "a b c d e f", "<script>alert(1)</script>"):
        assert shared_api.get(BACKUPS, headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_a_catalog_that_is_gone_is_503_for_everybody(app: App, api: Api, server18: Server) -> None:
    row = api.row()
    api.as_admin()
    [(name,)] = server18.sql(catalog_of(app), "SELECT current_database()")
    server18.drop_database(name)
    for answer in (api.get(f"{BACKUPS}/{row.id}"), api.get(BACKUPS), api.post(f"{BACKUPS}/create")):
        problem(answer, 503, "catalog_unreachable")
        assert int(answer.headers["retry-after"]) > 0
    assert api.get("/health/live", role=None).status_code == 200
    ready = api.get("/health/ready", role=None)
    assert ready.status_code == 503
    assert {"check": "catalog", "outcome": "fail"} in ready.json()["checks"]


def catalog_of(app: App) -> ConnectionInfo:
    url = app.settings.catalog_url
    assert url is not None
    return parse_url(url.reveal())
