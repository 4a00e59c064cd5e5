"""Where an operation is killed: a database with an old content, a backup of a new one, and what must hold then."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from pgproof.bootstrap import App, open_app
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus
from pgproof.domain.restore_test import RestoreTestOutcome, RestoreTestStatus
from pgproof.services.ports import BackupFilter, Observer
from pgproof.settings import load_settings
from tests.e2e.conftest import Recorder
from tests.faults.zygote import DUMP, LOST, QUICK
from tests.servers import Server, to_url

# The mark of the rows in t, how many, how many marks, and whether the table is there that no backup has.
OLD, NEW = ("old", 10, 1, True), ("new", 1000, 1, False)
ONLY_T_IS_NEW = (*NEW[:3], True)
RESTORES_ALL = ("swap", "safe swap", "swap without autovacuum", "in place", "undo")
TOOLS = ("pg_dump", "pg_dumpall", "pg_restore", "psql")
PATIENCE = 60  # seconds until something that must happen counts as not happening
ALL = 100_000
# These use their backup up, or ask whether it was proven before; all others can have the same one every time.
WITH_A_NEW_BACKUP = ("delete", "cleanup", "restore test", "named restore test")


class Zygote:
    """The other end of `zygote.main`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, settings: dict[str, str], operation: str, number: int, kill_at: int) -> dict[str, Any]:
        request = {"settings": settings, "operation": operation, "number": number, "kill_at": kill_at}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@dataclass
class Stage:
    """One operation on one server; `settings` are those of every process that takes part."""

    operation: str
    server: Server
    settings: dict[str, str]
    dbname: str
    zygote: Zygote | None = None
    backup_id: int | None = None

    @property
    def worked_on(self) -> str:
        """The operation that is done, also where it is its recovery that is killed."""
        return LOST.get(self.operation, (self.operation, ""))[0]

    @contextmanager
    def app(self) -> Iterator[App]:
        """A new process, as good as: it settles what the last one left."""
        with open_app(load_settings(self.settings, directory=Path("/nonexistent"))) as app:
            yield app

    def run(self, number: int, kill_at: int) -> dict[str, Any]:
        """Do the operation in a process of its own, and kill that at a point; 0 is nowhere."""
        assert self.zygote is not None
        return self.zygote.run(self.settings, self.operation, number, kill_at)

    def set_content(self, mark: str, rows: int, _: int, more: bool) -> None:
        """Give the live database a content."""
        self.server.sql(
            self.server.connection.to_database(self.dbname),
            "BEGIN",
            "DROP TABLE IF EXISTS t, only_old CASCADE",
            f"CREATE TABLE t AS SELECT '{mark}' AS mark, i FROM generate_series(1, {rows}) i",
            *(["CREATE TABLE only_old (i int)"] if more else []),
            "COMMIT",
        )

    def content(self, dbname: str) -> tuple[Any, ...]:
        """What a database holds, as `set_content` gave it or as it should never be."""
        query = "SELECT min(mark), count(*), count(DISTINCT mark), to_regclass('public.only_old') IS NOT NULL FROM t"
        return self.server.sql(self.server.connection.to_database(dbname), query)[0]

    def prepare(self) -> int:
        """Bring everything to where the operation begins; the number that it works on."""
        with self.app() as app:
            if self.backup_id is None or self.worked_on in WITH_A_NEW_BACKUP:
                self.set_content(*NEW)
                self.backup_id = self.back_up(app, Recorder()).id
            if self.worked_on == "import":
                self.dump_by_hand(*NEW)
            if self.worked_on == "rebuild":
                self.forget_row(self.backup_id)
            self.set_content(*OLD)
            if self.operation == "cleanup":
                app.restores.restore(self.backup_id, QUICK, Recorder())
                self.set_content(*OLD)
                self.back_up(app, Recorder())
            if self.worked_on == "undo":
                return app.restores.restore(self.backup_id, QUICK, Recorder()).id
            return self.backup_id

    def dump_by_hand(self, *content: Any) -> None:
        """A dump as somebody makes it who does not use pgproof yet."""
        self.set_content(*content)
        place = to_url(self.server.connection.to_database(self.dbname))
        path = Path(self.settings["BACKUP_HOME"]) / DUMP
        tool = self.server.bin / "pg_dump"
        subprocess.run([tool, "--format=custom", f"--file={path}", f"--dbname={place}"], check=True)

    def forget_row(self, backup_id: int) -> None:
        """Lose what the catalog knows of a backup, as with a catalog that was lost."""
        with psycopg.connect(self.settings["BACKUP_CATALOG_URL"]) as catalog:
            catalog.execute("DELETE FROM pgproof.backup_jobs WHERE id = %s", [backup_id])

    def check(self, point: str) -> None:
        """Settle, then hold everything to the sentence of the kill matrix. `point` is where the process died."""
        where = f"{self.operation}, {point}"
        with self.app() as app:
            if self.operation == "rebuild":
                app.rebuilding.rebuild()
                assert [one.usable for one in app.catalog.present_backups()] == [True], f"{where}: not found again"
            restores = app.catalog.list_restores(limit=ALL)
            names = set(app.server.list_databases(self.server.connection))
            assert self.content(self.dbname) in self._allowed(), f"{where}: neither old nor new"
            assert self._left(app, restores, names) == set(), f"{where}: left behind"
            self._check_backups(app, where)
            self._check_restores(app, restores, names, where)
            self._check_tests(app, where)
        self._check_machine(where)

    def clear(self) -> None:
        """Forget what this run made, so that the next begins with as little."""
        with self.app() as app:
            for name, oid in app.server.list_databases(self.server.connection).items():
                if name.startswith(f"{self.dbname}_"):
                    app.server.drop_database(self.server.connection, name, oid)
            for backup in app.catalog.list_backups(BackupFilter(limit=ALL)):
                if backup.usable and (backup.id != self.backup_id or self.worked_on in WITH_A_NEW_BACKUP):
                    app.backups.hold(backup.id, held=False)
                    app.backups.delete(backup.id)

    @staticmethod
    def back_up(app: App, observer: Observer) -> Backup:
        """A backup of what the live database holds now."""
        shop = app.databases.resolve("shop")
        return app.backups.back_up(shop, BackupOptions(), BackupTrigger.MANUAL_CLI, observer)

    def _allowed(self) -> tuple[tuple[Any, ...], ...]:
        if self.worked_on in RESTORES_ALL:
            return OLD, NEW
        return (OLD, ONLY_T_IS_NEW) if self.worked_on == "tables in place" else (OLD,)

    def _left(self, app: App, restores: Any, names: set[str]) -> set[str]:
        """Databases that nobody keeps."""
        kept = {self._made_by(restore) for restore in restores}
        of_tests = {name for name in names if name.endswith(app.catalog.installation().replace("-", "")[:12])}
        return ({name for name in names if name.startswith(f"{self.dbname}_")} | of_tests) - kept

    @staticmethod
    def _made_by(restore: Restore) -> str | None:
        if restore.options.mode is RestoreMode.NEW_DATABASE and restore.status is RestoreStatus.COMPLETED:
            return restore.dbname
        return restore.kept_database if restore.options.mode is RestoreMode.SWAP else None

    def _check_backups(self, app: App, where: str) -> None:
        for backup in app.catalog.list_backups(BackupFilter(limit=ALL)):
            assert backup.status is not BackupStatus.RUNNING, f"{where}: backup {backup.id} is still running"
            assert not backup.being_deleted, f"{where}: backup {backup.id} is still being deleted"
            if backup.usable:
                app.backups.verify(backup.id, Recorder())
            folder = Path(self.settings["BACKUP_DIR"]) / backup.folder
            stored = [path for path in folder.rglob("*") if path.is_file()]
            assert bool(stored) == backup.usable, f"{where}: backup {backup.id} is {backup.status}, {stored}"

    def _check_restores(self, app: App, restores: Any, names: set[str], where: str) -> None:
        for restore in restores:
            assert restore.status not in (RestoreStatus.RUNNING, RestoreStatus.UNDOING), f"{where}: still running"
            if restore.status is RestoreStatus.COMPLETED:
                restored = app.catalog.get_backup(restore.backup_id)
                assert restored.status is not BackupStatus.COMPLETED, f"{where}: the restore was not noted"
                if restore.dbname != self.dbname and restore.dbname in names:
                    assert self.content(restore.dbname) == NEW, f"{where}: the new database is not whole"

    def _check_tests(self, app: App, where: str) -> None:
        for backup in app.catalog.list_backups(BackupFilter(limit=ALL)):
            tests = app.catalog.list_restore_tests(limit=ALL, backup_id=backup.id)
            assert all(test.status is not RestoreTestStatus.RUNNING for test in tests), f"{where}: a test still runs"
            answers = [test for test in tests if test.status is RestoreTestStatus.COMPLETED]
            passed = bool(answers) and answers[0].outcome is RestoreTestOutcome.PASSED
            assert (backup.proven_at is not None) == passed, f"{where}: proven, or not, against its last test"

    def _check_machine(self, where: str) -> None:
        home = Path(self.settings["BACKUP_HOME"])
        assert list((home / "scratch").glob("test-*")) == [], f"{where}: a scratch server's folder"
        assert list((home / "staging").glob("*")) == [], f"{where}: a readable copy"
        wait_until(lambda: not self._processes(str(home)), f"{where}: a process is left")

    def _processes(self, home: str) -> list[int]:
        """Servers below our home, and tools that work on our database."""
        return [process.pid for process in psutil.process_iter() if self._is_ours(process, home)]

    def _is_ours(self, process: psutil.Process, home: str) -> bool:
        try:
            words = process.cmdline()
            if any(home in word for word in words):
                return True
            if not words or Path(words[0]).name not in TOOLS:
                return False
            return any(self.dbname in word for word in (*words, *process.environ().values()))
        except psutil.Error:
            return False  # it has just ended


def wait_until(condition: Callable[[], object], otherwise: str) -> None:
    """Wait for what must come to pass, however slow the machine is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)
