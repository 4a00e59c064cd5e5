"""The list of licences is complete, in order, and shows where one is missing."""

import json

from release.materials import licences, with_version


def test_each_package_has_its_line_and_one_without_a_licence_stands_out() -> None:
    table = licences({"zstd": ("1.0", "BSD-3-Clause"), "Alembic": ("2.0", "")})
    assert table.splitlines()[4:] == ["| Alembic | 2.0 | **not named** |", "| zstd | 1.0 | BSD-3-Clause |"]


def test_the_bill_says_which_version_it_is_of() -> None:
    bill = {"metadata": {"component": {"name": "pgproof"}}, "components": [{"name": "zstd", "version": "1.0"}]}
    told = json.loads(with_version(json.dumps(bill), "0.1.0"))
    assert told["metadata"]["component"] == {"name": "pgproof", "version": "0.1.0"}
    assert told["components"] == bill["components"]
