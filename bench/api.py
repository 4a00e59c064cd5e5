"""How fast the API answers: `python -m bench.api`, 100,000 backups of 1,000 databases in the catalog."""

import argparse
import http.client
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.report import write_section
from pgproof.adapters.catalog import prepare_catalog
from pgproof.adapters.embedded import EmbeddedServer
from pgproof.domain.database import ConnectionInfo

LIMIT = 50.0  # milliseconds, for the 99th percentile
RATE = 200  # requests per second
_BACKUPS = "/api/admin/backups"
_CONNECTIONS = 8

# Three years of nightly backups, a tenth of them otherwise: failed, expired, safety backups.
_FILL = """
    INSERT INTO pgproof.backup_jobs
        (filename, file_path, file_size, checksum_sha256, status, trigger_source, started_at, completed_at,
         duration_seconds, database_size_bytes, tables_count, created_at, description, database, storage_url)
    SELECT format('backup_%%s_%%s.dump.zst', to_char(at, 'YYYYMMDD_HH24MISS'), n),
           format('database-%%s/backup_%%s_%%s/backup.dump.zst', n %% 1000, to_char(at, 'YYYYMMDD_HH24MISS'), n),
           1000000 + (n * 7919) %% 900000000, md5(n::text) || md5((n + 1)::text),
           (CASE WHEN n %% 50 = 0 THEN 'failed' WHEN n %% 20 = 1 THEN 'expired' WHEN n %% 1000 = 2 THEN 'restored'
                 ELSE 'completed' END)::pgproof.backup_status,
           (CASE WHEN n %% 100 = 3 THEN 'manual_api' WHEN n %% 200 = 5 THEN 'pre_restore_safety'
                 ELSE 'scheduled_cron' END)::pgproof.backup_trigger,
           at, at + interval '90 s', 90, 4000000000, 240, at,
           CASE WHEN n %% 100 = 3 THEN 'before the upgrade of customer ' || n %% 997 END,
           'database-' || n %% 1000, 'file:///backups'
    FROM (SELECT n, now() - (%(count)s - n) * interval '15 minutes' AS at FROM generate_series(1, %(count)s) AS n) rows
"""


@dataclass
class Series:
    """Milliseconds of every request of one kind."""

    name: str
    times: list[float] = field(default_factory=list)
    failures: int = 0

    def part(self, share: float) -> float:
        """The time within which that share of the requests was answered."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers: dict[str, str] = {}

    def sign_in(self, password: str) -> "Client":
        form = urllib.parse.urlencode({"username": "admin", "password": password})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/api/auth/token", form, kind)
        self._headers = {"Authorization": f"Bearer {json.load(self._connection.getresponse())['access_token']}"}
        return self

    def beside(self, port: int) -> "Client":
        """Another connection of the same caller."""
        other = Client(port)
        other._headers = self._headers
        return other

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and write into a document where one is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--backups", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=300, help="of each kind, one after the other")
    parser.add_argument("--seconds", type=int, default=20, help="of load")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args(words)
    with catalog(options.backups) as (folder, version), server(folder) as (port, password):
        client = Client(port).sign_in(password)
        alone = one_by_one(client, options.requests, options.backups)
        load = under_load(client, port, options.seconds)
    text = report(options.backups, version, alone, load)
    print(text)
    if options.write:
        write_section(options.write, "api", text)
    return 0 if all(reached(alone, load)) else 1


@contextmanager
def catalog(backups: int) -> Iterator[tuple[Path, str]]:
    """A home with a catalog of so many backups, and the version of its server."""
    with tempfile.TemporaryDirectory(prefix="pgproof-bench-") as name:
        home = Path(name)
        home.chmod(0o755)  # run by root, the server is another user
        with EmbeddedServer(home / "embedded").running() as place:
            at = place.to_database("pgproof")
            prepare_catalog(at)
            version = fill(at, backups)
            yield home, version


def fill(at: ConnectionInfo, backups: int) -> str:
    with psycopg.connect(host=at.host, port=at.port, user=at.user, dbname=at.dbname, autocommit=True) as session:
        session.execute(_FILL, {"count": backups})
        session.execute("VACUUM (ANALYZE)")
        row = session.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else ""


@contextmanager
def server(home: Path) -> Iterator[tuple[int, str]]:
    """`pgproof serve` as it comes: its port and the admin's password."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BACKUP_", "PG", "POSTGRES_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "pgproof", "serve", "--no-worker", "--port", "0"],
        env={**kept, "BACKUP_HOME": str(home), "BACKUP_DIR": str(home / "backups")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        password = process.stdout.readline().split("password ")[1].split()[0]
        port = int(process.stdout.readline().split(",")[0].rpartition(":")[2])
        wait_for(port)
        yield port, password
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            Client(port).get("/health/live")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server does not answer")


def one_by_one(client: Client, requests: int, backups: int) -> list[Series]:
    """Each kind of request, one after the other."""
    chance = random.Random(1)
    deep = cursors(client, 60)
    kinds: dict[str, Callable[[], str]] = {
        "list": lambda: _BACKUPS,
        "list, 500 at once": lambda: f"{_BACKUPS}?limit=500",
        "one database": lambda: f"{_BACKUPS}?database=database-{chance.randrange(1000)}",
        "failed": lambda: f"{_BACKUPS}?status=failed",
        "restored (one in a thousand)": lambda: f"{_BACKUPS}?status=restored",
        "by trigger": lambda: f"{_BACKUPS}?trigger_source=pre_restore_safety",
        "failed of one database": lambda: f"{_BACKUPS}?status=failed&database=database-{chance.randrange(1000)}",
        "words, few": lambda: f"{_BACKUPS}?q=upgrade+{chance.randrange(997)}",
        "words, one day": lambda: f"{_BACKUPS}?q=backup_{time.strftime('%Y%m')}{chance.randrange(1, 10):02}",
        "a word of every backup": lambda: f"{_BACKUPS}?q=backup",
        "deep cursor": lambda: f"{_BACKUPS}?cursor={chance.choice(deep)}",
        "deep cursor of one status": lambda: f"{_BACKUPS}?status=completed&cursor={chance.choice(deep)}",
        "stats": lambda: f"{_BACKUPS}/stats",
        "one backup": lambda: f"{_BACKUPS}/{chance.randrange(1, backups)}",
    }
    found = []
    for name, path in kinds.items():
        series = Series(name)
        for number in range(requests + 20):
            begun = time.perf_counter()
            status, _ = client.get(path())
            if number >= 20:  # the first ones fill caches and prepare statements
                series.times.append((time.perf_counter() - begun) * 1000)
                series.failures += status != 200
        found.append(series)
    return found


def cursors(client: Client, pages: int) -> list[str]:
    """Places deep in the list, a thousand backups apart."""
    found: list[str] = []
    path = f"{_BACKUPS}?limit=1000"
    for _ in range(pages):
        _, body = client.get(path)
        cursor = json.loads(body)["next_cursor"]
        if cursor is None:
            break
        found.append(cursor)
        path = f"{_BACKUPS}?limit=1000&cursor={cursor}"
    return found


def under_load(client: Client, port: int, seconds: int) -> Series:
    """The list, `RATE` times a second whether the last ones were answered or not."""
    series, mutex, begun = Series(f"list, {RATE} requests/s"), threading.Lock(), time.perf_counter() + 0.5
    numbers = iter(range(RATE * seconds))

    def work() -> None:
        mine = client.beside(port)
        while True:
            with mutex:
                number = next(numbers, None)
            if number is None:
                return
            due = begun + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            status, _ = mine.get(_BACKUPS)
            took = (time.perf_counter() - due) * 1000  # from when it was due: a queue counts
            with mutex:
                series.times.append(took)
                series.failures += status != 200

    threads = [threading.Thread(target=work) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return series


def reached(alone: Sequence[Series], load: Series) -> Iterator[bool]:
    yield from (series.part(0.99) <= LIMIT and not series.failures for series in alone)
    yield load.failures == 0 and load.part(0.99) <= 1000


def report(backups: int, version: str, alone: Sequence[Series], load: Series) -> str:
    """The figures as Markdown."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lines = [
        f"{backups:,} backups of 1,000 databases; PostgreSQL {version}, Python {platform.python_version()}.",
        f"{cores} cores, which server, catalog and client share. Milliseconds from request to end of answer.",
        "",
        "| request | p50 | p99 | slowest | failed | p99 <= 50 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for series in alone:
        met = "yes" if series.part(0.99) <= LIMIT and not series.failures else "**no**"
        lines.append(f"| {_row(series)} | {met} |")
    lines.append(f"| {_row(load)} | |")
    return "\n".join(lines)


def _row(series: Series) -> str:
    middle = statistics.median(series.times)
    return f"{series.name} | {middle:.1f} | {series.part(0.99):.1f} | {max(series.times):.1f} | {series.failures}"


if __name__ == "__main__":
    raise SystemExit(main())
