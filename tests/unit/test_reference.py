"""Pages that the code writes are what the code is now, and the settings' guide states the defaults that hold."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference import api, settings
from reference.__main__ import PAGES
from reference.commands import page

from pgproof.settings.names import FIELDS, NAMES

DOCS = Path(__file__).parents[2] / "docs"
SITE = (DOCS.parent / "mkdocs.yml").read_text()
GUIDE = (DOCS / "configuration.md").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says_now(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "write it anew: make reference"


@pytest.mark.parametrize("name", PAGES)
def test_no_parameter_option_or_setting_is_without_a_meaning(name: str) -> None:
    assert [line for line in PAGES[name]().splitlines() if re.search(r"\|\s*\|\s*$", line)] == []


def test_the_pages_name_every_command_and_setting() -> None:
    assert "## `pgproof catalog import`" in page()
    assert set(re.findall(r"^\| `(BACKUP_\w+)`", settings.page(), re.MULTILINE)) == set(FIELDS)


def rows() -> Iterator[tuple[list[str], str]]:
    """Names and default of each row of the guide's tables."""
    for line in GUIDE.splitlines():
        cells = line.strip("|").split(" | ")
        names = re.findall(r"`(BACKUP_\w+)`", cells[0]) if line.startswith("| `") else []
        if names:
            yield names, cells[1].strip()


def test_the_guide_has_one_row_for_each_setting() -> None:
    named = [name for names, _ in rows() for name in names]
    assert sorted(named) == sorted(set(NAMES) & set(named) | set(FIELDS))


@pytest.mark.parametrize(("name", "told"), [(name, told) for names, told in rows() for name in names if name in FIELDS])
def test_the_guide_states_the_default_that_holds(name: str, told: str) -> None:
    default = settings.default(FIELDS[name])
    if default is None:
        assert not re.fullmatch(r"`\d+`", told)
    else:
        assert told == f"`{default}`"


def test_every_page_has_its_place_in_the_site() -> None:
    placed = re.findall(r"^ +- .*?: ([a-z-]+\.md)$", SITE, re.MULTILINE)
    assert len(placed) == len(set(placed))
    assert {path.name for path in DOCS.glob("*.md")} == set(placed)


def test_an_endpoint_becomes_a_section_with_its_parameters_and_answers() -> None:
    body = {"anyOf": [{"$ref": "#/components/schemas/Wish"}, {"type": "null"}]}
    document = {
        "paths": {
            "/api/x/{id}": {
                "post": {
                    "summary": "Do it",
                    "parameters": [{"name": "id", "in": "path", "required": True, "description": "which\none"}],
                    "requestBody": {"content": {"application/json": {"schema": body}}},
                    "responses": {"404": {"description": "a | b."}, "202": {"description": "begun"}, "500": {}},
                }
            }
        },
        "components": {"schemas": {"Wish": {"required": ["a"], "properties": {"a": {"description": "A."}, "b": {}}}}},
    }
    text = api.render(document)
    assert "## `POST /api/x/{id}`\n\nDo it\n" in text
    assert "| `id` (required) | path | which one |" in text
    assert "| `a` (required) | body, application/json | A. |\n| `b` | body, application/json |  |" in text
    assert "Answers: `202` begun; `404` a \\| b\n" in text
