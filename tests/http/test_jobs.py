"""Work that takes long: accepted at once, waited for, done once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pgproof.domain.access import Role
from pgproof.domain.backup import BackupStatus
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.job import JobStatus
from pgproof.services.ports import JobFilter
from tests.e2e.command_line import filled
from tests.http.world import Api, problem
from tests.servers import Server, to_url

BACKUPS = "/api/admin/backups"


@pytest.fixture
def shop(server18: Server, app: object) -> ConnectionInfo:
    return filled(server18)


@pytest.fixture
def register(shop: ConnectionInfo) -> Callable[[Api], str]:
    def register(api: Api) -> str:
        assert api.post("/api/admin/databases", json={"name": "shop", "url": to_url(shop)}).status_code == 201
        return "shop"

    return register


def test_a_backup_is_accepted_at_once_with_a_place_to_look(api: Api, register: Callable[[Api], str]) -> None:
    database = register(api)
    answer = api.post(
        f"{BACKUPS}/create", json={"database": database, "description": "by hand", "compression_level": 0}
    )
    assert answer.status_code == 202
    body = answer.json()
    assert {"id", "filename", "status", "created_at", "message"} <= set(body)
    assert body["status"] == "pending"
    job = api.get(answer.headers["location"]).json()
    assert (job["kind"], job["status"], job["backup_id"]) == ("backup", "queued", body["id"])
    row = api.get(f"{BACKUPS}/{body['id']}").json()
    assert (row["description"], row["compression_level"], row["trigger_source"]) == ("by hand", 0, "manual_api")
    [entry] = api.get("/api/admin/audit", params={"action": "backup.create"}).json()["entries"]
    assert (entry["object"], entry["details"]["description"]) == (str(body["id"]), "by hand")


def test_who_waits_gets_the_end_of_the_whole_story(
    working_api: Api, register: Callable[[Api], str], server18: Server, shop: ConnectionInfo
) -> None:
    api = working_api
    register(api)
    created = api.post(f"{BACKUPS}/create", headers={"Prefer": "wait=120"})
    assert created.status_code == 201, created.text
    assert created.headers["preference-applied"] == "wait=120"
    assert created.json()["status"] == "completed"
    number = created.json()["id"]
    assert api.get(created.headers["location"]).json()["id"] == number

    manifest = api.get(f"{BACKUPS}/{number}/manifest").json()
    assert manifest["tables"]["public.items"] == 1000
    assert api.get(f"{BACKUPS}/{number}/log").json()["lines"]
    verified = api.post(f"{BACKUPS}/{number}/verify", headers={"Prefer": "wait=120"})
    assert (verified.status_code, verified.json()["id"]) == (200, number)
    assert verified.json()["verified_at"]
    tested = api.post(f"{BACKUPS}/{number}/restore-test", headers={"Prefer": "wait=120"})
    assert tested.status_code == 200, tested.text
    assert tested.json()["outcome"] == "passed"
    assert api.get("/api/admin/restore-tests").json()["restore_tests"][0]["success"] is True

    server18.sql(shop, "DELETE FROM items")
    restored = api.post(f"{BACKUPS}/restore/{number}", headers={"Prefer": "wait=120"}, json={"run_analyze": False})
    assert restored.status_code == 200, restored.text
    body = restored.json()
    assert {"success", "backup_id", "duration_seconds", "safety_backup_id", "analyzed"} <= set(body)
    assert (body["success"], body["backup_id"], body["analyzed"]) == (True, number, False)
    assert body["safety_backup_id"] > number
    assert server18.sql(shop, "SELECT count(*) FROM items") == [(1000,)]
    assert api.get(f"{BACKUPS}/{number}").json()["status"] == "restored"

    undone = api.post(f"/api/admin/restores/{body['restore_id']}/undo", headers={"Prefer": "wait=120"})
    assert undone.status_code == 200, undone.text
    assert undone.json()["status"] == "undone"
    assert server18.sql(shop, "SELECT count(*) FROM items") == [(0,)]
    assert api.get(f"/api/admin/restores/{body['restore_id']}/log").json()["lines"]

    deleted = api.delete(f"{BACKUPS}/{number}")
    assert (deleted.status_code, list(deleted.json())) == (200, ["message"])
    problem(api.delete(f"{BACKUPS}/{number}"), 409, "conflict")


def test_a_job_that_fails_while_somebody_waits_is_a_problem(
    working_api: Api, register: Callable[[Api], str], server18: Server, shop: ConnectionInfo
) -> None:
    register(working_api)
    server18.drop_database(shop.dbname)
    answer = working_api.post(f"{BACKUPS}/create", headers={"Prefer": "wait=120"})
    found = problem(answer, 502, "database_missing")
    assert shop.dbname in found["detail"]
    assert answer.headers["location"].endswith(f"/jobs/{found['facts']['job_id']}")


def test_who_waits_too_short_is_told_that_it_goes_on(api: Api, register: Callable[[Api], str]) -> None:
    register(api)
    answer = api.post(f"{BACKUPS}/create", headers={"Prefer": "respond-async, wait=0"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=0"


def test_a_cleanup_is_mostly_over_at_once(working_api: Api) -> None:
    answer = working_api.post(f"{BACKUPS}/cleanup")
    assert answer.status_code == 200, answer.text
    assert answer.json()["retention_days"] == 7
    assert "0 backups" in answer.json()["message"]


def test_a_dry_run_tells_each_decision_and_changes_nothing(api: Api) -> None:
    old, new = api.row(minutes=-100_000), api.row()
    answer = api.post(f"{BACKUPS}/cleanup", params={"dry_run": "true"})
    assert answer.status_code == 200
    decisions = {one["id"]: one for one in answer.json()["decisions"]}
    assert decisions[old.id]["action"] == "expire"
    assert (decisions[new.id]["action"], decisions[new.id]["reasons"][0]) == ("keep", "last_good")
    assert api.get(BACKUPS).json()["total"] == 2
    assert api.app.jobs.list(JobFilter()) == []


def test_the_same_key_gives_the_same_answer_and_one_job(api: Api, register: Callable[[Api], str]) -> None:
    register(api)
    headers, body = {"Idempotency-Key": "a-key"}, {"database": "shop", "description": "once"}
    first = api.post(f"{BACKUPS}/create", headers=headers, json=body)
    again = api.post(f"{BACKUPS}/create", headers=headers, json=dict(reversed(body.items())))
    assert (first.status_code, again.status_code) == (202, 202)
    assert (first.json(), first.headers["location"]) == (again.json(), again.headers["location"])
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(api.app.jobs.list(JobFilter())) == 1
    problem(api.post(f"{BACKUPS}/create", headers=headers, json={**body, "description": "twice"}), 422, "invalid_input")


def test_a_key_is_the_callers_own_and_of_one_call(api: Api, register: Callable[[Api], str]) -> None:
    register(api)
    headers = {"Idempotency-Key": "a-key"}
    made = {
        api.post(f"{BACKUPS}/create", headers=headers, role=role).json()["id"] for role in (Role.ADMIN, Role.OPERATOR)
    }
    assert len(made) == 2
    usable = api.row()
    problem(api.post(f"{BACKUPS}/restore/{usable.id}", headers=headers), 422, "invalid_input")


def test_a_request_that_failed_gives_its_key_free(api: Api, register: Callable[[Api], str]) -> None:
    headers = {"Idempotency-Key": "a-key"}
    problem(api.post(f"{BACKUPS}/create", headers=headers, json={"database": "shop"}), 404, "not_found")
    register(api)
    assert api.post(f"{BACKUPS}/create", headers=headers, json={"database": "shop"}).status_code == 202


def test_a_key_that_is_sent_many_times_at_once_makes_one_job(api: Api, register: Callable[[Api], str]) -> None:
    register(api)
    api.as_admin()

    def ask(_number: int) -> tuple[int, int]:
        answer = api.post(f"{BACKUPS}/create", headers={"Idempotency-Key": "a-key"})
        return answer.status_code, answer.json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(16)))
    assert len(answers) == 1
    assert len(api.app.jobs.list(JobFilter())) == 1


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201])
def test_a_key_that_is_no_key_is_refused(shared_api: Api, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode(), b"Authorization": shared_api.as_admin()["Authorization"].encode()}
    problem(shared_api.client.post(f"{BACKUPS}/create", headers=headers), 422, "invalid_input")


def test_a_backup_that_waits_can_be_called_off(api: Api, register: Callable[[Api], str]) -> None:
    register(api)
    made = api.post(f"{BACKUPS}/create").json()
    cancelled = api.post(f"{BACKUPS}/{made['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert api.get(f"{BACKUPS}/{made['id']}").json()["status"] == "cancelled"
    problem(api.post(f"{BACKUPS}/{made['id']}/cancel"), 409, "conflict")
    problem(api.post(f"/api/admin/jobs/{made['job_id']}/cancel"), 409, "conflict")


@pytest.mark.parametrize(
    "status", [status for status in BackupStatus if status not in {BackupStatus.COMPLETED, BackupStatus.RESTORED}]
)
def test_only_a_usable_backup_can_be_restored_verified_or_tested(api: Api, status: BackupStatus) -> None:
    row = api.row(status=status)
    for path in (f"restore/{row.id}", f"{row.id}/verify", f"{row.id}/restore-test"):
        found = problem(api.post(f"{BACKUPS}/{path}"), 409, "conflict")
        assert status.value in found["detail"]
    assert api.app.jobs.list(JobFilter(status=JobStatus.QUEUED)) == []


def test_a_second_restore_of_a_database_is_refused(api: Api) -> None:
    row = api.row()
    assert api.post(f"{BACKUPS}/restore/{row.id}").status_code == 202
    problem(api.post(f"{BACKUPS}/restore/{row.id}"), 409, "conflict")


def test_a_held_backup_is_not_deleted_until_it_is_released(api: Api) -> None:
    row = api.row()
    assert api.put(f"{BACKUPS}/{row.id}/hold").json()["held"] is True
    problem(api.delete(f"{BACKUPS}/{row.id}"), 409, "conflict")
    assert api.delete(f"{BACKUPS}/{row.id}/hold").json()["held"] is False
    assert api.delete(f"{BACKUPS}/{row.id}").status_code == 200
    actions = [one["action"] for one in api.get("/api/admin/audit").json()["entries"]]
    assert actions[:4] == ["backup.delete", "backup.release", "backup.delete", "backup.hold"]


def test_a_database_is_not_removed_while_a_job_of_it_waits(api: Api, register: Callable[[Api], str]) -> None:
    database = register(api)
    asked = api.post(f"{BACKUPS}/create", json={"database": database}).json()
    found = problem(api.delete(f"/api/admin/databases/{database}"), 409, "conflict")
    assert f"pgproof job cancel {asked['job_id']}" in found["hint"]
    assert api.post(f"/api/admin/jobs/{asked['job_id']}/cancel").status_code == 200
    assert api.delete(f"/api/admin/databases/{database}").status_code == 200
