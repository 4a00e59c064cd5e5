"""The router in other people's applications."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from pgproof.adapters.postgres.connect import parse_url
from pgproof.bootstrap import App
from pgproof.domain.database import ConnectionInfo
from pgproof.entrypoints.router.service import Service
from pgproof.errors import CatalogUnreachable, ConfigurationError, DumpFailed, PgproofError
from pgproof.fastapi import Role, Settings, backup_router, load_settings
from tests.e2e.command_line import filled
from tests.http.hosts import Caller, calling, dependency, host, settings_of
from tests.http.world import opened, problem
from tests.servers import Server, to_url

KEY = UUID("6f1c2c3e-9a0b-4c1d-8e2f-000000000001")


@dataclass
class Row:
    """As an ORM has it: a key of some type, and a name."""

    id: UUID
    email: str


class Model(BaseModel):
    id: int
    username: str


@dataclass
class Nameless:
    id: None = None


USERS: dict[str, Any] = {
    "admin": Row(KEY, "ann@example.com"),
    "dict": {"id": 7, "name": "Ben"},
    "claims": {"sub": "auth0|17", "scope": "all"},
    "model": Model(id=7, username="cleo"),
    "key only": {"id": KEY},
    "number": 42,
    "text": "dora",
    "viewer": {"name": "eve", "role": "viewer"},
    "nobody": None,
    "no": False,
    "nameless": Nameless(),
    "odd": {"name": "fay", "role": "emperor"},
    "poser": {"name": "admin\n:token:1"},
}


def role_of(user: Any) -> str:
    return user.get("role", "admin") if isinstance(user, dict) else Role.ADMIN


class BehindAProxy:
    """As a server does it that knows what a proxy has cut off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = "/behind" + scope["path"].removeprefix("/behind")
            scope = {**scope, "root_path": "/behind", "path": path}
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def caller(
    tmp_path_factory: pytest.TempPathFactory, server18: Server, catalog_template: ConnectionInfo
) -> Iterator[Caller]:
    """An admin of a host that leaves the jobs to others."""
    settings = settings_of(tmp_path_factory.mktemp("host"), server18, catalog_template)
    router = backup_router(dependency(USERS), settings=settings, worker=False, role=role_of)
    with calling(host((router, "/api/admin"))) as ready:
        yield ready


def test_whoever_the_host_lets_in_may_call(caller: Caller) -> None:
    answer = caller("GET", "/api/admin/backups")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"backups": [], "total": 0, "next_cursor": None}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/admin/backups", "/api/admin/backups/stats", "/api/admin/audit"])
def test_whom_the_host_refuses_it_refuses_in_its_own_words(caller: Caller, path: str) -> None:
    refused = caller.as_("outsider")("GET", path)
    assert (refused.status_code, refused.json()) == (403, {"oops": "admins only"})
    unknown = caller.as_(None)("GET", path, params={"surprise": "1"})
    assert (unknown.status_code, unknown.json()) == (401, {"oops": "who are you?"})
    assert unknown.headers["www-authenticate"] == "Host"


def test_a_stranger_with_a_wrong_body_is_a_stranger(caller: Caller) -> None:
    answer = caller.as_(None)("POST", "/api/admin/backups/create", json={"surprise": 1})
    assert answer.status_code == 401


@pytest.mark.parametrize("token", ["nobody", "no"])
def test_a_dependency_that_names_nobody_lets_nobody_in(caller: Caller, token: str) -> None:
    problem(caller.as_(token)("GET", "/api/admin/backups"), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("admin", "host:ann@example.com"),
        ("dict", "host:7 (Ben)"),
        ("claims", "host:auth0|17"),
        ("model", "host:cleo"),
        ("key only", f"host:{KEY}"),
        ("number", "host:42"),
        ("text", "host:dora"),
        ("poser", "host:admin:token:1"),
    ],
)
def test_the_audit_trail_names_users_of_any_type(caller: Caller, token: str, name: str) -> None:
    answer = caller.as_(token)("DELETE", "/api/admin/backups/999")
    problem(answer, 404, "not_found")
    entry = caller("GET", "/api/admin/audit", params={"limit": 1}).json()["entries"][0]
    assert (entry["actor"], entry["action"], entry["outcome"]) == (name, "backup.delete", "not_found")
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["address"] == "127.0.0.1"


def test_a_user_without_any_name_is_the_developers_affair(caller: Caller) -> None:
    found = problem(caller.as_("nameless")("GET", "/api/admin/backups"), 503, "configuration")
    assert "Nameless" in found["detail"]
    assert "user_name" in found["hint"]


def test_a_role_that_is_none_is_refused(caller: Caller) -> None:
    problem(caller.as_("odd")("GET", "/api/admin/backups"), 503, "configuration")


def test_the_host_may_give_roles(caller: Caller) -> None:
    viewer = caller.as_("viewer")
    assert viewer("GET", "/api/admin/backups").status_code == 200
    answer = viewer("DELETE", "/api/admin/backups/1")
    assert "viewer" in problem(answer, 403, "not_allowed")["detail"]
    entry = caller("GET", "/api/admin/audit", params={"action": "refused"}).json()["entries"][0]
    assert (entry["actor"], entry["object"]) == ("host:eve", "DELETE /api/admin/backups/1")


def test_whoever_may_not_is_refused_even_if_nobody_can_write_that_down(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    settings = settings_of(tmp_path, server18, catalog_template)
    router = backup_router(dependency(USERS), settings=settings, worker=False, role=role_of)
    with calling(host((router, "/api/admin"))) as caller:
        viewer = caller.as_("viewer")
        assert viewer("GET", "/api/admin/backups").status_code == 200
        server18.drop_database(parse_url(str(settings["catalog_url"])).dbname)
        problem(viewer("DELETE", "/api/admin/backups/1"), 403, "not_allowed")


def test_our_errors_are_problems_and_the_hosts_are_its_own(caller: Caller) -> None:
    problem(caller("GET", "/api/admin/backups/999"), 404, "not_found")
    problem(caller("GET", "/api/admin/backups/abc"), 422, "invalid_input")
    problem(caller("POST", "/api/admin/backups/create", json={"surprise": 1}), 422, "invalid_input")
    for sent in (b"{not json", b"\xff\xfe", b"[" * 100_000):
        headers = {"Content-Type": "application/json"}
        problem(caller("POST", "/api/admin/backups/create", content=sent, headers=headers), 422, "invalid_input")
    assert caller("POST", "/notes", json={}).json()["detail"][0]["type"] == "missing"
    assert caller("GET", "/nothing").json() == {"detail": "Not Found"}
    assert caller("GET", "/jobs/3").json() == {"host": 3}


def test_only_our_routes_limit_bodies(caller: Caller) -> None:
    large = {"description": "x" * 2_000_000}
    problem(caller("POST", "/api/admin/backups/create", json=large), 413, "body_too_large")

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    headers = {"Content-Type": "application/json"}
    problem(caller("POST", "/api/admin/backups/create", content=pieces(), headers=headers), 413, "body_too_large")
    assert caller("POST", "/notes", json={"text": "x" * 2_000_000}).json() == {"length": 2_000_000}


def test_a_request_keeps_the_number_that_the_host_gave_it(caller: Caller) -> None:
    answer = caller("GET", "/api/admin/backups", headers={"X-Request-Id": "of-the-host-17"})
    assert answer.headers["x-request-id"] == "of-the-host-17"
    assert "x-request-id" not in caller("GET", "/ping").headers


def test_the_hosts_document_shows_our_calls_behind_its_own_scheme(caller: Caller) -> None:
    document = caller("GET", "/openapi.json").json()
    operations = [
        operation
        for path, methods in document["paths"].items()
        if path.startswith("/api/admin")
        for operation in methods.values()
    ]
    assert len(operations) > 40
    assert all(operation["security"] == [{"hostBearer": []}] for operation in operations)
    assert all(operation["tags"] == ["backups"] for operation in operations)
    assert "/api/admin/users" not in document["paths"]
    assert "/api/admin/tokens" not in document["paths"]
    everything = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(everything)) == len(everything)
    assert set(document["components"]["securitySchemes"]) == {"hostBearer"}


def test_the_hosts_lifespan_and_its_state_stay_its_own(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    events: list[str] = []
    before = set(threading.enumerate())
    router = backup_router(dependency(USERS), settings=settings_of(tmp_path, server18, catalog_template))
    with calling(host((router, "/admin"), events=events)) as caller:
        assert caller("GET", "/ping").json() == {"greeting": "hello"}
        assert caller("GET", "/admin/backups").status_code == 200
        assert events == ["host started"]
        assert {"pgproof", "schedules"} <= {thread.name for thread in set(threading.enumerate()) - before}
    assert events == ["host started", "host ended"]
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {"pgproof", "ownership", "schedules"} & left


def test_the_worker_inside_takes_and_restores_backups(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    shop = filled(server18)
    router = backup_router(dependency(USERS), settings=settings_of(tmp_path, server18, catalog_template))
    app = FastAPI()
    app.include_router(router, prefix="/panel/v1")
    with calling(app) as caller:
        added = caller("POST", "/panel/v1/databases", json={"name": "shop", "url": to_url(shop)})
        assert added.status_code == 201, added.text
        created = caller("POST", "/panel/v1/backups/create", headers={"Prefer": "wait=30"})
        assert created.status_code == 201, created.text
        number = created.json()["id"]
        assert created.headers["location"] == f"/panel/v1/backups/{number}"
        assert caller("GET", created.headers["location"]).json()["status"] == "completed"
        server18.sql(shop, "DELETE FROM items")
        accepted = caller("POST", f"/panel/v1/backups/restore/{number}", json={"run_analyze": False})
        assert accepted.status_code == 202, accepted.text
        assert accepted.headers["location"].startswith("/panel/v1/jobs/")
        job = caller("GET", accepted.headers["location"]).json()
        assert job["requested_by"] == "host:ann@example.com"
        part = caller("GET", f"/panel/v1/backups/{number}/download", headers={"Range": "bytes=0-3"})
        assert (part.status_code, len(part.content)) == (206, 4)
        while caller("GET", accepted.headers["location"]).json()["status"] in {"queued", "running"}:
            threading.Event().wait(0.2)
    assert server18.sql(shop, "SELECT count(*) FROM items") == [(1000,)]


def test_two_routers_have_nothing_in_common(tmp_path: Path, server18: Server, catalog_template: ConnectionInfo) -> None:
    one, other = (
        backup_router(
            Depends(dependency(USERS)),
            settings=settings_of(tmp_path / name, server18, catalog_template, retention_days=days),
            worker=False,
            tags=[name],
        )
        for name, days in (("one", 3), ("other", 30))
    )
    shop = to_url(filled(server18))
    app = host((one, "/one"), (other, "/other"))
    with calling(app) as caller:
        assert caller("POST", "/other/databases", json={"name": "shop", "url": shop}).status_code == 201
        created = caller("POST", "/other/backups/create")
        assert created.headers["location"].startswith("/other/jobs/")
        assert caller("GET", created.headers["location"]).json()["status"] == "queued"
        assert caller("GET", "/one/databases").json() == {"databases": []}
        days = [caller("GET", f"/{name}/backups/stats").json()["retention_days"] for name in ("one", "other")]
        assert days == [3, 30]
        document = caller("GET", "/openapi.json").json()
        assert document["paths"]["/one/backups"]["get"]["tags"] == ["one"]


def test_while_somebody_waits_for_a_job_the_hosts_event_loop_goes_on(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    settings = settings_of(tmp_path, server18, catalog_template)
    router = backup_router(dependency(USERS), settings=settings, worker=False, longest_wait=6)
    with calling(host((router, ""))) as caller, ThreadPoolExecutor(1) as pool:
        assert caller("GET", "/backups").status_code == 200
        waiting = pool.submit(caller, "POST", "/backups/cleanup", headers={"Prefer": "wait=300"})
        assert caller("GET", "/ping").status_code == 200
        assert not waiting.done()
        answer = waiting.result()
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=6")


def test_what_the_hosts_dependency_holds_is_given_back_before_anybody_waits(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    events: list[str] = []
    given_back = threading.Event()

    def session() -> Iterator[str]:
        yield "a session"
        events.append("closed")
        given_back.set()

    def current_admin(session: Annotated[str, Depends(session)]) -> str:
        return f"ann with {session}"

    settings = settings_of(tmp_path, server18, catalog_template)
    router = backup_router(current_admin, settings=settings, worker=False)
    with calling(host((router, ""))) as caller, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(caller, "POST", "/backups/cleanup", headers={"Prefer": "wait=5"})
        assert given_back.wait(30)
        assert not waiting.done()
        assert waiting.result().status_code == 202
    assert events == ["closed"]


def test_a_catalog_that_is_away_does_not_keep_the_host_from_working(tmp_path: Path) -> None:
    settings: Any = {"home": tmp_path, "dir": tmp_path, "catalog_url": "postgresql://nobody:secret@127.0.0.1:1/x"}
    with calling(host((backup_router(dependency(USERS), settings=settings), "/api"))) as caller:
        assert caller("GET", "/ping").status_code == 200
        answer = caller("GET", "/api/backups")
        found = problem(answer, 503)
        assert "127.0.0.1:1" in found["detail"]
        assert "secret" not in answer.text
        assert int(answer.headers["retry-after"]) > 0
        assert caller.as_(None)("GET", "/api/backups").status_code == 401


def test_settings_that_cannot_be_used_are_told_when_the_host_starts() -> None:
    router = backup_router(dependency(USERS), settings={"retention_days": 0, "compression_level": 12})

    async def start() -> None:
        async with router.lifespan_context(None):
            raise AssertionError("it started")

    with pytest.raises(ConfigurationError, match=r"COMPRESSION_LEVEL.*RETENTION_DAYS"):
        asyncio.run(start())


def test_without_the_lifespan_it_says_what_is_missing() -> None:
    app = FastAPI()
    app.include_router(backup_router(dependency(USERS)), prefix="/api")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            return await client.get("/api/backups", headers={"Authorization": "Bearer admin"})

    found = problem(asyncio.run(ask()), 503, "configuration")
    assert "lifespan" in found["detail"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"current_admin": "require_admin"}, "current admin is a str"),
        ({"current_admin": dependency({}), "role": "admin"}, "role"),
        ({"current_admin": dependency({}), "user_name": asyncio.sleep}, "user_name"),
    ],
)
def test_what_cannot_work_is_told_where_it_is_written(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        backup_router(**arguments)


def test_what_keeps_it_from_opening_is_told_until_it_is_over(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    attempts: list[Exception] = [CatalogUnreachable("no answer"), ZeroDivisionError("a defect"), DumpFailed("odd")]
    told: list[str] = []
    go = threading.Semaphore(1)

    @contextmanager
    def opening(_settings: Settings) -> Iterator[App]:
        go.acquire()
        if attempts:
            raise attempts.pop(0)
        with opened(tmp_path, server18, catalog_template) as app:
            yield app

    service = Service(lambda: load_settings({}), worker=False, longest_wait=1, opening=opening, pause=0.01)
    service.start()
    service.start()
    while True:
        try:
            found = service.opened()
        except PgproofError as error:
            if error.detail not in told:
                told.append(error.detail)
                go.release()
        else:
            break
    service.stop()
    assert service.opened().app is found.app
    service.stop()
    assert told == ["no answer", "pgproof did not start: ZeroDivisionError", "odd"]
    with pytest.raises(ConfigurationError, match="lifespan"):
        service.opened()


@pytest.mark.parametrize("prefix", ["/tenants/{tenant}/admin", ""])
def test_places_to_look_are_below_whatever_the_host_puts_before(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo, prefix: str
) -> None:
    settings = settings_of(tmp_path, server18, catalog_template)
    app = FastAPI()
    app.add_middleware(BehindAProxy)
    app.include_router(backup_router(dependency(USERS), settings=settings, worker=False), prefix=prefix)
    with calling(app) as caller:
        before = prefix.format(tenant="acme")
        job = caller("POST", f"{before}/backups/cleanup", headers={"Prefer": "wait=0"})
        assert job.headers["location"] == f"/behind{before}/jobs/1"
        assert caller("GET", job.headers["location"]).json()["id"] == 1


def test_a_mounted_application_runs_it_with_one_line(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo
) -> None:
    settings = settings_of(tmp_path, server18, catalog_template)
    router = backup_router(dependency(USERS), settings=settings, worker=False)
    panel = FastAPI()
    panel.include_router(router)
    app = FastAPI(lifespan=router.lifespan_context)
    app.mount("/panel", panel)
    with calling(app) as caller:
        job = caller("POST", "/panel/backups/cleanup", headers={"Prefer": "wait=0"})
        assert job.headers["location"] == "/panel/jobs/1"
        assert caller("GET", job.headers["location"]).json()["kind"] == "cleanup"
