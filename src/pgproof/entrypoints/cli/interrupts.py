"""Signals that ask the program to end."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 13  # the exit status of a job that was cancelled

_ASKING_TO_END = ("SIGINT", "SIGTERM", "SIGHUP")


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
