"""Signals that ask the program to end."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from types import FrameType

INTERRUPTED = 13  # the exit status of a job that was cancelled

_ASKING_TO_END = ("SIGINT", "SIGTERM", "SIGHUP")
_LOOK_SECONDS = 0.2


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """The first signal raises `KeyboardInterrupt` where the program stands; later ones let it clean up."""
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            sys.stderr.write("\ncleaning up, please wait\n")
            return
        asked = True
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in _ASKING_TO_END if hasattr(signal, name)]
    # What the parent ignores stays ignored: that is how nohup works.
    before = {number: signal.getsignal(number) for number in numbers}
    replaced = {number: handler for number, handler in before.items() if handler not in {signal.SIG_IGN, None}}
    for number in replaced:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


@contextmanager
def asked_to_end(hurry: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Gives what waits until SIGTERM or SIGINT asks this process to end; every further one calls `hurry`.

    Neither may take a lock, and an `Event` has one: a handler begins in the middle of what the main thread does, be
    that a wait or the same handler, and would wait for itself. `timeout` sends two signals at once.
    """
    asked: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            hurry()

    def wait() -> None:
        while not asked:
            sleep(_LOOK_SECONDS)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
