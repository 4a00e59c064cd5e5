"""Callers who mean harm: what they try is refused, costs us little, and stays in the audit trail."""

import contextlib
import json
import select
import socket
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from urllib.parse import quote

import pytest

from pgproof.adapters.postgres.connect import parse_url
from pgproof.bootstrap import App
from pgproof.domain.access import Role
from pgproof.entrypoints.http.readiness import ReadinessCache
from pgproof.services.overview import Readiness
from tests.http.world import Api, problem
from tests.servers import Server

# 4 bytes each and no two alike, so that nothing gets smaller by compression.
STRANGE = "".join(chr(0x20000 + 37 * number) for number in range(1_000))
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_refusal_is_in_the_audit_trail_however_long_the_address_is(api: Api) -> None:
    problem(api.get(f"/api/admin/users/{quote(STRANGE)}", role=Role.VIEWER), 403, "not_allowed")
    entries = api.get("/api/admin/audit", params={"action": "refused"}).json()["entries"]
    assert [entry["actor"] for entry in entries] == ["viewer"]
    assert entries[0]["object"].startswith("GET /api/admin/users/\N{CJK UNIFIED IDEOGRAPH-20000}")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"])
def test_a_date_behind_the_calendar_is_refused_and_spoils_no_list(api: Api, moment: str) -> None:
    answer = api.post("/api/admin/tokens", json={"name": "for ever", "role": "viewer", "expires_at": moment})
    problem(answer, 422, "invalid_input")
    assert api.get("/api/admin/tokens").json() == {"tokens": []}


@pytest.mark.parametrize(
    ("path", "headers", "content"),
    [
        ("/api/auth/refresh", JSON, json.dumps({f"{number:x}": 1 for number in range(50_000)})),
        ("/api/auth/sign-out", JSON, json.dumps({f"{number:x}": 1 for number in range(50_000)})),
        ("/api/auth/token", FORM, "&" * 1_000_000),
    ],
)
def test_a_stranger_cannot_make_us_read_much(shared_api: Api, path: str, headers: dict[str, str], content: str) -> None:
    problem(shared_api.post(path, role=None, content=content, headers=headers), 413, "body_too_large")


def test_of_very_many_unknown_fields_none_is_looked_at(shared_api: Api) -> None:
    fields = {f"{number:x}": 1 for number in range(50_000)}
    answer = shared_api.post("/api/admin/backups/create", role=Role.OPERATOR, json=fields)
    found = problem(answer, 422, "invalid_input")
    assert [one["field"] for one in found["errors"]] == ["body"]


def test_while_somebody_looks_whether_all_is_ready_others_are_not_kept_waiting() -> None:
    looking, may_end = Event(), Event()
    cache, answers = ReadinessCache(kept=0, patience=0), list[Readiness]()

    def hang() -> Readiness:
        looking.set()
        may_end.wait()
        return Readiness(ready=True, checks=())

    first = Thread(target=lambda: answers.append(cache.read(hang)))
    first.start()
    looking.wait()
    second = Thread(target=lambda: answers.append(cache.read(hang)))
    second.start()
    second.join(10)
    kept_waiting = second.is_alive()
    may_end.set()
    first.join()
    second.join()
    assert not kept_waiting
    assert [answer.ready for answer in answers] == [False, True]


@pytest.mark.parametrize("place", ["attacker.example", "127.0.0.1", ""])
def test_the_password_of_a_service_goes_to_no_other_host(shared_api: Api, place: str) -> None:
    url = f"postgresql://app@{place}/shop?service=prod" + ("" if place else "&hostaddr=192.0.2.7")
    answer = shared_api.post("/api/admin/databases", json={"name": "shop", "url": url})
    assert "names a service and a host" in problem(answer, 422, "invalid_input")["detail"]


def test_no_message_takes_a_file_of_this_machine_along(api: Api) -> None:
    url = "workflows://attacker.example/abcd/efgh/?template=/etc/hostname"
    for answer in (
        api.post("/api/admin/notifications/test", json={"urls": [url]}),
        api.put("/api/admin/notifications/rules", json={"urls": [url]}),
    ):
        assert "names a file of this machine" in problem(answer, 422, "invalid_input")["detail"]
    assert api.get("/api/admin/notifications/rules").json() == {"rules": []}


def test_of_many_restores_that_are_asked_for_at_once_one_is_made(api: Api) -> None:
    backup, begin = api.row(), Barrier(8)
    token = api.as_admin()

    def ask(_number: int) -> int:
        begin.wait()
        return api.client.post(f"/api/admin/backups/restore/{backup.id}", headers=token).status_code

    with ThreadPoolExecutor(8) as callers:
        statuses = sorted(callers.map(ask, range(8)))
    assert statuses == [202] + [409] * 7
    assert len(api.get("/api/admin/jobs").json()["jobs"]) == 1


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_token_that_nests_deeper_than_anybody_reads_is_no_token(shared_api: Api, opening: str) -> None:
    deep = b64encode((opening * (2900 // len(opening))).encode()).decode().rstrip("=")
    for token in (f"{deep}.e30.c2ln", f"eyJhbGciOiJIUzI1NiJ9.{deep}.c2ln"):
        answer = shared_api.get("/api/admin/backups", role=None, headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "not_authenticated")


def test_a_stranger_does_not_learn_where_the_catalog_is(app: App, api: Api, server18: Server) -> None:
    api.as_admin()
    assert app.settings.catalog_url is not None
    place = parse_url(app.settings.catalog_url.reveal())
    server18.drop_database(place.dbname)
    secrets = (place.dbname, str(place.port))
    for answer in (
        api.client.get("/api/admin/backups", headers={"Authorization": "Bearer pgp_guessed"}),
        api.post("/api/auth/token", role=None, data={"username": "admin", "password": "guessed"}),
        api.post("/api/auth/refresh", role=None, json={"refresh_token": "guessed"}),
    ):
        problem(answer, 503, "catalog_unreachable")
        assert not [secret for secret in secrets if secret in answer.text.replace(answer.headers["x-request-id"], "")]


def test_a_header_without_an_end_is_not_read_to_the_end(shared_api: Api) -> None:
    url = shared_api.client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=30) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Endless: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 1 << 22 and not select.select([connection], [], [], 0)[0]:
                sent += connection.send(b"x" * 65_536)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert sent < 1 << 22
