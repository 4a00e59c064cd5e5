"""A worker's end of the queue: Procrastinate's worker on an event loop of its own, jobs in threads."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from procrastinate import App
from procrastinate.exceptions import ConnectorException

from pgproof.adapters.queue.names import ARGUMENT, TASK
from pgproof.adapters.queue.patient import PatientConnector
from pgproof.domain.database import ConnectionInfo

_log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
_POLL_SECONDS = 5.0
# Procrastinate forgets a worker that is silent for so long, and one that is forgotten cannot take jobs any more. So
# it is long: an outage of the catalog must not end workers.
_FORGET_SECONDS = 24 * 3600.0
_AGAIN_SECONDS = 5.0


class ProcrastinateReceiver:
    """See the port `Receiver`."""

    def __init__(
        self, connection: ConnectionInfo, groups: Sequence[str], at_once: int, run: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._groups = list(groups)
        self._at_once = at_once
        self._run = run
        self._stopping = threading.Event()
        self._gave_up = threading.Event()
        self._working: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="queue", daemon=True)

    @property
    def alive(self) -> bool:
        """See the port."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def start(self) -> None:
        """See the port."""
        self._thread.start()

    def stop_taking(self) -> None:
        """See the port."""
        if self._stopping.is_set():
            return  # the first wish has it finish what it has; a second one would have it drop that
        self._stopping.set()
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._cancel)

    def close(self, timeout: float) -> bool:
        """See the port."""
        self.stop_taking()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._gave_up.set()  # what it still has to tell the catalog is found out by others
            self._thread.join(_AGAIN_SECONDS)
        return not self._thread.is_alive()

    def _live(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        # One more than the jobs: a job that ends lets the next one begin before its thread is free.
        self._loop.set_default_executor(ThreadPoolExecutor(self._at_once + 1, "job"))
        while not self._stopping.is_set():
            self._working = asyncio.create_task(self._receive())
            try:
                await self._working
            except asyncio.CancelledError:
                continue  # that is how it is stopped
            except ConnectorException as error:
                _log.warning("the queue is away: %s", error.__cause__ or error)
            except Exception:  # noqa: BLE001 - a worker must not end by a fault of its queue
                _log.exception("the queue's worker has ended; it begins anew")
            await self._wait(_AGAIN_SECONDS)

    async def _receive(self) -> None:
        app = App(connector=PatientConnector(self._connection, self._gave_up))
        app.task(name=TASK)(self._take)
        async with app.open_async():
            await app.run_worker_async(
                queues=self._groups,
                name=TASK,
                concurrency=self._at_once,
                install_signal_handlers=False,
                delete_jobs="always",
                fetch_job_polling_interval=_POLL_SECONDS,
                abort_job_polling_interval=_FORGET_SECONDS,  # jobs are cancelled by their rows
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=_FORGET_SECONDS,
            )

    def _take(self, **arguments: int) -> None:
        self._run(arguments[ARGUMENT])

    async def _wait(self, seconds: float) -> None:
        await asyncio.to_thread(self._stopping.wait, seconds)

    def _cancel(self) -> None:
        if self._working is not None:
            self._working.cancel()
