"""The documents speak of what is there: files, headings, targets, commands, options, settings."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from pgproof.entrypoints.cli.app import app
from pgproof.entrypoints.cli.exit_codes import BAD_USAGE, DONE, EXIT_CODES
from pgproof.settings import FALLBACKS, LATER, NAMES

ROOT = Path(__file__).parents[2]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / ".env.example")
}
DOCUMENTS = sorted(name for name in TEXTS if name.endswith(".md"))
# What a user or a developer types after. Decisions may speak of what was not done.
GUIDES = [
    "README.md",
    "docs/access.md",
    "docs/architecture.md",
    "docs/disaster-recovery.md",
    "docs/index.md",
    "docs/migrating.md",
    "docs/pgbackrest.md",
    "docs/security.md",
    "docs/restore-tests.md",
    "docs/schedules.md",
    "docs/notifications.md",
    "docs/monitoring.md",
    "docs/workers.md",
    "docs/restoring.md",
    "docs/api.md",
    "docs/router.md",
    "docs/python.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/cli.md",
    "docs/configuration.md",
    "docs/deployment.md",
    "docs/glossary.md",
]

# Settings of other tools, which one page compares with ours.
THEIRS = {
    "BACKUP_KEEP_DAYS", "BACKUP_KEEP_MONTHS", "BACKUP_KEEP_WEEKS", "POSTGRES_CLUSTER", "POSTGRES_EXTRA_OPTS",
    "POSTGRES_HOST",
}  # fmt: skip

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:^|[\s/])pgproof +([a-z][a-z-]*)([^#|>&;\n]*)", re.MULTILINE)
# Home directories, and the folders in which build machines and containers keep what they check out.
_CHECKOUT = re.compile(r"(?<![\w~.-])/(?:home|Users|root|work|workspace|workspaces|builds|github)/[^\s`)]*")


def code(text: str) -> list[str]:
    """Every piece of a document that is set as code."""
    return _FENCE.findall(text) + _SPAN.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ +(.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def command(words: list[str]) -> Any:
    """The command that these words begin with. Raises `KeyError`."""
    found: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(found, "commands"):
            break
        found = found.commands[word]
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    lost = []
    for target in _LINK.findall(_FENCE.sub("", TEXTS[name])):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (ROOT / name).parent / path if path else ROOT / name
        if not there.exists() or (anchor and anchor not in anchors(there.read_text())):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("name", GUIDES)
def test_every_target_that_is_named_can_be_made(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for piece in code(TEXTS[name]) for target in re.findall(r"\bmake ([a-z-]+)", piece)}
    assert named <= targets


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_and_option_that_is_named_exists(name: str) -> None:
    wrong = []
    for piece in code(TEXTS[name]):
        for first, rest in _COMMAND.findall(piece):
            try:
                meant = command([first, *rest.split()])
            except KeyError as unknown:
                wrong.append(f"pgproof {first}{rest}: no command {unknown}")
                continue
            known = {"--help", "-h", *(option for parameter in meant.params for option in parameter.opts)}
            wrong += [f"pgproof {first}{rest}" for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)
                      if option not in known]  # fmt: skip
    assert wrong == []


def test_the_guides_name_commands_and_targets_at_all() -> None:
    pieces = code(TEXTS["README.md"])
    assert ("restore", " 1") in {(first, rest.rstrip()) for piece in pieces for first, rest in _COMMAND.findall(piece)}
    assert any("make demo" in piece for piece in pieces)
    with pytest.raises(KeyError):
        command(["database", "forget"])


@pytest.mark.parametrize("name", GUIDES)
def test_every_setting_that_is_named_is_read(name: str) -> None:
    known = {*NAMES, *LATER, *FALLBACKS.values(), *(f"{name}_FILE" for name in FALLBACKS.values())}
    known |= THEIRS if name == "docs/migrating.md" else set()
    assert set(re.findall(r"\b(?:BACKUP|POSTGRES)_[A-Z_]*[A-Z]\b", TEXTS[name])) <= known


def test_the_readme_gives_every_exit_status() -> None:
    told = re.search(r"^Exit status: (.*?)\n\n", TEXTS["README.md"], re.MULTILINE | re.DOTALL)
    assert told
    statuses = {int(number) for number in re.findall(r"\b\d+\b", told[1])}
    assert statuses == {DONE, BAD_USAGE, *EXIT_CODES.values()}


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "limitations under the License." in text
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    assert "[Apache-2.0](LICENSE)" in TEXTS["README.md"]


def test_decisions_are_numbered_one_after_the_other() -> None:
    numbers = re.findall(r"^## (\d+)\. ", TEXTS["docs/decisions.md"], re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_document_tells_where_somebody_checked_it_out(name: str) -> None:
    assert _CHECKOUT.findall(TEXTS[name]) == []


@pytest.mark.parametrize("path", ["/home/ann/pgproof", "see /Users/ann/x.md", "(/workspace/pgproof/docs)"])
def test_a_path_of_a_checkout_is_recognised(path: str) -> None:
    assert _CHECKOUT.search(path)
