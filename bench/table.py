"""What each choice costs a restore: memory, autovacuum, form of the archive, fingerprint, a test on a scratch server.

Every row is a backup, restored into a new database, all rows in turn in every round. Times are those that pgproof
records of its steps, in one process: starting it costs every row the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.clock import median, wait_until_idle
from bench.place import Place
from pgproof.adapters.postgres.server import LivePostgresServer
from pgproof.adapters.streams import CompressedStreams
from pgproof.bootstrap import App, open_app
from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.domain.restore_test import RestoreTestOutcome
from pgproof.domain.tuning import ServerMemory
from pgproof.services.ports import Progress
from pgproof.services.restores import RestoreService
from pgproof.services.restoring.work import World
from pgproof.settings import load_settings

# Autovacuum on, and often: else there is nothing to keep away. Memory as PostgreSQL has it without being asked.
SERVER = {"autovacuum": "on", "autovacuum_naptime": "5s", "maintenance_work_mem": "64MB"}
_NAME = "restored"
_JOBS = 2


class Untuned(LivePostgresServer):
    """Tells so little of the server's memory that nothing is set for the sessions of a restore."""

    def memory(self, connection: ConnectionInfo) -> ServerMemory:  # noqa: ARG002 - the name is the port's
        return ServerMemory(shared_buffers=0, maintenance_work_mem=1 << 26)


class Nobody:
    """An observer that looks away."""

    def step(self, name: str) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def log(self, line: str) -> None: ...


@dataclass
class Row:
    """One choice, with the seconds of each round by what they were spent on."""

    name: str
    backup: BackupOptions = field(default_factory=BackupOptions)
    autovacuum: bool = True
    tuned: bool = True
    tested: bool = False
    rounds: list[Mapping[str, float]] = field(default_factory=list)

    def middle(self, what: str) -> float | None:
        """The median, if the row has it."""
        found = [one[what] for one in self.rounds if what in one]
        return median(found) if found else None


def rows() -> Sequence[Row]:
    """All of them; the first is what `pgproof backup` and `pgproof restore` do unless told otherwise."""
    custom, directory = ArchiveFormat.CUSTOM, ArchiveFormat.DIRECTORY
    return [
        Row("as it is: custom format, zstd, row counts", tested=True),
        Row("memory of the sessions not tuned", tuned=False),
        Row("`--no-autovacuum`", autovacuum=False),
        Row("custom format, gzip", BackupOptions(custom, Compression.GZIP)),
        Row("custom format, uncompressed: no staging", BackupOptions(custom, Compression.NONE)),
        Row("directory format in a tar, zstd", BackupOptions(directory, Compression.ZSTD, parallel_jobs=_JOBS)),
        Row("directory format in a tar, gzip", BackupOptions(directory, Compression.GZIP, parallel_jobs=_JOBS)),
        Row("directory format in a tar, uncompressed", BackupOptions(directory, Compression.NONE, parallel_jobs=_JOBS)),
        Row("fingerprint: none", BackupOptions(fingerprint=FingerprintLevel.NONE)),
        Row("fingerprint: content", BackupOptions(fingerprint=FingerprintLevel.CONTENT), tested=True),
    ]


def measure(place: Place, database: str, rounds: int, tell: Callable[[str], None]) -> Sequence[Row]:
    """Measure every row in turn, once to warm up and then `rounds` times."""
    measured = rows()
    with _app(place, database) as app:
        for number in range(rounds + 1):
            for row in measured:
                tell(f"{row.name}, round {number} of {rounds}" if number else f"{row.name}, warm-up")
                found = _run(place, app, row)
                if number:
                    row.rounds.append(found)
    return measured


def render(measured: Sequence[Row], table: Callable[[Sequence[str], Sequence[Sequence[str]]], str]) -> str:
    """The table, in seconds."""
    columns = ("backup", "load", "analyze", "compare", "restore", "restore test")
    cells = [
        (row.name, *("" if seconds is None else f"{seconds:.2f}" for seconds in map(row.middle, columns)))
        for row in measured
    ]
    return table(("what", *columns), cells)


@contextmanager
def _app(place: Place, database: str) -> Iterator[App]:
    with open_app(load_settings(dict(place.environment(database)), directory=place.folder)) as app:
        yield app


def _run(place: Place, app: App, row: Row) -> Mapping[str, float]:
    protected = app.databases.resolve(None)
    wait_until_idle()
    begun = app.clock.monotonic()
    backup = app.backups.back_up(protected, row.backup, BackupTrigger.MANUAL_CLI, Nobody())
    found = {"backup": app.clock.monotonic() - begun}
    options = RestoreOptions(
        mode=RestoreMode.NEW_DATABASE, target_database=_NAME, parallel_jobs=_JOBS, autovacuum=row.autovacuum
    )
    wait_until_idle()
    begun = app.clock.monotonic()
    restore = (app.restores if row.tuned else _untuned(app)).restore(backup.id, options, Nobody())
    found |= {**restore.timings, "restore": app.clock.monotonic() - begun}
    place.drop_database(_NAME)
    if row.tested:
        wait_until_idle()
        begun = app.clock.monotonic()
        test = app.restore_tests.test(backup.id, Nobody())
        if test.verdict is None or test.verdict.outcome is not RestoreTestOutcome.PASSED:
            raise RuntimeError(f"the restore test of {row.name} did not pass: {test.verdict}")
        found["restore test"] = app.clock.monotonic() - begun
    app.backups.delete(backup.id)
    return found


def _untuned(app: App) -> RestoreService:
    server = Untuned(app.settings.lock_wait_seconds, app.catalog.installation())
    world = World(app.catalog, app.storage, CompressedStreams(), server, app.tools, app.clock)
    return RestoreService(world=world, databases=app.databases, backups=app.backups, undo_hours=app.settings.undo_hours)
