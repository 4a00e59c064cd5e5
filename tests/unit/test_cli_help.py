"""Help: at once, complete, and the same as the documentation."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pgproof.entrypoints.cli.app import app

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SLOW_TO_IMPORT = {"sqlalchemy", "alembic", "psycopg", "pydantic", "cryptography", "structlog", "rich", "zstandard",
                  "fastapi", "starlette", "uvicorn"}  # fmt: skip


def commands(group: Any, path: str = "pgproof") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


EVERY_COMMAND = dict(commands(typer.main.get_command(app)))


def section(name: str) -> str:
    found = re.search(rf"^### `{name}( [^`]*)?`\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section {name}"
    return found[0]


@pytest.mark.parametrize(
    ("argv", "by_typer"),
    [(["--help"], set()), (["--version"], set()), (["restore", "--help"], {"pydantic"}), (["nope"], {"pydantic"})],
)
def test_help_imports_nothing_that_is_slow(argv: list[str], by_typer: set[str]) -> None:
    program = (
        "import json, sys\n"
        "from pgproof.__main__ import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    result = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=True)
    imported = set(json.loads(result.stdout.splitlines()[-1]))
    assert "pgproof" in imported
    assert imported & SLOW_TO_IMPORT <= by_typer


def test_all_commands_of_this_release_are_there() -> None:
    assert {name.removeprefix("pgproof ") for name in EVERY_COMMAND} == {
        "backup", "list", "show", "verify", "download", "restore-test", "restore", "undo", "abandon", "hold", "release",
        "delete", "cleanup", "stats", "log", "doctor", "demo", "serve", "worker", "health",
        "job list", "job show", "job cancel",
        "catalog upgrade", "catalog rebuild", "catalog export", "catalog import",
        "database add", "database update", "database list", "database check", "database remove",
        "user add", "user list", "user passwd", "user change", "user remove",
        "token create", "token list", "token revoke",
        "schedule add", "schedule list", "schedule show", "schedule change", "schedule enable", "schedule disable",
        "schedule remove", "schedule run", "schedule next",
        "notify test", "notify list", "notify check", "notify rules", "notify set-rule", "notify remove-rule",
    }  # fmt: skip


# They run until somebody ends them, and what they tell is the log's.
SERVICES = {"pgproof serve", "pgproof worker"}


@pytest.mark.parametrize("name", sorted(EVERY_COMMAND.keys() - SERVICES))
def test_every_command_prints_json_on_request(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in EVERY_COMMAND[name].params)


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = section(name)
    for parameter in EVERY_COMMAND[name].params:
        for option in parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]:
            assert option in text, f"docs/cli.md does not tell of {option} of {name}"


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_command_and_option_explains_itself(name: str) -> None:
    command = EVERY_COMMAND[name]
    assert command.help
    assert not command.get_short_help_str(58).endswith("..."), "it does not fit the overview"
    assert all(parameter.help for parameter in command.params)


def test_no_option_is_documented_that_does_not_exist() -> None:
    for name, command in EVERY_COMMAND.items():
        options = (option for one in command.params for option in (*one.opts, *one.secondary_opts))
        known = {*options, "--help"}
        assert set(re.findall(r"`(--[a-z-]+)", section(name))) <= known, name


def test_every_command_has_one_section() -> None:
    documented = [found.split() for found in re.findall(r"^### `(pgproof [^`]*)`", DOCUMENT, re.MULTILINE)]
    assert len(documented) == len(EVERY_COMMAND)
