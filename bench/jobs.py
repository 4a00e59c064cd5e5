"""Many databases due at one moment, several workers, and one of them killed every so often.

`python -m bench.jobs`: how long it takes until all are queued, and whether any job is lost or done twice.
"""

import argparse
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from bench.place import open_place
from pgproof.bootstrap import App, open_app
from pgproof.domain.archive import MANIFEST
from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.services.ports import BackupFilter, WantedBackup
from pgproof.settings import load_settings

_ALL = 1_000_000
_LOOK_SECONDS = 0.2
_RELEASED_SECONDS = 120


@dataclass(frozen=True)
class Load:
    """What is to be done. `places` are the real databases that the registered names stand for, in turn."""

    catalog_url: str
    folder: Path
    places: Sequence[ConnectionInfo]
    databases: int
    workers: int = 3
    jobs_each: int = 2
    kill_every: float = 60.0
    kills: int | None = None
    give_up_after: float = 3600.0

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every process."""
        return {
            "BACKUP_HOME": str(self.folder / "home"),
            "BACKUP_DIR": str(self.folder / "backups"),
            "BACKUP_CATALOG_URL": self.catalog_url,
            "BACKUP_SECRET_KEY": "a key for a load test, and for nothing else",
        }


@dataclass(frozen=True)
class Figures:
    """What was seen. `together` is the largest number of jobs that ran at once; times are seconds."""

    queued_singly: float
    queued_together: float
    done: float
    kills: int
    statuses: Counter[str]
    attempts: Counter[int]
    together: int
    manifests: int
    folders: int
    finished_twice: int
    left_in_queue: int

    def render(self, load: Load) -> str:
        """For people."""
        who = f"{load.workers} workers with {load.jobs_each} jobs each, one killed (-9) every {load.kill_every:g} s"
        return (
            f"{load.databases:,} databases, {who}: {self.kills} kills\n"
            f"queued in {self.queued_together:.2f} s as one schedule does, {self.queued_singly:.2f} s one by one\n"
            f"all done after {self.done:.0f} s, at most {self.together} at a time\n"
            f"jobs: {dict(self.statuses)}; attempts: {dict(sorted(self.attempts.items()))}\n"
            f"{self.manifests:,} whole backups in {self.folders:,} folders; {self.finished_twice} done twice; "
            f"{self.left_in_queue} left in the queue"
        )


def run(load: Load) -> Figures:
    """Queue a backup of every database, and have workers do them while one after the other is killed."""
    with open_app(load_settings(load.environment, directory=load.folder)) as app:
        names = [f"db{number:04}" for number in range(load.databases)]
        for name, place in zip(names, itertools.cycle(load.places), strict=False):
            # Not by `database add`, which refuses a second name for the same database.
            app.catalog.add_database(name, place)
        singly = _queue_singly(app, names)
        together = _queue_together(app, names)
        with _workers(load) as workers:
            began = time.monotonic()
            most, kills = _watch(load, workers)
            done = time.monotonic() - began
        return _count(app, load, singly, together, done, most, kills)


def _queue_singly(app: App, names: Sequence[str]) -> float:
    """As many callers of the API would; the jobs are cancelled again."""
    began = time.monotonic()
    jobs = [
        app.jobs.request_backup(name, BackupOptions(), BackupTrigger.MANUAL_API, by="load test")[1] for name in names
    ]
    seconds = time.monotonic() - began
    for job in jobs:
        app.jobs.cancel(job.id, by="load test")
    return seconds


def _queue_together(app: App, names: Sequence[str]) -> float:
    wanted = [
        WantedBackup(name, "default", BackupOptions(), BackupTrigger.SCHEDULED_CRON, "load test") for name in names
    ]
    began = time.monotonic()
    app.jobs.request_backups(wanted)
    seconds = time.monotonic() - began
    if len(app.queue.entries()) != len(names):
        raise AssertionError("not all of them are in the queue")
    return seconds


@contextmanager
def _workers(load: Load) -> "Iterator[list[subprocess.Popen[bytes]]]":
    running = [_start(load) for _ in range(load.workers)]
    try:
        yield running
    finally:
        for worker in running:
            worker.send_signal(signal.SIGTERM)
        for worker in running:
            worker.wait()


def _start(load: Load) -> "subprocess.Popen[bytes]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BACKUP_", "PG", "POSTGRES_"))}
    with (load.folder / "workers.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pgproof", "worker", "--jobs", str(load.jobs_each)],
            env={**kept, **load.environment},
            cwd=load.folder,
            stdout=log,
            stderr=log,
        )


def _watch(load: Load, workers: "list[subprocess.Popen[bytes]]") -> tuple[int, int]:
    """Kill one after the other until all is done; the most that ran at once, and the number of kills."""
    most = kills = 0
    deadline = time.monotonic() + load.give_up_after
    next_kill = time.monotonic() + load.kill_every
    with _session(load) as session:
        while True:
            row = session.execute(
                "SELECT count(*) FILTER (WHERE status = 'running'), count(*) FROM pgproof.jobs"
                " WHERE status IN ('queued', 'running')"
            ).fetchone()
            running, left = row or (0, 0)
            most = max(most, running)
            if left == 0:
                _wait_for_the_queue(session)
                return most, kills
            if time.monotonic() > deadline:
                raise AssertionError(f"{left} jobs are not done")
            if time.monotonic() > next_kill and (load.kills is None or kills < load.kills):
                busy = _busy(session, workers)
                if busy:
                    number = busy[kills % len(busy)]
                    workers[number].kill()
                    workers[number].wait()
                    workers[number] = _start(load)
                    kills += 1
                    next_kill = time.monotonic() + load.kill_every
            time.sleep(_LOOK_SECONDS)


def _wait_for_the_queue(session: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Workers release what a killed one had taken and not begun, half a minute after it fell silent."""
    deadline = time.monotonic() + _RELEASED_SECONDS
    while time.monotonic() < deadline:
        row = session.execute("SELECT count(*) FROM pgproof.procrastinate_jobs WHERE status <> 'cancelled'").fetchone()
        if row == (0,):
            return
        time.sleep(_LOOK_SECONDS)


def _busy(session: "psycopg.Connection[tuple[Any, ...]]", workers: "list[subprocess.Popen[bytes]]") -> list[int]:
    """Places of the workers that have a job now: to kill one while it starts would prove nothing."""
    rows = session.execute("SELECT worker FROM pgproof.jobs WHERE status = 'running'").fetchall()
    names = {str(row[0]).rpartition(":")[2] for row in rows}
    return [place for place, worker in enumerate(workers) if str(worker.pid) in names]


def _count(app: App, load: Load, singly: float, together: float, done: float, most: int, kills: int) -> Figures:
    with _session(load) as session:
        rows = session.execute(
            "SELECT status, attempt FROM pgproof.jobs WHERE schedule_id IS NULL AND status <> 'cancelled'"
        ).fetchall()
        twice = session.execute(
            "SELECT count(*) FROM (SELECT job_id FROM pgproof.job_logs, unnest(lines) AS line"
            " WHERE kind = 'job' AND line = 'succeeded' GROUP BY job_id HAVING count(*) > 1) AS doubled"
        ).fetchone()
    completed = app.catalog.list_backups(BackupFilter(limit=_ALL, status=BackupStatus.COMPLETED))
    stored = list(app.storage.list())
    return Figures(
        queued_singly=singly,
        queued_together=together,
        done=done,
        kills=kills,
        statuses=Counter(status for status, _ in rows),
        attempts=Counter(attempt for _, attempt in rows),
        together=most,
        manifests=sum(item.key.endswith(f"/{MANIFEST}") for item in stored) if len(completed) == len(rows) else -1,
        folders=len({item.key.rpartition("/")[0] for item in stored}),
        finished_twice=twice[0] if twice else 0,
        left_in_queue=len(app.queue.entries()),
    )


@contextmanager
def _session(load: Load) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    with psycopg.connect(load.catalog_url, autocommit=True) as session:
        yield session


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description=__doc__)
    parser.add_argument("--databases", type=int, default=1000)
    parser.add_argument("--kill-every", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, help="where to work")
    options = parser.parse_args(words)
    with open_place(options.folder) as place, tempfile.TemporaryDirectory(prefix="pgproof-load-") as folder:
        names = [f"tiny{number}" for number in range(20)]
        for name in (*names, "catalog"):
            place.create_database(name)
        for name in names:
            with place.connect(name) as session:
                session.execute("CREATE TABLE t AS SELECT generate_series(1, 100) AS i")
        where = replace(place.connection, dbname="catalog")
        load = Load(
            catalog_url=f"postgresql://{where.user}@/{where.dbname}?host={where.host}&port={where.port}",
            folder=Path(folder),
            places=[replace(place.connection, dbname=name) for name in names],
            databases=options.databases,
            kill_every=options.kill_every,
        )
        print(run(load).render(load))
        shutil.rmtree(load.folder / "backups", ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
