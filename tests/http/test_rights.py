"""Each route asks for one permission, and refuses everybody who does not have it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from pgproof.domain.access import Permission, Role, allows
from pgproof.entrypoints.http.app import ROUTERS
from pgproof.entrypoints.http.dependencies import Public, Requires
from pgproof.entrypoints.http.routes import auth, health
from tests.http.world import Api, problem

# What the product promises, written down once more: a slip in a route must not go unnoticed.
TABLE = {
    ("POST", "/api/admin/backups/create"): Permission.BACK_UP,
    ("POST", "/api/admin/backups/restore/{backup_id}"): Permission.RESTORE,
    ("GET", "/api/admin/backups"): Permission.LOOK,
    ("GET", "/api/admin/backups/stats"): Permission.LOOK,
    ("POST", "/api/admin/backups/cleanup"): Permission.DELETE,
    ("GET", "/api/admin/backups/{backup_id}"): Permission.LOOK,
    ("DELETE", "/api/admin/backups/{backup_id}"): Permission.DELETE,
    ("GET", "/api/admin/backups/{backup_id}/download"): Permission.DOWNLOAD,
    ("HEAD", "/api/admin/backups/{backup_id}/download"): Permission.DOWNLOAD,
    ("GET", "/api/admin/backups/{backup_id}/manifest"): Permission.LOOK,
    ("GET", "/api/admin/backups/{backup_id}/log"): Permission.LOOK,
    ("POST", "/api/admin/backups/{backup_id}/verify"): Permission.VERIFY,
    ("POST", "/api/admin/backups/{backup_id}/restore-test"): Permission.TEST,
    ("POST", "/api/admin/backups/{backup_id}/cancel"): Permission.CANCEL,
    ("PUT", "/api/admin/backups/{backup_id}/hold"): Permission.HOLD,
    ("DELETE", "/api/admin/backups/{backup_id}/hold"): Permission.HOLD,
    ("GET", "/api/admin/restores"): Permission.LOOK,
    ("GET", "/api/admin/restores/{restore_id}"): Permission.LOOK,
    ("GET", "/api/admin/restores/{restore_id}/log"): Permission.LOOK,
    ("POST", "/api/admin/restores/{restore_id}/undo"): Permission.RESTORE,
    ("GET", "/api/admin/restore-tests"): Permission.LOOK,
    ("GET", "/api/admin/restore-tests/{test_id}"): Permission.LOOK,
    ("GET", "/api/admin/restore-tests/{test_id}/log"): Permission.LOOK,
    ("GET", "/api/admin/jobs"): Permission.LOOK,
    ("GET", "/api/admin/jobs/{job_id}"): Permission.LOOK,
    ("GET", "/api/admin/jobs/{job_id}/log"): Permission.LOOK,
    ("POST", "/api/admin/jobs/{job_id}/cancel"): Permission.CANCEL,
    ("GET", "/api/admin/databases"): Permission.LOOK,
    ("POST", "/api/admin/databases"): Permission.CONFIGURE,
    ("POST", "/api/admin/databases/{name:path}/check"): Permission.CONFIGURE,
    ("GET", "/api/admin/databases/{name:path}"): Permission.LOOK,
    ("PUT", "/api/admin/databases/{name:path}"): Permission.CONFIGURE,
    ("DELETE", "/api/admin/databases/{name:path}"): Permission.CONFIGURE,
    ("GET", "/api/admin/schedules"): Permission.LOOK,
    ("POST", "/api/admin/schedules"): Permission.CONFIGURE,
    ("GET", "/api/admin/schedules/{schedule_id}"): Permission.LOOK,
    ("PATCH", "/api/admin/schedules/{schedule_id}"): Permission.CONFIGURE,
    ("DELETE", "/api/admin/schedules/{schedule_id}"): Permission.CONFIGURE,
    ("POST", "/api/admin/schedules/{schedule_id}/run"): Permission.CONFIGURE,
    ("GET", "/api/admin/notifications/alerts"): Permission.LOOK,
    ("GET", "/api/admin/notifications/rules"): Permission.CONFIGURE,
    ("PUT", "/api/admin/notifications/rules"): Permission.CONFIGURE,
    ("DELETE", "/api/admin/notifications/rules"): Permission.CONFIGURE,
    ("POST", "/api/admin/notifications/test"): Permission.CONFIGURE,
    ("GET", "/api/admin/users"): Permission.MANAGE_USERS,
    ("POST", "/api/admin/users"): Permission.MANAGE_USERS,
    ("PUT", "/api/admin/users/{name:path}/password"): Permission.MANAGE_USERS,
    ("GET", "/api/admin/users/{name:path}"): Permission.MANAGE_USERS,
    ("PATCH", "/api/admin/users/{name:path}"): Permission.MANAGE_USERS,
    ("DELETE", "/api/admin/users/{name:path}"): Permission.MANAGE_USERS,
    ("GET", "/api/admin/tokens"): Permission.MANAGE_USERS,
    ("POST", "/api/admin/tokens"): Permission.MANAGE_USERS,
    ("DELETE", "/api/admin/tokens/{token_id}"): Permission.MANAGE_USERS,
    ("GET", "/api/admin/audit"): Permission.AUDIT,
    ("GET", "/api/auth/me"): Permission.LOOK,
    ("GET", "/metrics"): Permission.LOOK,
    ("POST", "/api/auth/token"): None,
    ("POST", "/api/auth/refresh"): None,
    ("POST", "/api/auth/sign-out"): None,
    ("GET", "/health/live"): None,
    ("GET", "/health/ready"): None,
}
GUARDED = {call: permission for call, permission in TABLE.items() if permission is not None}
REFUSED = [
    (method, path, role)
    for (method, path), permission in GUARDED.items()
    for role in Role
    if not allows(role, permission)
]


def declared() -> Iterator[tuple[str, APIRoute]]:
    for router in (*ROUTERS, auth.router, health.health, health.scraping):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                yield method, route


def asked(route: APIRoute) -> list[Any]:
    """What a route declares, wherever in its dependencies."""
    waiting, found = list(route.dependant.dependencies), []
    while waiting:
        one = waiting.pop()
        waiting += one.dependencies
        if isinstance(one.call, Requires | Public):
            found.append(one.call)
    return found


def written(path: str) -> str:
    return re.sub(r"\{name(:path)?\}", "shop", re.sub(r"\{[a-z]+_id\}", "1", path))


def test_every_route_declares_exactly_the_permission_of_the_table() -> None:
    found = {}
    for method, route in declared():
        [one] = asked(route)
        assert (method, route.path) not in found
        found[method, route.path] = one.permission if isinstance(one, Requires) else None
    assert found == TABLE


def test_the_application_has_these_routes_and_no_others(shared_api: Api) -> None:
    served = {
        (method, context.path)
        for context in iter_route_contexts(shared_api.fastapi.routes)
        for method in context.methods or ()
        if not (context.path or "").startswith(("/docs", "/openapi.json"))
    }
    assert served == set(TABLE)


@pytest.mark.parametrize(("method", "path"), list(GUARDED))
def test_a_stranger_learns_nothing_but_401(shared_api: Api, method: str, path: str) -> None:
    for sent in (
        {},
        {"content": "{not json", "headers": {"Content-Type": "application/json"}},
        {"content": "x" * 3_000_000},
        {"params": {"limit": "-1", "surprise": "1"}},
    ):
        answer = shared_api.call(method, written(path), role=None, **sent)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="pgproof"'
        if method != "HEAD":
            assert (
                problem(answer, 401, "not_authenticated")["detail"]
                == "not signed in, or what was sent is wrong or no longer valid"
            )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/nothing"),
        ("GET", "/api/admin/backups/"),
        ("GET", "/api/admin/backups/999999"),
        ("GET", "/api/admin/backups/abc"),
        ("GET", "/api/admin/backups/../../etc/passwd"),
        ("GET", "/api/admin/%62ackups"),
        ("PATCH", "/api/admin/backups/stats"),
        ("OPTIONS", "/api/admin/backups"),
        ("TRACE", "/api/admin/backups"),
        ("GET", "/api/auth/token"),
        ("PUT", "/api/auth/refresh"),
        ("HEAD", "/api/admin/backups"),
        ("POST", "/metrics"),
    ],
)
def test_neither_does_a_stranger_who_tries_addresses_and_methods(shared_api: Api, method: str, path: str) -> None:
    answer = shared_api.call(method, path, role=None)
    assert answer.status_code == 401
    assert "allow" not in answer.headers


@pytest.mark.parametrize(("method", "path", "role"), REFUSED)
def test_whoever_may_not_is_refused_before_anything_is_looked_at(
    shared_api: Api, method: str, path: str, role: Role
) -> None:
    answer = shared_api.call(method, written(path), role=role, params={"surprise": "1"})
    assert answer.status_code == 403
    if method != "HEAD":
        assert role.value in problem(answer, 403, "not_allowed")["detail"]


@pytest.mark.parametrize(("method", "path"), [call for call in GUARDED if call[0] in {"GET", "HEAD"}])
def test_whoever_may_is_not_refused(shared_api: Api, method: str, path: str) -> None:
    for role in Role:
        if allows(role, GUARDED[method, path]):
            assert shared_api.call(method, written(path), role=role).status_code in {200, 404}


def test_a_refusal_is_in_the_audit_trail(api: Api) -> None:
    answer = api.delete("/api/admin/backups/17", role=Role.OPERATOR)
    [entry] = api.get("/api/admin/audit", params={"action": "refused"}).json()["entries"]
    assert entry["actor"] == "operator"
    assert entry["object"] == "DELETE /api/admin/backups/17"
    assert entry["outcome"] == "not_allowed"
    assert entry["address"] == "127.0.0.1"
    assert entry["request_id"] == answer.headers["x-request-id"]


def test_nobody_can_change_the_audit_trail(shared_api: Api) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        problem(shared_api.call(method, "/api/admin/audit"), 405, "method_not_allowed")
        problem(shared_api.call(method, "/api/admin/audit/1"), 404, "not_found")
