"""The worker: takes jobs out of the queue, and looks after what others have left.

The same one runs in a process of its own (`pgproof worker`) and beside the API (`pgproof serve`).
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import structlog

from pgproof.bootstrap import App
from pgproof.domain.database import DEFAULT_GROUP
from pgproof.domain.errors import PgproofError
from pgproof.domain.job import check_group

_log = structlog.get_logger()

_WATCH_SECONDS = 0.5
_DISPATCH_SECONDS = 2.0
_SCHEDULE_SECONDS = 5.0
_ALERT_SECONDS = 60.0
_NOTICE_SECONDS = 5.0
_RELEASE_SECONDS = 10.0
_RECOVERY_SECONDS = 60.0
_FORGET_SECONDS = 3600.0
_LOOK_SECONDS = 0.1
_HANDING_BACK_SECONDS = 30.0
_CLOSING_SECONDS = 10.0


@dataclass(frozen=True)
class Every:
    """Something to be done again and again, so many `seconds` after it was done last. Its errors are logged."""

    name: str
    seconds: float
    call: Callable[[], object]


class Worker:
    """Does `at_once` jobs of its groups at a time, from `start` to `stop`.

    `more` is done every so often beside them, each in a thread of its own.
    """

    def __init__(
        self,
        app: App,
        *,
        groups: Sequence[str] = (),
        at_once: int | None = None,
        shutdown_seconds: float | None = None,
        more: Sequence[Every] = (),
    ) -> None:
        settings = app.settings
        self.groups = tuple(dict.fromkeys(map(check_group, groups))) or (DEFAULT_GROUP,)
        self.at_once = settings.worker_jobs if at_once is None else at_once
        self._shutdown_seconds = settings.shutdown_seconds if shutdown_seconds is None else shutdown_seconds
        self._runner = app.job_runner
        self._receiver = app.queue.receiver(self.groups, self.at_once, app.job_runner.run)
        self._started = False
        self._hurried = False
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(every,), name=every.name, daemon=True)
            for every in (*_housekeeping(app), *more)
        ]

    def start(self) -> None:
        """Begin to take jobs. Returns at once."""
        _silence_the_queue()
        _log.info("worker_started", groups=list(self.groups), jobs=self.at_once)
        self._started = True
        self._receiver.start()
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether it takes jobs."""
        return self._receiver.alive

    def hurry(self) -> None:
        """Have `stop` hand back at once what still runs. Any thread, and a signal handler, may call it."""
        self._hurried = True  # an Event has a lock, for which a handler in a handler would wait for ever

    def stop(self) -> None:
        """Take nothing new, let what runs finish for a while, hand the rest back; returns when all has ended."""
        self._receiver.stop_taking()
        self._runner.close()
        running = self._runner.running
        if running:
            _log.info("worker_stopping", running=running, seconds=self._shutdown_seconds)
        if not self._wait_for_jobs(self._shutdown_seconds, hurried=True):
            _log.info("jobs_handed_back", running=self._runner.running)
            self._runner.hand_back()
            if not self._wait_for_jobs(_HANDING_BACK_SECONDS):
                self._runner.abandon()
                self._wait_for_jobs(float("inf"))
        if self._started:
            self._receiver.close(_CLOSING_SECONDS)
            self._ended.set()
            for thread in self._threads:
                thread.join(_CLOSING_SECONDS)
        _log.info("worker_stopped")

    def _wait_for_jobs(self, seconds: float, *, hurried: bool = False) -> bool:
        """Whether all of them ended in time."""
        deadline = monotonic() + seconds
        pause = threading.Event()
        while self._runner.running:
            if monotonic() >= deadline or (hurried and self._hurried):
                return False
            pause.wait(_LOOK_SECONDS)
        return True

    def _repeat(self, every: Every) -> None:
        failing = False
        while not self._ended.wait(every.seconds):
            try:
                done = every.call()
            except PgproofError as error:
                # Twice a second for as long as the catalog is away: said once.
                (_log.debug if failing else _log.warning)("worker_task_failed", task=every.name, problem=error.detail)
                failing = True
            except Exception:  # noqa: BLE001 - a defect in one of them must not end the worker
                _log.exception("worker_task_failed", task=every.name)
            else:
                if failing:
                    _log.warning("worker_task_works_again", task=every.name)
                failing = False
                for line in done if isinstance(done, list) else ():
                    _log.warning("job_settled", job=line)


def _housekeeping(app: App) -> Sequence[Every]:
    """What every worker looks after, so that it is done as long as one of them lives."""
    return (
        Every("watch", _WATCH_SECONDS, app.job_runner.watch),
        Every("dispatch", _DISPATCH_SECONDS, app.jobs.dispatch),
        Every("schedules", _SCHEDULE_SECONDS, app.schedules.tick),
        Every("alerts", _ALERT_SECONDS, app.alerts.check),
        Every("notifications", _NOTICE_SECONDS, app.alerts.deliver),
        Every("release entries", _RELEASE_SECONDS, app.lost_jobs.release_entries),
        Every("recovery", _RECOVERY_SECONDS, lambda: _recover(app)),
        Every("forget", _FORGET_SECONDS, app.history.forget),
        Every("missing entries", _RECOVERY_SECONDS, app.lost_jobs.put_again_what_is_missing),
    )


def _recover(app: App) -> list[str]:
    return [*app.lost_jobs.settle_patiently(), *app.recovery.settle_patiently()]


def _silence_the_queue() -> None:
    """The queue's library tells of every entry that comes and goes; our own log tells of jobs."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
