"""The scripts for cron: one line of log, the exit status of pgproof, and never two at once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.command_line import CommandLine, filled
from tests.servers import Server

SCRIPTS = Path(__file__).parents[2] / "scripts" / "backup"
BACKUP, CLEANUP = SCRIPTS / "backup-database.sh", SCRIPTS / "cleanup-old-backups.sh"
LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([a-z -]+) (ok|failed) status=(\d+) seconds=(\d+) (.+)")
LOCKS = [pytest.param({}, id="flock"), pytest.param({"PGPROOF_NO_FLOCK": "yes"}, id="without flock")]

# Says what it was called with, and ends as it is told to; `slow` says when it has begun, and waits for its end.
STAND_IN = """#!/bin/sh
echo "$@" >>calls
case "$*" in
    *slow*)
        trap 'echo ended cleanly >>calls; exit 13' TERM
        echo begun
        mkfifo wait && exec 3<>wait && : >begun
        read -r line <&3 ;;
    *broken*)
        echo "a line of progress" >&2
        echo '{"error": {"code": "dump_failed", "detail": "disk \\"full\\"", "hint": "Make room.", "facts": {"stderr": ["x"]}}}' >&2
        exit 10 ;;
    *silent*) exit 1 ;;
esac
printf '{\\n  "id": 1,\\n  "message": "backup 1 is complete",\\n  "facts": []\\n}\\n'
"""  # noqa: E501


class Cron:
    """Runs a script as cron does: with little in the environment, in the home folder."""

    def __init__(self, folder: Path, command: str) -> None:
        self.folder = folder
        self.log = folder / "backup.log"
        self._environ = {"PATH": "/usr/bin:/bin", "PGPROOF": command, "PGPROOF_DIRECTORY": str(folder)}

    def __call__(self, script: Path, *argv: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(script), *argv], env={**self._environ, **environ}, cwd="/", capture_output=True, text=True
        )

    @contextmanager
    def running(self, script: Path, *argv: str, **environ: str) -> "Iterator[subprocess.Popen[str]]":
        """A run that has begun and goes on for as long as it is let."""
        begun = self.folder / "begun"
        with subprocess.Popen(
            [str(script), *argv], env={**self._environ, **environ}, cwd="/", text=True, stderr=subprocess.PIPE
        ) as process:
            try:
                while not begun.exists():
                    assert process.poll() is None
                begun.unlink()
                yield process
            finally:
                self.let_go()
                process.wait()
        (self.folder / "wait").unlink()

    def let_go(self) -> None:
        try:
            with os.fdopen(os.open(self.folder / "wait", os.O_WRONLY | os.O_NONBLOCK), "w") as gate:
                gate.write("go on\n")
        except OSError:
            return  # nobody waits any more

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    @property
    def lines(self) -> list[tuple[str, ...]]:
        found = [LINE.fullmatch(line) for line in self.log.read_text().splitlines()]
        assert all(found), self.log.read_text()
        return [line.groups()[1:] for line in found if line]


@pytest.fixture
def cron(tmp_path: Path) -> Cron:
    command = tmp_path / "stand-in"
    command.write_text(STAND_IN)
    command.chmod(0o755)
    return Cron(tmp_path, str(command))


def test_a_backup_says_that_a_timer_asked_for_it(cron: Cron) -> None:
    done = cron(BACKUP, "shop", "--include-logs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "cron sends no mail when all is well"
    assert cron.calls == ["backup shop --trigger scheduled_cron --include-logs --json"]
    ((task, outcome, status, _, message),) = cron.lines
    assert (task, outcome, status, message) == ("backup-database shop", "ok", "0", "backup 1 is complete")


def test_without_a_name_the_database_of_the_settings_is_meant(cron: Cron) -> None:
    assert cron(BACKUP).returncode == 0
    assert cron(BACKUP, "--format", "directory").returncode == 0
    assert cron.calls == [
        "backup --trigger scheduled_cron --json",
        "backup --trigger scheduled_cron --format directory --json",
    ]


def test_a_cleanup_asks_nobody(cron: Cron) -> None:
    assert cron(CLEANUP, "--force").returncode == 0
    assert cron.calls == ["cleanup --yes --force --json"]
    assert [line[:3] for line in cron.lines] == [("cleanup-old-backups", "ok", "0")]


def test_a_failure_is_logged_in_one_line_told_to_cron_and_passed_on(cron: Cron) -> None:
    done = cron(BACKUP, "broken")
    assert done.returncode == 10
    assert '"dump_failed"' in done.stderr
    ((_, outcome, status, _, message),) = cron.lines
    assert (outcome, status) == ("failed", "10")
    assert json.loads(message) == {"code": "dump_failed", "detail": 'disk "full"', "hint": "Make room."}


def test_who_fails_without_a_word_is_logged_too(cron: Cron) -> None:
    assert cron(BACKUP, "silent").returncode == 1
    assert [line[1:] for line in cron.lines] == [("failed", "1", cron.lines[0][3], "without a word")]


def test_a_missing_command_is_said_and_not_mistaken_for_a_backup(cron: Cron) -> None:
    done = cron(BACKUP, PGPROOF="/no/such/pgproof")
    assert done.returncode == 3
    assert "set PGPROOF" in done.stderr
    assert [line[1:3] for line in cron.lines] == [("failed", "3")]


def test_a_url_is_refused_and_its_password_written_nowhere(cron: Cron) -> None:
    done = cron(BACKUP, "postgresql://app:secret@db/shop")
    assert done.returncode == 2
    assert "secret" not in done.stderr + cron.log.read_text()
    assert not (cron.folder / "calls").exists()


def test_a_log_that_cannot_be_written_does_not_go_unnoticed(cron: Cron) -> None:
    done = cron(BACKUP, "shop", PGPROOF_LOG="/no/such/folder/backup.log")
    assert cron.calls, "the backup itself is not given up for its line of log"
    assert done.returncode == 3
    assert "unable to write to /no/such/folder/backup.log" in done.stderr


def test_a_folder_for_locks_that_cannot_be_written_is_an_error(cron: Cron) -> None:
    for lock in ({}, {"PGPROOF_NO_FLOCK": "yes"}):
        done = cron(BACKUP, PGPROOF_LOCKS="/no/such/folder", **lock)
        assert done.returncode == 3
        assert "unable to write /no/such/folder/" in done.stderr
    assert not (cron.folder / "calls").exists()


@pytest.mark.parametrize("lock", LOCKS)
def test_two_runs_for_one_database_never_overlap(cron: Cron, lock: Mapping[str, str]) -> None:
    with cron.running(BACKUP, "slow", **lock):
        second = cron(BACKUP, "slow", **lock)
        assert second.returncode == 5
        assert "has not ended" in second.stderr
        assert cron(BACKUP, "shop", **lock).returncode == 0, "another database does not wait"
        assert cron(CLEANUP, **lock).returncode == 0
    with cron.running(BACKUP, "slow", **lock):
        pass
    assert [line[1:3] for line in cron.lines] == [("failed", "5"), ("ok", "0"), ("ok", "0"), ("ok", "0"), ("ok", "0")]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_of_a_killed_run_is_taken_over(cron: Cron, lock: Mapping[str, str]) -> None:
    with cron.running(BACKUP, "slow", **lock) as killed:
        children = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
        for pid in [killed.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        killed.wait()
    with cron.running(BACKUP, "slow", **lock):
        pass
    assert [line[1:3] for line in cron.lines] == [("ok", "0")]


def test_a_killed_script_leaves_the_lock_to_the_backup_that_goes_on(cron: Cron) -> None:
    with cron.running(BACKUP, "slow") as killed:
        killed.kill()
        killed.wait()
        assert cron(BACKUP, "slow").returncode == 5


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_backup_cleanly_and_then_the_script(
    cron: Cron, number: signal.Signals, lock: Mapping[str, str]
) -> None:
    with cron.running(BACKUP, "slow", **lock) as told:
        told.send_signal(number)
        assert told.wait() == 13
    assert cron.calls[-1] == "ended cleanly"
    assert [line[1:3] for line in cron.lines] == [("failed", "13")]
    assert cron(BACKUP, "shop", **lock).returncode == 0


def test_every_shell_that_is_here_understands_them(cron: Cron) -> None:
    shells = [found for name in ("dash", "bash", "busybox") if (found := shutil.which(name))]
    assert shells
    for shell in shells:
        argv = [shell, "sh"] if shell.endswith("busybox") else [shell]
        for script in (BACKUP, CLEANUP):
            done = subprocess.run(
                [*argv, str(script)],
                env={"PATH": "/usr/bin:/bin", "PGPROOF": str(cron.folder / "stand-in")},
                cwd=cron.folder,
                capture_output=True,
                text=True,
            )
            assert (done.returncode, done.stderr) == (0, ""), shell
    assert {line[1] for line in cron.lines} == {"ok"}


def test_a_real_backup_and_a_real_cleanup(server18: Server, tmp_path: Path) -> None:
    pgproof = CommandLine(tmp_path, server18, filled(server18))
    settings = "".join(f"{name}={value}\n" for name, value in pgproof.environ.items())
    (tmp_path / ".env").write_text(settings)
    command = tmp_path / "pgproof"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pgproof "$@"\n')
    command.chmod(0o755)
    cron = Cron(tmp_path, "./pgproof")
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}

    taken = cron(BACKUP, **path)
    assert (taken.returncode, taken.stdout, taken.stderr) == (0, "", "")
    assert cron(CLEANUP, **path).returncode == 0
    failed = cron(BACKUP, "nowhere", **path)
    assert failed.returncode == 4

    (backup,) = pgproof("list", "--json").json["backups"]
    assert (backup["status"], backup["trigger_source"]) == ("completed", "scheduled_cron")
    told = cron.lines
    assert [line[:3] for line in told] == [
        ("backup-database", "ok", "0"),
        ("cleanup-old-backups", "ok", "0"),
        ("backup-database nowhere", "failed", "4"),
    ]
    assert told[0][4].startswith(f"backup {backup['id']} of {backup['database']} is complete: ")
    assert "nowhere" in json.loads(told[2][4])["detail"]
    assert (cron.log.stat().st_mode & 0o777) == 0o600
