"""Signals that come while one is being answered, in a process of its own: a lock would have it wait for ever."""

import subprocess
import sys

import pytest

# At each step of whatever the handler calls, and at each step of the wait, one more signal.
SCRIPT = """
import signal, sys
from pgproof.entrypoints.cli.interrupts import asked_to_end
from pgproof.entrypoints.worker import Worker

worker = object.__new__(Worker)
hurried = []
left = {signals}

def hurry():
    hurried.append(1)
    worker.hurry()

def again(frame, event, argument):
    global left
    if left:
        left -= 1
        signal.raise_signal(signal.{name})
    return again

with asked_to_end(hurry) as wait:
    sys.settrace(again)
    {first}
    wait()
    sys.settrace(None)
print(len(hurried))
"""


def run(name: str, signals: int, first: str) -> str:
    script = SCRIPT.format(name=name, signals=signals, first=first)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_in_the_middle_of_a_handler_do_not_hang_and_hurry(name: str) -> None:
    assert int(run(name, 30, f"signal.raise_signal(signal.{name})")) > 1


def test_one_signal_in_the_middle_of_the_wait_ends_it_and_does_not_hurry() -> None:
    assert int(run("SIGTERM", 1, "pass")) == 0


def test_more_of_them_hurry() -> None:
    assert int(run("SIGTERM", 30, "pass")) >= 1


def test_what_was_there_before_is_there_again() -> None:
    script = """
import signal
from pgproof.entrypoints.cli.interrupts import asked_to_end
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
with asked_to_end(print):
    assert before != [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_an_event_would_have_hung() -> None:
    """What these tests guard against: they would notice it."""
    script = SCRIPT.format(name="SIGTERM", signals=30, first="signal.raise_signal(signal.SIGTERM)")
    wrong = script.replace("hurried.append(1)", "event.set()").replace(
        "hurried = []", "hurried = []; import threading; event = threading.Event()"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", wrong], capture_output=True, timeout=3)
