"""The audit trail: what is written, and what must not be."""

from typing import Any

import pytest

from pgproof.domain.errors import InvalidInput
from pgproof.domain.secret import Secret, without_url_passwords
from pgproof.services.audit import AuditTrail
from pgproof.services.ports.access import AuditFilter
from tests.fakes.access import MemoryAccessRecords, SetClock


@pytest.fixture
def trail() -> AuditTrail:
    return AuditTrail(MemoryAccessRecords(), SetClock())


def test_an_entry_says_who_did_what_when_from_where_and_how_it_ended(trail: AuditTrail) -> None:
    added = trail.record("ann", "hold", object="backup 1", address="10.0.0.1", request_id="r", details={"held": True})
    assert trail.list(AuditFilter()) == [added]
    assert (added.at, added.actor, added.action, added.object) == (SetClock().now(), "ann", "hold", "backup 1")
    assert (added.outcome, added.address, added.request_id) == ("done", "10.0.0.1", "r")
    assert added.details == {"held": True}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"password": "hunter22"}, {"password": "***"}),
        ({"new": {"new_password": "hunter22", "role": "admin"}}, {"new": {"new_password": "***", "role": "admin"}}),
        ({"password": None}, {"password": None}),
        ({"url": "postgresql://app:hunter22@db/shop"}, {"url": "postgresql://app:***@db/shop"}),
        ({"urls": ["mailto://me:hunter22@mail"]}, {"urls": ["mailto://me:***@mail"]}),
        ({"sealed": Secret("hunter22")}, {"sealed": "***"}),
        ({"refresh_token": "hunter22", "token_id": 3}, {"refresh_token": "***", "token_id": 3}),
        ({"n": 1, "x": 0.5, "yes": True, "t": ("a", None)}, {"n": 1, "x": 0.5, "yes": True, "t": ["a", None]}),
        ({1: "x" * 5_000}, {"1": "x" * 1_000 + "..."}),
    ],
    ids=range(9),
)  # fmt: skip
def test_nothing_secret_and_nothing_endless_is_written(
    trail: AuditTrail, given: dict[Any, Any], kept: dict[str, Any]
) -> None:
    assert trail.record("ann", "change", details=given).details == kept


@pytest.mark.parametrize(
    "said",
    [
        "CREATE USER MAPPING FOR app SERVER other OPTIONS (password '{}', \"user\" 'app');",
        "    password '{}',",
        "    password  E'{}',",
        "OPTIONS (aws_secret_access_key '{}')",
        "ALTER ROLE app PASSWORD '{}';",
        "CREATE SUBSCRIPTION s CONNECTION 'host=a password={} dbname=b' PUBLICATION p",
        "CREATE SUBSCRIPTION s CONNECTION 'host=a password=''{} and more''' PUBLICATION p",
    ],
)
def test_a_password_in_sql_that_a_tool_quotes_is_masked(said: str) -> None:
    shown = without_url_passwords(said.format("hunter2"))
    assert "hunter2" not in shown
    assert "and more" not in shown
    assert "***" in shown


def test_what_only_speaks_of_passwords_stays_readable() -> None:
    said = 'password authentication failed for user "app"; no password supplied'
    assert without_url_passwords(said) == said


def test_a_url_as_the_object_loses_its_password(trail: AuditTrail) -> None:
    assert trail.record("ann", "add", object="postgresql://a:hunter22@db/x").object == "postgresql://a:***@db/x"


@pytest.mark.parametrize("limit", [0, -1, 1_001, 10**30])
def test_a_list_has_a_length_that_can_be_answered(trail: AuditTrail, limit: int) -> None:
    with pytest.raises(InvalidInput):
        trail.list(AuditFilter(limit=limit))
