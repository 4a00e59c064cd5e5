"""Lists over the API: pages, filters, totals."""

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from pgproof.adapters.postgres.connect import parse_url
from pgproof.domain.backup import BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from tests.http.world import Api, problem
from tests.servers import Server

BACKUPS = "/api/admin/backups"


def pages(api: Api, **params: str | int) -> list[list[int]]:
    """The ids of every page."""
    found, cursor = [], None
    while True:
        answer = api.get(BACKUPS, params={**params, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found.append([one["id"] for one in answer.json()["backups"]])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def test_a_row_has_the_fields_and_types_of_the_contract(api: Api) -> None:
    made = api.row(file_size=2_621_440, description="before the upgrade")
    [row] = api.get(BACKUPS).json()["backups"]
    promised = {
        "id": made.id, "filename": made.filename, "file_size_mb": 2.5, "status": "completed",
        "created_at": "2026-03-01T12:30:00Z", "completed_at": "2026-03-01T12:31:15Z", "duration_seconds": 75,
        "description": "before the upgrade", "trigger_source": "manual_api",
    }  # fmt: skip
    assert promised.items() <= row.items()
    assert set(row) - set(promised) == {"database", "deletion_started_at", "proven_at"}


def test_the_totals_have_the_fields_and_types_of_the_contract(api: Api) -> None:
    api.row(file_size=3 * 1024**3)
    api.row(status=BackupStatus.FAILED)
    assert api.get(f"{BACKUPS}/stats").json() == {
        "total_backups": 2,
        "completed_backups": 1,
        "total_size_gb": 3.0,
        "latest_backup_date": "2026-03-01T12:31:15Z",
        "retention_days": 7,
        "backup_directory": api.app.settings.storage_location,
    }


def test_an_empty_catalog_has_an_empty_list_and_totals_of_zero(api: Api) -> None:
    assert api.get(BACKUPS).json() == {"backups": [], "total": 0, "next_cursor": None}
    stats = api.get(f"{BACKUPS}/stats").json()
    assert (stats["total_backups"], stats["total_size_gb"], stats["latest_backup_date"]) == (0, 0.0, None)


def test_pages_show_every_backup_once_the_newest_first(api: Api) -> None:
    made = [api.row(minutes=number // 3).id for number in range(7)]
    assert pages(api, limit=3) == [made[6:3:-1], made[3:0:-1], [made[0]]]
    assert pages(api, limit=7) == [made[::-1]]


def test_what_is_added_between_two_pages_neither_hides_nor_doubles_anything(api: Api) -> None:
    made = [api.row(minutes=number).id for number in range(4)]
    first = api.get(BACKUPS, params={"limit": 2}).json()
    api.row(minutes=10)
    second = api.get(BACKUPS, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in first["backups"] + second["backups"]] == made[::-1]
    assert (first["total"], second["total"]) == (4, 5)


def test_filters_narrow_the_list_and_the_total_together(api: Api) -> None:
    wanted = api.row("shop", BackupStatus.FAILED, trigger=BackupTrigger.SCHEDULED_CRON, description="nightly run")
    api.row("shop", trigger=BackupTrigger.SCHEDULED_CRON, description="nightly run")
    api.row("crm", BackupStatus.FAILED)
    params = {"database": "shop", "status": "failed", "trigger_source": "scheduled_cron", "q": "night"}
    answer = api.get(BACKUPS, params=params).json()
    assert [one["id"] for one in answer["backups"]] == [wanted.id]
    assert answer["total"] == 1
    assert api.get(BACKUPS, params={"database": "shop"}).json()["total"] == 2


@pytest.mark.parametrize("q", ["it's", '"', "a' OR '1'='1", "%", "\\", "a & b | !c", "\N{PILE OF POO}", ":*", " "])
def test_any_text_may_be_looked_for(api: Api, q: str) -> None:
    api.row(description="a")
    assert api.get(BACKUPS, params={"q": q}).status_code == 200
    assert problem(api.get(BACKUPS, params={"database": q}), 404)


@pytest.mark.parametrize("part", ["backups", "restores", "jobs", "schedules"])
def test_a_database_of_which_nothing_is_known_is_not_found(api: Api, part: str) -> None:
    api.app.catalog.add_database("new", ConnectionInfo("new", "db", 5432, "app"))
    path = f"/api/admin/{part}"
    assert api.get(path).status_code == 200
    assert "no database named" in problem(api.get(path, params={"database": "neww"}), 404)["detail"]
    assert api.get(path, params={"database": "new"}).json()[part] == []
    # One that is registered no more is known by what is left of it.
    api.row("gone")
    assert len(api.get(path, params={"database": "gone"}).json()[part]) == (1 if part == "backups" else 0)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "1.0"},
        {"limit": "+5"},
        {"limit": " 5"},
        {"limit": "5_0"},
        {"limit": "five"},
        {"limit": ""},
        {"limit": "9" * 400},
        {"status": "COMPLETED"},
        {"status": "nothing"},
        {"trigger_source": "me"},
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": base64.urlsafe_b64encode(b"1.0").decode()},
        {"cursor": base64.urlsafe_b64encode(b"999999999999999999.1").decode()},
        {"cursor": base64.urlsafe_b64encode(b"1.99999999999999999999").decode()},
        {"cursor": base64.urlsafe_b64encode("\N{ARABIC-INDIC DIGIT ONE}.\N{ARABIC-INDIC DIGIT ONE}".encode()).decode()},
        {"q": "a\0b"},
        {"q": "x" * 201},
        {"offset": "5"},
        {"Limit": "5"},
    ],
)
def test_a_wrong_or_unknown_parameter_is_refused(shared_api: Api, params: dict[str, str]) -> None:
    problem(shared_api.get(BACKUPS, params=params), 422, "invalid_input")


def test_a_cursor_of_another_list_leads_to_a_place_and_not_to_an_error(api: Api) -> None:
    for number in range(3):
        api.row(minutes=number)
    cursor = api.get(BACKUPS, params={"limit": 1}).json()["next_cursor"]
    for path, name in (("restores", "restores"), ("restore-tests", "restore_tests"), ("jobs", "jobs")):
        assert api.get(f"/api/admin/{path}", params={"cursor": cursor}).json() == {name: [], "next_cursor": None}


def test_the_other_lists_come_in_pages_too(api: Api) -> None:
    backup = api.row()
    for _ in range(3):
        api.app.jobs.request_verify(backup.id, by="a test")
        api.app.audit.record("a test", "looked")
    for path, name, key in (("jobs", "jobs", "id"), ("audit", "entries", "id")):
        first = api.get(f"/api/admin/{path}", params={"limit": 2}).json()
        second = api.get(f"/api/admin/{path}", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        ids = [one[key] for one in first[name] + second[name]]
        assert ids == sorted(ids, reverse=True)
        assert len(set(ids)) == len(ids) >= 3


@pytest.mark.parametrize("moment", ["0.5", "1900000000", "2026-03-01", "2026-03-01T12:30:00", "yesterday", ""])
def test_a_time_in_a_url_is_written_in_full(shared_api: Api, moment: str) -> None:
    problem(shared_api.get("/api/admin/audit", params={"until": moment}), 422, "invalid_input")


@pytest.mark.parametrize(
    "moment",
    ["2026-03-01T12:30:00Z", "2026-03-01t12:30:00.25z", "2026-03-01 12:30:00+02:00", "2026-03-01T12:30:00-08:00"],
)
def test_a_time_in_a_url_may_be_of_any_zone(shared_api: Api, moment: str) -> None:
    assert shared_api.get("/api/admin/audit", params={"until": moment}).json()["entries"] == []


def test_no_request_fails_because_the_server_of_the_catalog_dropped_the_sessions(api: Api, server18: Server) -> None:
    assert api.app.settings.catalog_url is not None
    dbname = parse_url(api.app.settings.catalog_url.reveal()).dbname
    headers = api.as_admin()

    def ask(_number: int) -> int:
        return api.client.get(BACKUPS, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert set(pool.map(ask, range(40))) == {200}
            server18.sql(
                server18.connection,
                f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{dbname}'",
            )
        assert set(pool.map(ask, range(40))) == {200}
