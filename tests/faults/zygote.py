"""Runs operations in forked children, so that each is a process of its own without the cost of starting one.

Run as `python -m tests.faults.zygote`: a JSON request a line on stdin, a JSON answer a line on stdout.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pgproof.bootstrap import App, open_app
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.services.ports import Progress
from pgproof.settings import load_settings
from tests.faults.injector import Injector, watch

DUMP = "somebody-elses.dump"
QUICK = RestoreOptions(create_safety_backup=False)
# What each recovery finds: an operation that was killed, and where.
LOST = {
    "recovery of a backup": ("backup", "after tools.dump_globals"),
    "recovery of a swap": ("swap", "after tools.restore"),
    "recovery after the renames": ("swap", "after server.swap"),
    "recovery of an undo": ("undo", "after server.swap"),
    "recovery of an import": ("import", "after storage.put"),
    "recovery of a deletion": ("delete", "after storage.delete"),
    "recovery of a restore test": ("named restore test", "after tools.restore"),
}


class Nobody:
    """An observer that looks away."""

    def step(self, name: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def log(self, line: str) -> None: ...


def back_up(app: App, _: int) -> None:
    app.backups.back_up(app.databases.resolve("shop"), BackupOptions(), BackupTrigger.MANUAL_CLI, Nobody())


def clean_up(app: App, _: int) -> None:
    app.expiry.sweep(app.expiry.plan(app.clock.now() + timedelta(days=30)), force=True)


def restore(app: App, number: int, options: RestoreOptions) -> None:
    app.restores.restore(number, options, Nobody())


def restore_beside(app: App, number: int) -> None:
    name = f"{app.databases.resolve('shop').connection.dbname}_new"
    restore(app, number, RestoreOptions(mode=RestoreMode.NEW_DATABASE, target_database=name))


def try_restore(app: App, number: int) -> None:
    app.restore_tests.test(number, Nobody())


def bring_in(app: App, _: int) -> None:
    app.importing.bring_in(app.settings.home / DUMP, app.databases.resolve("shop"), Nobody())


IN_PLACE = replace(QUICK, mode=RestoreMode.IN_PLACE)
OPERATIONS: Mapping[str, Callable[[App, int], object]] = {
    "backup": back_up,
    "verify": lambda app, number: app.backups.verify(number, Nobody()),
    "swap": lambda app, number: restore(app, number, QUICK),
    "safe swap": lambda app, number: restore(app, number, RestoreOptions()),
    "swap without autovacuum": lambda app, number: restore(app, number, replace(QUICK, autovacuum=False)),
    "in place": lambda app, number: restore(app, number, IN_PLACE),
    "tables in place": lambda app, number: restore(app, number, replace(IN_PLACE, tables=("public.t",))),
    "new database": restore_beside,
    "undo": lambda app, number: app.restores.undo(number, Nobody()),
    "restore test": try_restore,
    "named restore test": try_restore,
    "delete": lambda app, number: app.backups.delete(number),
    "cleanup": clean_up,
    "import": bring_in,
    "rebuild": lambda app, _: app.rebuilding.rebuild(),
    **{name: lambda app, _: app.recovery.settle() for name in LOST},
}


def child(request: Mapping[str, Any]) -> list[str]:
    """The whole life of a child: open, work; which points it passed."""
    injector = Injector(request["kill_at"])
    with open_app(load_settings(request["settings"], directory=Path("/nonexistent"))) as app:
        if request["operation"] in LOST:
            # Only now, or opening would have settled it.
            operation, point = LOST[request["operation"]]
            forked(lambda: child({**request, "operation": operation, "kill_at": point}))
        watch(app, injector)
        OPERATIONS[request["operation"]](app, request["number"])
    return injector.points


def forked(live: Callable[[], list[str]]) -> tuple[int, list[str]]:
    """Run in a process of its own: how that ended, and what came back."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            os.write(writing, json.dumps(live()).encode())
        except BaseException as error:  # noqa: BLE001 - the parent reads it
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        points = answers.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), json.loads(points or "[]")


def main() -> None:
    """Answer requests until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        status, points = forked(lambda: child(request))  # noqa: B023 - it is called before the next one
        sys.stdout.write(json.dumps({"status": status, "points": points}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
