"""What the audit trail calls a user of another application: who it was, before what they are called."""

from types import SimpleNamespace
from typing import Any

import pytest

from pgproof.domain.errors import ConfigurationError
from pgproof.entrypoints.router.naming import actor_name, default_name

CASES: list[tuple[dict[str, Any], str]] = [
    ({"username": "ann", "email": "a@b", "name": "Ann", "sub": "s", "id": 1}, "host:ann"),
    ({"email": "a@b", "name": "Ann", "sub": "s", "id": 1}, "host:a@b"),
    ({"name": "Ann", "sub": "auth0|17", "id": 1}, "host:auth0|17 (Ann)"),
    ({"name": "Ann", "id": 17}, "host:17 (Ann)"),
    ({"username": "", "email": None, "name": "", "id": 0}, "host:0"),
    ({"name": "Ann"}, "host:Ann"),
]


@pytest.mark.parametrize(("user", "name"), CASES)
def test_what_tells_people_apart_comes_before_what_they_are_called(user: dict[str, Any], name: str) -> None:
    assert actor_name(user, default_name) == name
    assert actor_name(SimpleNamespace(**user), default_name) == name


def test_two_of_one_name_are_two_and_nobody_takes_another_ones_number() -> None:
    names = {actor_name(user, default_name) for user in (
        {"id": 1, "name": "Ann"}, {"id": 2, "name": "Ann"}, {"id": 3, "name": "1 (Ann)"}, {"id": 4, "name": ""},
    )}  # fmt: skip
    assert names == {"host:1 (Ann)", "host:2 (Ann)", "host:3 (1 (Ann))", "host:4"}


def test_a_long_name_does_not_push_out_the_number() -> None:
    assert actor_name({"id": 17, "name": "x" * 500}, default_name).startswith("host:17 (xxx")


@pytest.mark.parametrize(("user", "name"), [("dora", "host:dora"), (42, "host:42")])
def test_an_application_that_knows_no_more_than_a_name_or_a_number_is_taken_at_its_word(user: Any, name: str) -> None:
    assert actor_name(user, default_name) == name


@pytest.mark.parametrize("user", [True, object(), {}, {"name": "\n"}, ""])
def test_a_user_with_nothing_to_go_by_is_refused(user: Any) -> None:
    with pytest.raises(ConfigurationError, match="no name for the audit trail"):
        actor_name(user, default_name)
