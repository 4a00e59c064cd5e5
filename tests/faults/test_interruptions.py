"""The server goes down, or sessions are cut, in the middle of a job: nothing is lost, half there, or listed in vain."""

import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import sql

from pgproof.adapters.embedded.account import server_account
from pgproof.bootstrap import App
from pgproof.domain.errors import PgproofError, SwapFailed
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStatus
from tests.e2e.conftest import Recorder
from tests.e2e.test_hazards import Delegate
from tests.faults.stage import NEW, OLD, Stage, wait_until
from tests.faults.zygote import QUICK
from tests.servers import Postmaster, Server, connect, private_folder, run_postmaster, to_url, wheel_server

FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
BOTH = pytest.mark.parametrize("how", [FAST, IMMEDIATE], ids=["fast", "immediate"])
IN_PLACE = replace(QUICK, mode=RestoreMode.IN_PLACE)
# Some seconds of work for every tool, so that what happens in the middle does.
BIG = "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 20) AS text FROM generate_series(1, 100000) i"
TOOLS, OURS, ALL = "client_port = ANY (%s)", "NOT client_port = ANY (%s)", "%s::int[] IS NOT NULL"


class At(Recorder):
    """Does something once, when a step begins or a line of a tool's log has a word in it."""

    def __init__(self, moment: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._moment = moment
        self._act = act
        self.acted = False

    def step(self, name: str) -> None:
        super().step(name)
        self._hear(f"step {name}")

    def log(self, line: str) -> None:
        super().log(line)
        self._hear(line)

    def _hear(self, text: str) -> None:
        if not self.acted and self._moment in text:
            self.acted = True
            self._act()


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[Server, Postmaster]]:
    """A server that these tests may stop. What is not on disk yet stays away from it for long."""
    with run_postmaster(wheel_server(18), wal_writer_delay="10s") as running:
        yield running


@pytest.fixture
def stage(own: tuple[Server, Postmaster], server18: Server, tmp_path: Path) -> Iterator[Stage]:
    server, _ = own
    place = server.create_database()
    server.sql(place, BIG)
    with private_folder(server_account()) as home:
        settings = {
            "PATH": os.environ["PATH"],
            "BACKUP_HOME": str(home),
            "BACKUP_DIR": str(tmp_path / "backups"),
            "BACKUP_CATALOG_URL": to_url(server18.create_database()),
            "BACKUP_LOCK_WAIT_SECONDS": "10",
        }
        made = Stage("backup", server, settings, place.dbname)
        made.set_content(*OLD)
        with made.app() as app:
            app.databases.add("shop", to_url(place))
        yield made


@contextmanager
def disturbed(stage: Stage, operation: str) -> Iterator[tuple[App, int]]:
    """An application that has a backup of the new content; what is raised in the block is of our kind, if anything."""
    stage.operation = "undo" if operation == "undo" else "swap"
    number = stage.prepare()
    stage.operation = operation
    with stage.app() as app, pytest.raises(PgproofError):
        yield app, number


def work(app: App, operation: str, number: int, observer: Recorder) -> None:
    match operation:
        case "backup":
            Stage.back_up(app, observer)
        case "swap":
            app.restores.restore(number, QUICK, observer)
        case "in place":
            app.restores.restore(number, IN_PLACE, observer)
        case "undo":
            app.restores.undo(number, observer)


MOMENTS = [
    ("backup", "reading extensions"),
    ("backup", "dumping contents of table"),
    ("swap", "step create_shadow"),
    ("swap", "processing data for table"),
    ("swap", "step compare"),
    ("swap", "step swap"),
    ("in place", "step replace"),
    ("in place", "pgproof transaction"),
    ("undo", "step undo"),
]


@BOTH
@pytest.mark.parametrize(("operation", "moment"), MOMENTS)
def test_a_server_that_goes_down_in_the_middle_comes_back_with_one_content_or_the_other(
    stage: Stage, own: tuple[Server, Postmaster], operation: str, moment: str, how: signal.Signals
) -> None:
    _, postmaster = own
    with disturbed(stage, operation) as (app, number):
        observer = At(moment, lambda: postmaster.stop(how))
        try:
            work(app, operation, number, observer)
        finally:
            assert observer.acted
            postmaster.start()
    stage.check(f"{moment}, {how.name}")


CUTS = [
    ("backup", "reading extensions", TOOLS),
    ("backup", "reading extensions", OURS),
    ("swap", "step load", ALL),
    ("swap", "step analyze", OURS),
    ("swap", "step compare", OURS),
    ("in place", "pgproof transaction", TOOLS),
]


@pytest.mark.parametrize(("operation", "moment", "whose"), CUTS)
def test_sessions_that_are_cut_in_the_middle_fail_the_job_and_nothing_else(
    stage: Stage, operation: str, moment: str, whose: str
) -> None:
    with disturbed(stage, operation) as (app, number), cutting(stage, whose) as begin:
        observer = At(moment, begin)
        work(app, operation, number, observer)
    assert stage.content(stage.dbname) == OLD
    stage.check(f"{moment}, sessions cut: {whose}")


@contextmanager
def cutting(stage: Stage, whose: str) -> Iterator[Callable[[], None]]:
    """From the call on, every such session with the database or what is built beside it is ended, again and again."""
    done = threading.Event()
    cuts = 0
    query = f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname LIKE '{stage.dbname}%%' AND backend_type = 'client backend' AND {whose} AND pid <> ALL (%s)"""

    with connect(stage.server.connection) as session, ExitStack() as holding:
        holders: list[int] = []

        def cut() -> None:
            nonlocal cuts
            cuts += len(session.execute(query, [ports_of_tools(), holders]).fetchall())

        def go_on() -> None:
            while not done.is_set():
                cut()

        thread = threading.Thread(target=go_on, name="cut sessions")

        def begin() -> None:
            holders.extend(holding.enter_context(held_shadow(stage)))
            cut()  # before whoever called goes on
            thread.start()

        try:
            yield begin
        finally:
            done.set()
            if thread.ident is not None:
                thread.join()
    assert cuts > 0


@contextmanager
def held_shadow(stage: Stage) -> Iterator[list[int]]:
    """Whoever reads the loaded table of the shadow has to wait, or it could be over before anybody cuts it."""
    beside = f"SELECT datname FROM pg_database WHERE datname LIKE '{stage.dbname}\\_\\_pgproof\\_shadow%'"
    with ExitStack() as sessions:
        pids = []
        for (name,) in stage.server.sql(stage.server.connection, beside):
            session = sessions.enter_context(connect(stage.server.connection.to_database(name), autocommit=False))
            if session.execute("SELECT to_regclass('public.t') IS NOT NULL").fetchone() == (True,):
                session.execute("LOCK TABLE public.t")
                pids.append(session.info.backend_pid)
        yield pids


def ports_of_tools() -> list[int]:
    """Our side of the connections that our children have."""
    ports: list[int] = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            ports += [connection.laddr.port for connection in child.net_connections("tcp")]
    return ports


@contextmanager
def held_up(stage: Stage, dbname: str) -> Iterator[None]:
    """A prepared transaction in a database: its renaming begins, and has to wait until PostgreSQL gives up."""
    place, name = stage.server.connection.to_database(dbname), sql.Literal(dbname)
    with connect(place, autocommit=False) as session:
        session.execute("CREATE TABLE unfinished (i int)")
        session.execute(sql.SQL("PREPARE TRANSACTION {}").format(name))
    try:
        yield
    finally:
        left = "SELECT database FROM pg_prepared_xacts WHERE gid = {}"
        for (found,) in stage.server.sql(stage.server.connection, sql.SQL(left).format(name)):
            stage.server.sql(place.to_database(found), sql.SQL("ROLLBACK PREPARED {}").format(name))


class InTheMiddleOfTheSwap(Recorder):
    """When the swap begins, hold one of its two renames up; when that waits behind its lock, act."""

    def __init__(self, stage: Stage, app: App, which: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._stage = stage
        self._app = app
        self._which = which
        self._act = act
        self._held: Any = None
        self._thread = threading.Thread(target=self._wait_and_act, name="disturb the swap")

    def step(self, name: str) -> None:
        super().step(name)
        if name == "swap":
            shadow = self._app.catalog.list_restores()[0].shadow_database
            self._held = held_up(self._stage, self._stage.dbname if self._which == "live" else shadow)
            self._held.__enter__()
            self._thread.start()

    def end(self) -> None:
        self._thread.join()
        self._held.__exit__(None, None, None)

    def _wait_and_act(self) -> None:
        # The first rename leaves a transaction with a lock on a database, the second one with locks on both.
        wanted = 1 if self._which == "live" else 2
        locks = """SELECT count(DISTINCT objid) FROM pg_locks
            WHERE classid = 'pg_database'::regclass AND mode = 'AccessExclusiveLock' AND granted"""
        wait_until(lambda: self._stage.server.sql(self._stage.server.connection, locks) == [(wanted,)], "no rename")
        self._act()


@BOTH
@pytest.mark.parametrize("which", ["live", "shadow"])
def test_a_server_that_goes_down_between_the_renames_has_not_renamed_anything(
    stage: Stage, own: tuple[Server, Postmaster], which: str, how: signal.Signals
) -> None:
    _, postmaster = own

    def restart() -> None:
        postmaster.stop(how)
        postmaster.start()

    swap_disturbed(stage, which, restart)


@pytest.mark.parametrize("which", ["live", "shadow"])
def test_a_swap_whose_own_session_is_cut_between_the_renames_has_not_renamed_anything(stage: Stage, which: str) -> None:
    query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE state = 'active' AND query LIKE 'ALTER DATABASE%RENAME%'"""
    swap_disturbed(stage, which, lambda: stage.server.sql(stage.server.connection, query))


def swap_disturbed(stage: Stage, which: str, act: Callable[[], object]) -> None:
    with disturbed(stage, "swap") as (app, number):
        observer = InTheMiddleOfTheSwap(stage, app, which, act)
        try:
            app.restores.restore(number, QUICK, observer)
        finally:
            observer.end()
    assert stage.content(stage.dbname) == OLD
    stage.check(f"in the middle of the swap, {which}")


@pytest.mark.parametrize("operation", ["swap", "in place"])
def test_a_staging_file_that_may_not_grow_any_more_fails_the_restore_and_nothing_else(
    stage: Stage, operation: str
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with disturbed(stage, operation) as (app, number):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            work(app, operation, number, Recorder())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert stage.content(stage.dbname) == OLD
    stage.check("no room in the staging folder")


@pytest.mark.parametrize("options", [QUICK, IN_PLACE], ids=["swap", "in place"])
def test_what_is_reported_as_restored_survives_a_crash_of_a_server_that_does_not_wait_for_its_disk(
    stage: Stage, own: tuple[Server, Postmaster], options: RestoreOptions
) -> None:
    server, postmaster = own
    assert server.sql(server.connection, "SHOW synchronous_commit") == [("off",)]
    stage.operation = "swap"
    number = stage.prepare()
    with stage.app() as app:
        assert app.restores.restore(number, replace(options, run_analyze=False), Recorder()).status is (
            RestoreStatus.COMPLETED
        )
        postmaster.stop(IMMEDIATE)
    postmaster.start()
    assert stage.content(stage.dbname) == NEW
    stage.check("crashed afterwards")


def test_a_swap_that_happened_though_its_acknowledgement_was_lost_with_the_server_is_recorded_as_such(
    stage: Stage, own: tuple[Server, Postmaster]
) -> None:
    _, postmaster = own
    stage.operation = "swap"
    number = stage.prepare()
    with stage.app() as app:

        def swap(*arguments: Any, **names: Any) -> float:
            app.server.swap(*arguments, **names)
            postmaster.stop(IMMEDIATE)
            raise SwapFailed("the connection broke")

        world = vars(app.restores)["_world"]
        vars(app.restores)["_world"] = replace(world, server=Delegate(app.server, swap=swap))
        with pytest.raises(PgproofError):
            app.restores.restore(number, QUICK, Recorder())
        postmaster.start()
    stage.check("the acknowledgement was lost")
    with stage.app() as app:
        assert [one.status for one in app.catalog.list_restores()] == [RestoreStatus.COMPLETED]
    assert stage.content(stage.dbname) == NEW
