"""A staging folder holds a readable copy of a database: it never outlives its use for long."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pgproof.adapters.postgres.staging import Staging
from pgproof.domain.errors import StorageError

USER = """
import sys
from pathlib import Path
from pgproof.adapters.postgres.staging import Staging

with Staging(Path(sys.argv[1])).folder("dump") as folder:
    (folder / "rows").write_text("everybody's secrets")
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(root: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    argv = [sys.executable, "-c", USER, str(root)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        yield user, Path(user.stdout.readline().strip())


def test_a_folder_is_private_and_gone_when_its_use_ends(tmp_path: Path) -> None:
    with Staging(tmp_path / "staging").folder("restore") as folder:
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "rows").write_text("x")
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_folder_goes_with_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"), Staging(tmp_path).folder("dump"):
        raise RuntimeError("broken")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_told(tmp_path: Path) -> None:
    with another_process(tmp_path) as (user, folder):
        user.kill()
        user.wait()
    assert (folder / "rows").read_text() == "everybody's secrets"
    (line,) = Staging(tmp_path).remove_abandoned()
    assert str(folder.parent) in line
    assert line.endswith("its process died; the readable copy in it was removed")
    assert list(tmp_path.iterdir()) == []
    assert Staging(tmp_path).remove_abandoned() == []


def test_what_a_living_process_uses_stays(tmp_path: Path) -> None:
    with another_process(tmp_path) as (user, folder):
        assert Staging(tmp_path).remove_abandoned() == []
        assert (folder / "rows").exists()
        user.communicate()
    assert user.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    root = tmp_path / "staging"
    root.mkdir()
    (root / "restore-notes").mkdir()
    (root / "pgproof-staged-link").symlink_to(elsewhere)
    (root / "pgproof-staged-file").touch()
    assert Staging(root).remove_abandoned() == []
    assert sorted(path.name for path in root.iterdir()) == [
        "pgproof-staged-file", "pgproof-staged-link", "restore-notes",
    ]  # fmt: skip
    assert (elsewhere / "file").exists()


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / "pgproof-staged-dump-x" / "lock").mkdir(parents=True)
    (line,) = Staging(tmp_path).remove_abandoned()
    assert "pgproof-staged-dump-x: it cannot be removed" in line


def test_a_staging_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert Staging(tmp_path / "nowhere").remove_abandoned() == []


def test_a_file_in_the_way_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "staging").touch()
    with pytest.raises(StorageError) as refused, Staging(tmp_path / "staging").folder("dump"):
        pass
    assert "BACKUP_STAGING_DIR" in refused.value.hint


def test_a_folder_that_is_just_being_made_is_never_taken_for_abandoned(tmp_path: Path) -> None:
    staging, done = Staging(tmp_path), threading.Event()
    removed: list[str] = []

    def sweep() -> None:
        while not done.is_set():
            removed.extend(staging.remove_abandoned())

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for number in range(300):
            with staging.folder("dump") as folder:
                (folder / "rows").write_text(str(number))
                assert (folder / "rows").read_text() == str(number)
    finally:
        done.set()
        sweeper.join()
    staging.remove_abandoned()
    assert list(tmp_path.iterdir()) == []
