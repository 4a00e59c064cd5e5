"""From what a job tells to one function of the caller's."""

from collections.abc import Callable

import structlog

from pgproof.services.ports import Observer, Progress

ProgressCallback = Callable[[str, Progress], None]
"""Gets the name of the step and how far it is. Any thread may call it."""


def observing(callback: ProgressCallback | None) -> Observer:
    """An observer that tells the callback, if there is one."""
    return _Watching(callback)


class _Watching:
    """A callback that fails is logged once and left alone: the work goes on."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._step = ""

    def step(self, name: str) -> None:
        self._step = name
        self.progress(Progress())

    def progress(self, progress: Progress) -> None:
        if self._callback is None:
            return
        try:
            self._callback(self._step, progress)
        except Exception:  # noqa: BLE001 - whatever it is, a dump of hours must not end for it
            self._callback = None
            structlog.get_logger().exception("progress_callback_failed", step=self._step)

    def log(self, line: str) -> None:
        """The job's log is in the catalog."""
