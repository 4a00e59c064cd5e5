"""The command line as a process: signals, pipes, terminals that cannot show everything."""

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, time
from contextlib import contextmanager
from dataclasses import replace
from pgproof.__main__ import main
from pgproof.domain.errors import NotFound
from pgproof.entrypoints.cli.session import Session

@contextmanager
def open_app(settings):
    try:
        {work}
        yield
    finally:
        {cleanup}
        print("cleaned up", file=sys.stderr)

process = Session.of_process
Session.of_process = classmethod(lambda cls: replace(process(), open=open_app))
{before}
main()
"""


def run(
    folder: Path, *, work: str = "", cleanup: str = "pass", before: str = "", argv: str = "list"
) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.format(work=work, cleanup=cleanup, before=before)
    return subprocess.run([sys.executable, "-c", program, *argv.split()], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_with_13_after_the_cleanup(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, work=f"os.kill(os.getpid(), signal.{name}); time.sleep(60)")
    assert done.returncode == 13
    assert done.stderr.startswith("cleaned up\nerror: interrupted")
    assert "Traceback" not in done.stderr


def test_a_second_signal_does_not_disturb_the_cleanup(tmp_path: Path) -> None:
    signal = "os.kill(os.getpid(), signal.SIGINT)"
    done = run(tmp_path, work=f"{signal}; time.sleep(60)", cleanup=f"{signal}; {signal}")
    assert done.returncode == 13
    assert done.stderr.index("please wait") < done.stderr.index("cleaned up")


def test_what_the_parent_ignores_stays_ignored(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        before="signal.signal(signal.SIGHUP, signal.SIG_IGN)",
        work="os.kill(os.getpid(), signal.SIGHUP); raise NotFound('on it went')",
    )
    assert done.returncode == 4
    assert "on it went" in done.stderr


def test_a_signal_while_the_program_is_still_starting_ends_cleanly_too(tmp_path: Path) -> None:
    importing = (
        "import os, signal, sys\n"
        "from pgproof.__main__ import main\n"
        "class Early:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pgproof.entrypoints.cli.app': os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Early())\n"
        "main()\n"
    )
    early = subprocess.run([sys.executable, "-c", importing, "list"], capture_output=True, text=True, cwd=tmp_path)
    assert early.returncode == 13
    assert "Traceback" not in early.stderr


@pytest.mark.parametrize("argv", [["--help"], ["backup", "--help"], ["--version"]])
def test_a_reader_who_leaves_early_hears_no_complaint(tmp_path: Path, argv: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "pgproof", *argv], stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_a_url_that_is_asked_for_on_a_terminal_is_not_shown(tmp_path: Path) -> None:
    program = PROGRAM.format(work="raise NotFound('the URL was read')", cleanup="pass", before="")
    master, slave = pty.openpty()
    with os.fdopen(master, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "database", "add", "shop", "-"],
            stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        shown = b""
        while b"not shown" not in shown:
            shown += terminal.read(1)
        terminal.write(b"postgresql://me:geheim@db/shop\n")
        with suppress(OSError):  # how Linux says that nobody has the other end open any more
            while more := terminal.read(4096):
                shown += more
        assert process.wait() == 4
    assert b"the URL was read" in shown
    assert b"geheim" not in shown


def test_a_name_that_the_terminal_cannot_show_is_no_failure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pgproof", "list"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "BACKUP_COMPRESSION": "größe"},
    )
    assert done.returncode == 3
    assert "gr\\xf6\\xdfe" in done.stderr
