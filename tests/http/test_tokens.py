"""Tokens over HTTP: what is let in, and above all what is not."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from pgproof.domain.access import Role
from tests.http.world import PASSWORD, Api, problem

ME = "/api/auth/me"


def me(api: Api, authorization: str | None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    return api.client.get(ME, headers=headers).status_code


def signed_in(api: Api) -> dict[str, str]:
    api.token(Role.ADMIN)
    answer = api.client.post("/api/auth/token", data={"username": "admin", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def test_the_password_form_gives_a_token_that_says_who_one_is(shared_api: Api) -> None:
    found = signed_in(shared_api)
    assert found["token_type"] == "bearer"
    assert int(found["expires_in"]) > 0
    answer = shared_api.client.get(ME, headers={"Authorization": f"Bearer {found['access_token']}"})
    assert (answer.json()["name"], answer.json()["role"]) == ("admin", "admin")
    assert "restore" in answer.json()["permissions"]
    assert shared_api.get(ME, role=Role.VIEWER).json()["permissions"] == ["look"]


def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nobody(shared_api: Api) -> None:
    shared_api.token(Role.ADMIN)
    found = [
        problem(shared_api.client.post("/api/auth/token", data={"username": name, "password": "x" * 20}), 401)
        for name in ("admin", "nobody at all")
    ]
    for one in found:
        del one["request_id"]
    assert found[0] == found[1]


def test_too_many_attempts_are_told_when_to_go_on(api: Api) -> None:
    api.token(Role.ADMIN)
    answers = [
        api.client.post("/api/auth/token", data={"username": "admin", "password": "wrong" * 4}) for _ in range(30)
    ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert problem(refused[0], 429, "too_many_attempts")
    assert int(refused[0].headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"username": "admin"},
        {"username": "admin", "password": PASSWORD, "grant_type": "client_credentials"},
        {"username": "admin", "password": PASSWORD, "surprise": "1"},
        {"username": "", "password": PASSWORD},
        {"username": "a\0b", "password": PASSWORD},
    ],
)
def test_a_form_that_lacks_or_adds_something_is_refused_without_repeating_it(
    shared_api: Api, form: dict[str, str]
) -> None:
    answer = shared_api.client.post("/api/auth/token", data=form)
    problem(answer, 422, "invalid_input")
    assert PASSWORD not in answer.text


def test_a_refresh_token_works_once_and_its_second_use_ends_the_session(api: Api) -> None:
    first = signed_in(api)
    second = api.client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert second.status_code == 200
    assert me(api, f"Bearer {second.json()['access_token']}") == 200
    problem(api.client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]}), 401)
    problem(api.client.post("/api/auth/refresh", json={"refresh_token": second.json()["refresh_token"]}), 401)


def test_after_a_sign_out_the_refresh_token_is_void(api: Api) -> None:
    found = signed_in(api)
    for _ in range(2):
        answer = api.client.post("/api/auth/sign-out", json={"refresh_token": found["refresh_token"]})
        assert (answer.status_code, answer.content) == (204, b"")
    problem(api.client.post("/api/auth/refresh", json={"refresh_token": found["refresh_token"]}), 401)


def test_a_token_without_a_signature_is_refused(shared_api: Api) -> None:
    _, claims, _ = signed_in(shared_api)["access_token"].split(".")
    for algorithm in ("none", "None", "NONE"):
        header = encoded({"alg": algorithm, "typ": "JWT"})
        for signature in ("", "AAAA"):
            assert me(shared_api, f"Bearer {header}.{claims}.{signature}") == 401


def test_a_token_signed_with_another_key_is_refused(shared_api: Api) -> None:
    text = signed_in(shared_api)["access_token"]
    claims = jwt.decode(text, options={"verify_signature": False})
    for algorithm in ("HS256", "HS512"):
        for key in ("k" * 64, "secret" * 12):
            assert me(shared_api, f"Bearer {jwt.encode(claims, key, algorithm=algorithm)}") == 401


def test_a_token_whose_claims_were_changed_is_refused(shared_api: Api) -> None:
    header, claims, signature = signed_in(shared_api)["access_token"].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    for name, value in said.items():
        changed = {**said, name: "1" if value != "1" else "2"}
        assert me(shared_api, f"Bearer {header}.{encoded(changed)}.{signature}") == 401, name


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Basic YWRtaW46YWRtaW4=", "Bearer a.b.c", "Bearer pgp_nothing", "Bearer null",
     "bearer undefined", "Token x", "Bearer " + "x" * 5000],
)  # fmt: skip
def test_what_is_no_token_is_refused(shared_api: Api, authorization: str | None) -> None:
    assert me(shared_api, authorization) == 401


def test_two_tokens_at_once_are_refused(shared_api: Api) -> None:
    token = f"Bearer {shared_api.token(Role.ADMIN)}"
    answer = shared_api.client.get(ME, headers=[("Authorization", token), ("Authorization", token)])
    assert answer.status_code == 401


def test_a_refused_token_is_called_invalid_and_none_at_all_is_not(shared_api: Api) -> None:
    refused = shared_api.client.get(ME, headers={"Authorization": "Bearer a.b.c"})
    assert refused.headers["www-authenticate"] == 'Bearer realm="pgproof", error="invalid_token"'
    assert shared_api.client.get(ME).headers["www-authenticate"] == 'Bearer realm="pgproof"'


def test_an_api_token_works_until_it_is_revoked_and_is_shown_once(api: Api) -> None:
    made = api.post("/api/admin/tokens", json={"name": "report", "role": "viewer"})
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith("pgp_")
    answer = api.client.get(ME, headers={"Authorization": f"Bearer {token}"})
    assert (answer.json()["role"], answer.json()["token_id"]) == ("viewer", made.json()["id"])
    assert token not in api.get("/api/admin/tokens").text
    assert token not in api.get("/api/admin/audit").text
    assert api.delete(f"/api/admin/tokens/{made.json()['id']}").json()["revoked_at"]
    assert me(api, f"Bearer {token}") == 401


def test_a_token_never_outlives_its_user(api: Api) -> None:
    assert (
        api.post("/api/admin/users", json={"name": "ann", "role": "operator", "password": PASSWORD}).status_code == 201
    )
    token = api.post("/api/admin/tokens", json={"name": "t", "user": "ann"}).json()["token"]
    access = api.client.post("/api/auth/token", data={"username": "ann", "password": PASSWORD}).json()["access_token"]
    assert (me(api, f"Bearer {token}"), me(api, f"Bearer {access}")) == (200, 200)
    assert api.call("PATCH", "/api/admin/users/ann", json={"active": False}).status_code == 200
    assert (me(api, f"Bearer {token}"), me(api, f"Bearer {access}")) == (401, 401)
    assert api.delete("/api/admin/users/ann").status_code == 200
    assert (me(api, f"Bearer {token}"), me(api, f"Bearer {access}")) == (401, 401)


def test_a_token_that_should_have_expired_already_is_not_made(shared_api: Api) -> None:
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for expires_at in (past, "2026-01-01T00:00:00", "tomorrow", 1_900_000_000, "1900000000", True):
        answer = shared_api.post("/api/admin/tokens", json={"name": "t", "expires_at": expires_at})
        problem(answer, 422, "invalid_input")


def test_the_last_admin_stays(api: Api) -> None:
    problem(api.delete("/api/admin/users/admin"), 409, "conflict")
    problem(api.call("PATCH", "/api/admin/users/admin", json={"role": "viewer"}), 409, "conflict")


def test_no_answer_and_no_trail_holds_a_password(api: Api) -> None:
    secret = "another long password"
    answers = [
        api.post("/api/admin/users", json={"name": "bob", "role": "viewer", "password": secret}),
        api.put("/api/admin/users/bob/password", json={"password": secret + "!"}),
        api.post("/api/admin/users", json={"name": "carl", "role": "viewer", "password": secret, "x": 1}),
        api.get("/api/admin/users"),
        api.get("/api/admin/audit"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 422, 200, 200]
    assert not any(secret in answer.text for answer in answers)
