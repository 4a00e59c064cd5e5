"""The list of licences is complete, in order, and shows where one is missing."""

from release.materials import licences


def test_each_package_has_its_line_and_one_without_a_licence_stands_out() -> None:
    table = licences({"zstd": ("1.0", "BSD-3-Clause"), "Alembic": ("2.0", ""), "pip": ("25", "MIT")})
    assert table.splitlines()[4:] == ["| Alembic | 2.0 | **not named** |", "| zstd | 1.0 | BSD-3-Clause |"]
