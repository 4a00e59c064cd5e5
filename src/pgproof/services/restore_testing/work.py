"""A restore test in the making: its record, its ports, its log."""

from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from pgproof.domain.backup import Backup
from pgproof.domain.errors import Cancelled, WorkerLost
from pgproof.domain.restore_test import RestoreTest, RestoreTestStatus, RestoreTestStep
from pgproof.services.job_log import JobLog
from pgproof.services.ports import Lock
from pgproof.services.restoring.work import World


@dataclass
class TrialWork:
    """One restore test; `test` is its record as it goes on."""

    test: RestoreTest
    backup: Backup
    world: World
    log: JobLog
    jobs: int
    cancelled: Event
    _begun_at: float | None = None

    def begin(self, step: RestoreTestStep) -> None:
        """Record a step before it starts, and the last one's time. Raises `Cancelled` and `WorkerLost`."""
        if self.cancelled.is_set():
            raise Cancelled("the job was cancelled")
        self.check_ours()
        self.enter(step)

    def check_ours(self) -> None:
        """Raise `WorkerLost` if the test is another process's now, or was settled by one."""
        catalog = self.world.catalog
        catalog.check_owned(Lock.RESTORE_TEST, self.test.id)
        status = catalog.get_restore_test(self.test.id).status
        if status is not RestoreTestStatus.RUNNING:
            raise WorkerLost(
                f"restore test {self.test.id} is {status}: another process has settled it while we were cut off "
                "from the catalog",
                hint="Start it again.",
            )

    def enter(self, step: RestoreTestStep) -> None:
        """Record a step that is taken whatever has happened."""
        timings = self.timings()
        self._begun_at = self.world.clock.monotonic()
        self.note(step=step, timings=timings)
        self.log.step(step)

    def note(self, **changes: Any) -> None:
        """Change the record."""
        self.test = replace(self.test, **changes)
        self.world.catalog.save_restore_test(self.test)

    def timings(self) -> dict[str, float]:
        """Seconds of every step, the present one until now included."""
        if self._begun_at is None:
            return dict(self.test.timings)
        seconds = self.world.clock.monotonic() - self._begun_at
        return {**self.test.timings, self.test.step: round(seconds, 3)}
