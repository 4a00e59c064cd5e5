"""What a killed process has unpacked is a readable copy of a database: the next start removes it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pgproof.bootstrap import App
from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.restore import RestoreOptions, RestoreStatus
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

# Kills itself as soon as a tool says a word that stands for work on the staged files.
WORK = """
import os, signal, sys
from pgproof.bootstrap import open_app
from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.restore import RestoreOptions
from pgproof.settings import load_settings

class Killer:
    def step(self, name): ...
    def progress(self, progress): ...
    def log(self, line):
        if sys.argv[2] in line:
            os.kill(os.getpid(), signal.SIGKILL)

with open_app(load_settings()) as app:
    if sys.argv[1] == "backup":
        options = BackupOptions(format=ArchiveFormat.DIRECTORY)
        app.backups.back_up(app.databases.resolve("shop"), options, BackupTrigger.MANUAL_CLI, Killer())
    else:
        app.restores.restore(int(sys.argv[3]), RestoreOptions(create_safety_backup=False), Killer())
"""


@pytest.fixture
def catalog_place(server18: Server) -> ConnectionInfo:
    return server18.create_database()


@pytest.fixture
def reopen(make_app: Callable[..., App], catalog_place: ConnectionInfo) -> Callable[[], App]:
    return lambda: make_app(BACKUP_CATALOG_URL=to_url(catalog_place))


@pytest.mark.parametrize(("work", "word"), [("backup", "dumping contents"), ("restore", "processing data")])
def test_the_staged_copy_of_a_killed_process_is_removed_and_told(
    server18: Server,
    reopen: Callable[[], App],
    catalog_place: ConnectionInfo,
    tmp_path: Path,
    work: str,
    word: str,
) -> None:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t AS SELECT i, repeat('a secret', 50) FROM generate_series(1, 20000) i")
    app = reopen()
    shop = app.databases.add("shop", to_url(place))
    options = BackupOptions(format=ArchiveFormat.DIRECTORY)
    whole = app.backups.back_up(shop, options, BackupTrigger.MANUAL_CLI, Recorder())
    environment = {
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(catalog_place),
    }
    argv = [sys.executable, "-c", WORK, work, word, str(whole.id)]
    child = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    staging = tmp_path / "home" / "staging"
    assert any(path.is_file() for path in staging.rglob("toc.dat")) or list(staging.rglob("*.dat"))
    again = reopen()
    assert [line for line in again.settled if line.endswith("the readable copy in it was removed")] != []
    assert list(staging.iterdir()) == []
    assert again.restores.restore(whole.id, RestoreOptions(create_safety_backup=False), Recorder()).status is (
        RestoreStatus.COMPLETED
    )
