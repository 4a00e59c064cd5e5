"""A pgproof process that is killed when a job reaches a named step. Run as `python -m tests.e2e.killed`."""

import os
import signal
import sys

from pgproof.bootstrap import open_app
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.restore import RestoreOptions
from pgproof.services.ports import Progress
from pgproof.settings import load_settings


class Killer:
    """An observer that ends its own process, without any chance to clean up."""

    def __init__(self, step: str) -> None:
        self._step = step

    def step(self, name: str) -> None:
        if str(name) == self._step:
            os.kill(os.getpid(), signal.SIGKILL)

    def progress(self, progress: Progress) -> None: ...

    def log(self, line: str) -> None: ...


def main(work: str, number: str, step: str) -> None:
    with open_app(load_settings()) as app:
        if work == "backup":
            shop = app.databases.resolve("shop")
            app.backups.back_up(shop, BackupOptions(), BackupTrigger.MANUAL_CLI, Killer(step))
        elif work == "restore":
            options = RestoreOptions(create_safety_backup=step == "safety_backup")
            app.restores.restore(int(number), options, Killer(step))
        elif work == "restore-test":
            app.restore_tests.test(int(number), Killer(step))
        else:
            app.restores.undo(int(number), Killer(step))


if __name__ == "__main__":
    main(*sys.argv[1:])
