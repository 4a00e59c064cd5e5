"""The product's promise in one command: back up, destroy, restore, compare, undo, restore again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof.adapters.embedded.account import server_account
from pgproof.entrypoints.demo.corner import MARKER
from tests.servers import private_folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home that the server's user can pass through, also when root runs the tests."""
    with private_folder(server_account()) as folder:
        yield folder


def pgproof(home: Path, *argv: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pgproof", *argv],
        capture_output=True,
        text=True,
        cwd=home,
        env={**os.environ, "BACKUP_HOME": str(home), **environ},
    )


def test_the_demo_tells_its_story_and_every_comparison_holds(home: Path) -> None:
    # Settings of the user's that it must not use: nothing answers there.
    theirs = {"BACKUP_CATALOG_URL": "postgresql://nobody@127.0.0.1:1/x", "BACKUP_POSTGRES_DB": "theirs"}
    done = pgproof(home, "demo", "--json", **theirs)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["success"] is True
    assert [(item["equal"], item["tables"]) for item in told["comparisons"]] == [(True, 6), (True, 4), (True, 6)]
    first, damaged, again = (item["rows"] for item in told["comparisons"])
    assert first == again
    assert damaged < first
    assert "flights 336,776" in told["steps"][0]["outcome"]

    variables = told["environment"]
    listed = json.loads(pgproof(home, "list", "--json", **variables).stdout)
    triggers = [backup["trigger_source"] for backup in listed["backups"]]
    assert sorted(triggers) == ["manual_cli", "pre_restore_safety", "pre_restore_safety"]
    assert not (home / "backups").exists(), "nothing outside its corner"
    assert {path.name for path in home.iterdir()} == {"demo"}


def test_told_to_people_it_says_what_to_do_next_and_can_be_told_again(home: Path) -> None:
    done = pgproof(home, "demo")
    assert done.returncode == 0, done.stderr
    assert "Every comparison held." in done.stdout
    assert f"BACKUP_HOME={home}/demo" in done.stdout
    assert "pgproof database add mydb" in done.stdout
    assert done.stdout.count("equal: ") == 3
    assert (home / "demo" / MARKER).exists()
