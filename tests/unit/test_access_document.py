"""docs/access.md says what the code does."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from pgproof.domain import credentials, sign_in_limit
from pgproof.domain.access import Permission, Role, allows
from pgproof.domain.sign_in_limit import Limit, Subject, subjects

TEXT = (Path(__file__).parents[2] / "docs" / "access.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first heading this is."""
    found = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert found
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def test_every_permission_stands_with_the_roles_that_have_it() -> None:
    documented = {row[0].strip("`"): row[1:4] for row in table("permission")}
    assert documented == {
        permission.value: ["yes" if allows(role, permission) else "" for role in Role] for permission in Permission
    }


def test_the_roles_stand_in_their_order() -> None:
    assert f"| permission | {' | '.join(Role)} |" in TEXT


def spelled(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (Subject("ann", "10.0.0.1"), "a name from one address"),
        (Subject("", "10.0.0.1"), "an address, whatever the names"),
        (Subject("ann", ""), "a name, whatever the addresses"),
    ],
)
def test_the_limits_are_those_of_the_code(subject: Subject, words: str) -> None:
    limit: Limit = subjects("ann", "10.0.0.1", known=False)[subject]
    row = next(row for row in table("counted") if row[0] == words)
    assert row[1:] == [str(limit.free), spelled(limit.first), spelled(limit.longest)]


def test_the_other_numbers_are_those_of_the_code() -> None:
    for words in (
        f"has {credentials.SHORTEST_PASSWORD} characters or more, at most {credentials.LONGEST_PASSWORD:,} bytes",
        f"1 to {credentials.LONGEST_NAME} printable characters",
        f"begins with `{credentials.API_TOKEN_PREFIX}`",
        f"within the last {sign_in_limit.KNOWN_FOR.days} days",
    ):
        assert words in TEXT
    assert timedelta(days=1) == sign_in_limit.FORGOTTEN_AFTER
    assert "forgotten after a day" in TEXT
