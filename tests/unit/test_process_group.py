"""A group is ended whole, and its number is never used once it may be another's."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from pgproof.adapters.postgres import group
from pgproof.adapters.postgres.group import ProcessGroup

_WEXITED_NOWAIT = os.WEXITED | os.WNOWAIT


@pytest.fixture
def start() -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    children: list[subprocess.Popen[bytes]] = []

    def run(script: str) -> "subprocess.Popen[bytes]":
        children.append(subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True))
        return children[-1]

    yield run
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        if child.returncode is None:
            child.kill()
            child.wait()


class Signals:
    """Sends nothing and remembers what was to be sent, and whether the number was still the child's."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bool]] = []

    def __call__(self, pid: int, number: int) -> None:
        try:
            os.waitid(os.P_PID, pid, _WEXITED_NOWAIT | os.WNOHANG)
        except ChildProcessError:
            self.sent.append((number, False))
        else:
            self.sent.append((number, True))


def test_the_group_is_killed_before_its_number_is_given_back_and_never_after(
    start: Callable[[str], "subprocess.Popen[bytes]"],
) -> None:
    signals = Signals()
    led = ProcessGroup(start("exit 3"), signals)
    assert led.wait() == 3
    assert signals.sent == [(signal.SIGKILL, True)]
    led.kill()
    led.end()
    assert led.wait() == 3
    assert signals.sent == [(signal.SIGKILL, True)]


def test_a_group_whose_leader_has_ended_can_still_be_signalled(
    start: Callable[[str], "subprocess.Popen[bytes]"],
) -> None:
    signals = Signals()
    led = ProcessGroup(child := start("exit 0"), signals)
    os.waitid(os.P_PID, child.pid, _WEXITED_NOWAIT)
    assert led.leader_has_ended()
    led.end()
    assert signals.sent == [(signal.SIGTERM, True), (signal.SIGKILL, True)]
    assert led.wait() == 0


def test_a_child_that_somebody_else_reaped_is_neither_signalled_nor_called_successful(
    start: Callable[[str], "subprocess.Popen[bytes]"],
) -> None:
    signals = Signals()
    led = ProcessGroup(child := start("exit 0"), signals)
    os.waitpid(child.pid, 0)
    led.end()
    assert led.leader_has_ended()
    assert led.wait() is None
    assert signals.sent == []


@pytest.mark.parametrize("ask", [group.has_ended, group.has_ended_by_the_c_library])
def test_an_end_is_seen_without_reaping(
    start: Callable[[str], "subprocess.Popen[bytes]"], ask: Callable[..., bool]
) -> None:
    child = start("read line; exit 7")
    assert not ask(child.pid, block=False)
    assert child.stdin is not None
    child.stdin.close()
    assert ask(child.pid, block=True)
    assert ask(child.pid, block=False)
    assert child.wait() == 7
    with pytest.raises(ChildProcessError):
        ask(child.pid, block=False)
