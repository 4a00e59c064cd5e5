"""The image: what is in it, and what its user can do there."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pgproof import __version__
from tests.deploy.containers import Container, Network, children, network
from tests.deploy.roots import Image

pytestmark = pytest.mark.deploy


@pytest.fixture
def place() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture
def bare(image: Image, place: Network) -> Container:
    """The image as `docker run --read-only` would run it."""
    return Container(image, place, image.command, image.env, {}, {}, ("/tmp",), image.healthcheck)


def shell(bare: Container, script: str) -> str:
    """What a shell in it prints."""
    plain = replace(bare, image=replace(bare.image, entrypoint=()))
    done = plain.run("sh", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_runs_pgproof(bare: Container) -> None:
    done = bare.run("--version")
    assert (done.returncode, done.stdout) == (0, f"pgproof {__version__}\n"), done.stderr


def test_it_is_an_ordinary_user_who_can_gain_nothing(bare: Container) -> None:
    status = dict(line.split(":", 1) for line in shell(bare, "cat /proc/self/status").splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0


def test_nothing_is_writable_but_what_is_mounted(bare: Container) -> None:
    found = "find / -xdev ! -type l -writable ! -path '/dev/*' ! -path '/proc/*' -print 2>/dev/null || true"
    assert shell(bare, found).split() == ["/tmp"]


def test_its_user_owns_its_volumes_and_nothing_else(image: Image) -> None:
    """So that a root that is not read-only is hardly less safe."""
    owned = [str(path) for path in image.root.rglob("*") if path.lstat().st_uid == 10001]
    assert sorted(owned) == sorted(f"{image.root}{volume}" for volume in image.volumes)
    open_to_all = [
        path
        for path in (image.root / "opt").rglob("*")
        if not path.is_symlink() and path.lstat().st_mode & 0o022 and path.lstat().st_uid == 0
    ]
    assert open_to_all == []


@pytest.mark.parametrize(
    "tool", ["pip", "pip3", "gcc", "cc", "make", "git", "curl", "wget", "debootstrap", "hatchling"]
)
def test_nothing_that_builds_or_fetches_is_in_it(bare: Container, tool: str) -> None:
    assert shell(bare, f"command -v {tool} || echo none") == "none\n"


def test_nothing_of_the_build_is_left(image: Image) -> None:
    assert not (image.root / "build").exists()
    assert list((image.root / "var/lib/apt/lists").iterdir()) == []
    assert not list(image.root.glob("opt/pgproof/**/site-packages/pip"))
    assert not (image.root / "var/lib/pgproof/.cache").exists()


def test_its_modules_are_compiled_because_nobody_could_do_it_later(image: Image) -> None:
    package = next(image.root.glob("opt/pgproof/lib/python3*/site-packages/pgproof"))
    sources = {path.relative_to(package) for path in package.rglob("*.py")}
    compiled = {path.relative_to(package) for path in package.rglob("*.pyc")}
    names = {(path.parent.parent, re.sub(r"\.cpython-\d+$", "", path.stem)) for path in compiled}
    assert {(path.parent, path.stem) for path in sources} == names


def test_it_has_the_tools_and_the_time_zones(bare: Container) -> None:
    assert re.match(r"pg_dump \(PostgreSQL\) \d+", shell(bare, "pg_dump --version"))
    assert "Europe" in shell(bare, "ls /usr/share/zoneinfo")


def test_its_labels_say_what_it_is(image: Image) -> None:
    named = {name.removeprefix("org.opencontainers.image."): value for name, value in image.labels.items()}
    assert named["title"] == "pgproof"
    assert named["version"] == "1.2.3"
    assert named["licenses"] == "Apache-2.0"


def test_the_first_process_reaps_what_others_leave(bare: Container) -> None:
    plain = replace(bare, image=replace(bare.image, entrypoint=bare.image.entrypoint[:2]))
    orphan = "(sh -c 'exec true' & exec sleep 0) & sleep 1; cat /proc/[0-9]*/stat | grep -c ' Z ' || true"
    assert plain.run("sh", "-c", orphan).stdout == "0\n"


def test_nothing_outlives_the_service_that_a_test_has_run(bare: Container, tmp_path: Path) -> None:
    plain = replace(bare.image, entrypoint=bare.image.entrypoint[:2])
    with replace(bare, image=plain, command=("sleep", "infinity")).running(tmp_path / "log") as running:
        first = running.first_pid
        inside = [first, *children(first)]
    for pid in inside:
        wait_until_gone(pid)


def test_nothing_outlives_a_command_that_took_too_long(bare: Container) -> None:
    plain = replace(bare.image, entrypoint=())
    mark = f"{os.getpid()}.5"
    with pytest.raises(subprocess.TimeoutExpired):
        replace(bare, image=plain).run("sleep", mark, limit=5)
    for pid in [int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in words_of(path)]:
        wait_until_gone(pid)


def words_of(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text().split("\0")
    except OSError:
        return []


def wait_until_gone(pid: int) -> None:
    """A process that nobody has waited for yet is gone, too."""
    deadline = time.monotonic() + 30
    while (state := state_of(pid)) not in ("gone", "Z"):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "gone"
