"""pgproof inside another application: opened in a thread of its own when that one starts, closed when it ends.

Whatever keeps pgproof from opening keeps nobody else from working: it tries again, and says meanwhile what is wrong.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import structlog

from pgproof.bootstrap import App, open_app
from pgproof.domain.errors import CatalogError, CatalogUnreachable, ConfigurationError, PgproofError
from pgproof.entrypoints.http.waiting import Waiters
from pgproof.entrypoints.keeping import keeping
from pgproof.entrypoints.worker import Worker
from pgproof.logs import use_standard_logging
from pgproof.settings import Settings

_log = structlog.get_logger()

Opening = Callable[[Settings], AbstractContextManager[App]]

_PATIENCE = 15.0  # seconds for which the first requests wait; the embedded server's first start takes some
_PAUSE = 10.0  # seconds between two attempts


@dataclass(frozen=True)
class Opened:
    """What a request works with."""

    app: App
    waiters: Waiters


class Service:
    """Runs from the first `start` to the last `stop`.

    `load` reads the settings, `opening` opens the application; after a failure it is tried again in `pause` seconds.
    `longest_wait` is in seconds.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        *,
        worker: bool,
        longest_wait: int,
        opening: Opening = open_app,
        pause: float = _PAUSE,
    ) -> None:
        self._load = load
        self._worker = worker
        self._longest_wait = longest_wait
        self._opening = opening
        self._pause = pause
        self._mutex = threading.Lock()
        self._users = 0
        self._period: _Period | None = None

    def start(self) -> None:
        """Begin to open. Returns at once; raises `ConfigurationError` for settings that cannot be used."""
        with self._mutex:
            if self._users == 0:
                use_standard_logging()
                waiters = Waiters(longest=self._longest_wait)
                self._period = _Period(partial(self._opening, self._load()), self._pause, self._worker, waiters)
            self._users += 1

    def stop(self) -> None:
        """Close; returns when jobs that run have ended, or have been handed back."""
        with self._mutex:
            self._users -= 1
            if self._users or self._period is None:
                return
            ending, self._period = self._period, None
        ending.end()

    def opened(self) -> Opened:
        """The application, after waiting for it if it is just being opened. Raises what keeps it from opening."""
        period = self._period
        if period is None:
            raise ConfigurationError(
                "the backup router does not run: the application's lifespan has not been entered",
                hint="Include the router into the application that the server runs; docs/router.md tells of others.",
            )
        return period.opened()


class _Period:
    """One time from opening to closing."""

    def __init__(
        self,
        opening: Callable[[], AbstractContextManager[App]],
        pause: float,
        worker: bool,  # noqa: FBT001 - made in one place
        waiters: Waiters,
    ) -> None:
        self._opening = opening
        self._pause = pause
        self._with_worker = worker
        self._waiters = waiters
        self._changed = threading.Condition()
        self._app: App | None = None
        self._problem: PgproofError | None = None
        self._ended = threading.Event()
        # A second Ctrl-C ends the host without asking us; recovery settles what that leaves.
        self._thread = threading.Thread(target=self._run, name="pgproof", daemon=True)
        self._thread.start()

    def opened(self) -> Opened:
        with self._changed:
            self._changed.wait_for(lambda: self._app is not None or self._problem is not None, _PATIENCE)
            if self._app is not None:
                return Opened(self._app, self._waiters)
            raise self._problem or CatalogUnreachable(
                "pgproof is still starting", hint="Try again in some seconds; the log tells how far it is."
            )

    def end(self) -> None:
        self._ended.set()
        self._waiters.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._serve()
            except PgproofError as error:
                _log.warning("backup_router_not_open", problem=error.detail, hint=error.hint)
                self._tell(None, error)
            except Exception as error:  # noqa: BLE001 - the host goes on without backups, and says so
                _log.exception("backup_router_not_open")
                self._tell(None, _defect(error))
            self._ended.wait(self._pause)

    def _serve(self) -> None:
        with self._opening() as app, keeping(app.catalog):
            for line in app.settled:
                _log.warning("job_settled", job=line)
            worker = Worker(app) if self._with_worker else None
            if worker is not None:
                worker.start()
            self._tell(app, None)
            try:
                self._ended.wait()
            finally:
                if worker is not None:
                    worker.stop()

    def _tell(self, app: App | None, problem: PgproofError | None) -> None:
        with self._changed:
            self._app, self._problem = app, problem
            self._changed.notify_all()


def _defect(error: Exception) -> CatalogError:
    return CatalogError(
        f"pgproof did not start: {type(error).__name__}", hint="The application's log has the whole error."
    )
