"""Runs operations in forked children, so that each is a process of its own without the cost of starting one.

Run as `python -m tests.faults.zygote`: a JSON request a line on stdin, a JSON answer a line on stdout.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgproof.bootstrap import App, open_app
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.services.ports import Progress
from pgproof.settings import load_settings
from tests.faults.injector import Injector, watch


class Nobody:
    """An observer that looks away."""

    def step(self, name: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def log(self, line: str) -> None: ...


def work(app: App, request: Mapping[str, Any]) -> None:
    """Do one operation."""
    number = request["number"]
    match request["operation"]:
        case "backup":
            shop = app.databases.resolve("shop")
            app.backups.back_up(shop, BackupOptions(), BackupTrigger.MANUAL_CLI, Nobody())
        case "swap" | "safe swap":
            options = RestoreOptions(create_safety_backup=request["operation"] == "safe swap")
            app.restores.restore(number, options, Nobody())
        case "in place":
            options = RestoreOptions(mode=RestoreMode.IN_PLACE, create_safety_backup=False)
            app.restores.restore(number, options, Nobody())
        case "undo":
            app.restores.undo(number, Nobody())
        case "delete":
            app.backups.delete(number)
        case "cleanup":
            app.expiry.sweep(app.expiry.plan(app.clock.now()), force=True)


def child(request: Mapping[str, Any], answer: int) -> None:
    """The whole life of a child: open, work, tell which points it passed."""
    injector = Injector(request["kill_at"])
    with open_app(load_settings(request["settings"], directory=Path("/nonexistent"))) as app:
        watch(app, injector)
        work(app, request)
    os.write(answer, json.dumps(injector.points).encode())


def main() -> None:
    """Answer requests until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            try:
                child(request, writing)
            except BaseException as error:  # noqa: BLE001 - the parent reads it
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answers:
            points = answers.read()
        _, status = os.waitpid(pid, 0)
        ended = os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps({"status": ended, "points": json.loads(points or "[]")}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
