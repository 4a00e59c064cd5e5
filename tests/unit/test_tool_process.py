"""Child processes are heard, masked, ended as a group, and never left behind."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from pgproof.adapters.postgres.process import Command, ToolProcess
from pgproof.domain.errors import Cancelled, ClientMissing, TimedOut
from pgproof.domain.secret import Secret
from pgproof.services.ports import Watch

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def shell(script: str, *secrets: Secret) -> Command:
    return Command(("/bin/sh", "-c", script), ENVIRONMENT, secrets)


def start(command: Command, watch: Watch) -> ToolProcess:
    return ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def watch() -> tuple[list[str], Watch]:
    lines: list[str] = []
    return lines, Watch(lines.append)


def test_output_and_lines_of_stderr_arrive_whole() -> None:
    lines, listening = watch()
    with start(shell("echo out; echo one >&2; printf two >&2"), listening) as process:
        assert b"".join(process.output()) == b"out\n"
        assert process.wait() == 0
    assert lines == ["one", "two"]
    assert process.tail == ["one", "two"]


def test_a_secret_in_the_tools_words_is_masked() -> None:
    lines, listening = watch()
    with start(shell("echo password=hunter2 >&2", Secret("hunter2")), listening) as process:
        process.wait()
    assert lines == ["password=***"]


def test_the_password_of_another_server_is_masked_in_a_statement_that_a_tool_quotes() -> None:
    lines, listening = watch()
    words = "printf '%s\\n' \"OPTIONS (password 'hunter2');\" \"CONNECTION 'host=a password=hunter2'\" >&2"
    with start(shell(words), listening) as process:
        process.wait()
    assert lines == process.tail == ["OPTIONS (password '***');", "CONNECTION 'host=a password=***'"]


def test_a_listener_that_fails_does_not_block_the_tool_and_is_not_forgotten() -> None:
    def fail(_: str) -> None:
        raise LookupError("no such line")

    script = "i=0; while [ $i -lt 5000 ]; do echo a line that fills the pipe sooner or later >&2; i=$((i+1)); done"
    with start(shell(script), Watch(fail)) as process, pytest.raises(LookupError):
        process.wait()


def test_a_death_by_signal_is_a_negative_status() -> None:
    with start(shell("kill -9 $$"), watch()[1]) as process:
        assert process.wait() == -9


def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    cancelled = threading.Event()
    child_started = threading.Event()
    pids: list[int] = []

    def hear(line: str) -> None:
        pids.append(int(line))
        child_started.set()

    with start(shell("sleep 600 & echo $! >&2; wait"), Watch(hear, cancelled)) as process:
        assert child_started.wait(30)
        cancelled.set()
        with pytest.raises(Cancelled):
            process.wait()
    assert_gone(pids[0])


@pytest.mark.parametrize("read", [True, False], ids=["while its output is read", "while it is waited for"])
def test_workers_that_lose_their_leader_end_with_it(tmp_path: Path, read: bool) -> None:
    survived = tmp_path / "a worker lived on"
    with start(shell(f"(sleep 4; touch '{survived}') & kill -9 $$"), watch()[1]) as process:
        if read:
            assert b"".join(process.output()) == b""
        assert process.wait() == -9
        assert not survived.exists()


def test_cancelling_ends_the_wait_for_the_last_words_of_a_process_that_left_the_group(tmp_path: Path) -> None:
    cancelled, escaped = threading.Event(), threading.Event()
    spoke = tmp_path / "it was waited for"
    pids: list[int] = []

    def hear(line: str) -> None:
        pids.append(int(line))
        escaped.set()

    script = f"setsid sh -c 'echo $$ >&2; sleep 8; touch \"{spoke}\"' & sleep 600"
    with start(shell(script), Watch(hear, cancelled)) as process:
        assert escaped.wait(30)
        cancelled.set()
        with pytest.raises(Cancelled):
            process.wait()
        assert not spoke.exists()
    os.killpg(pids[0], signal.SIGKILL)


def test_a_tool_that_ends_well_although_it_was_cancelled_has_done_its_work() -> None:
    cancelled, ready = threading.Event(), threading.Event()
    script = "trap 'exit 0' TERM; echo ready >&2; while :; do sleep 0.05; done"
    with start(shell(script), Watch(lambda _: ready.set(), cancelled)) as process:
        assert ready.wait(30)
        cancelled.set()
        assert process.wait() == 0


def test_a_timeout_ends_the_tool() -> None:
    with start(shell("exec sleep 600"), Watch(lambda _: None, timeout=0.1)) as process, pytest.raises(TimedOut):
        process.wait()


def test_leaving_the_block_early_leaves_no_process_behind() -> None:
    lines, listening = watch()
    with start(shell("echo $$ >&2; echo x; exec sleep 600"), listening) as process:
        next(process.output())
    assert_gone(int(lines[0]))


def test_a_tool_that_ignores_being_asked_is_killed() -> None:
    lines, listening = watch()
    with start(shell("trap '' TERM; echo $$ >&2; echo x; while :; do sleep 0.1; done"), listening) as process:
        next(process.output())
    assert_gone(int(lines[0]))


def test_a_tool_that_is_not_there_is_an_error_with_a_hint() -> None:
    with pytest.raises(ClientMissing) as missing:
        start(Command(("/nowhere/pg_dump",), ENVIRONMENT), watch()[1])
    assert "doctor" in missing.value.hint


def test_feeding_stops_when_the_tool_has_read_enough() -> None:
    with ToolProcess(shell("head -c 3"), watch()[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.feed(iter([b"abcdef"] * 100_000))
        assert b"".join(process.output()) == b"abc"
        assert process.wait() == 0


def assert_gone(pid: int) -> None:
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    # A grandchild of ours has nobody here to reap it: dead is enough.
    assert process.wait(10) is None or process.status() == psutil.STATUS_ZOMBIE
