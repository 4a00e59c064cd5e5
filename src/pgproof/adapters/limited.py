"""A call that is not waited for too long."""

import threading
from collections.abc import Callable

THREAD = "limited call"


class TooSlow(Exception):
    """The time was up. The call goes on in its thread, which does not keep the process from ending."""


def within(seconds: float, call: Callable[[], None]) -> None:
    """Call it, and return when it has returned; what it raises comes out. Raises `TooSlow`.

    The time limits of sockets hold for each read alone: who answers a byte at a time is never too slow for them.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            raised.append(error)

    thread = threading.Thread(target=run, name=THREAD, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TooSlow
    if raised:
        raise raised[0]
