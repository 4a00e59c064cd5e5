"""A process that was cut off from the catalog goes on only with what is still its own."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import CatalogUnreachable, Conflict, ObjectMissing, PostgresError, WorkerLost
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStatus
from pgproof.services.ports import BackupFilter
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

RESTORE = RestoreOptions(create_safety_backup=False)


class CutOff(Recorder):
    """Ends every session with the catalog when a step begins; then, if it is told to, somebody else comes."""

    def __init__(self, step: str, server: Server, catalog: ConnectionInfo, comes: Callable[[], App] | None) -> None:
        super().__init__()
        self._step = step
        self._server = server
        self._catalog = catalog
        self._comes = comes
        self.settled: list[str] = []

    def step(self, name: str) -> None:
        super().step(name)
        if name == self._step:
            sessions = f"SELECT pid FROM pg_stat_activity WHERE datname = '{self._catalog.dbname}'"
            ended = f"SELECT pg_terminate_backend(pid, 5000) FROM ({sessions}) s"
            assert self._server.sql(self._server.connection, ended)
            if self._comes is not None:
                self.settled += self._comes().settled


@pytest.fixture
def catalog_place(server18: Server) -> ConnectionInfo:
    return server18.create_database()


@pytest.fixture
def open_another(make_app: Callable[..., App], catalog_place: ConnectionInfo) -> Callable[[], App]:
    return lambda: make_app(BACKUP_CATALOG_URL=to_url(catalog_place))


@pytest.fixture
def app(open_another: Callable[[], App]) -> App:
    return open_another()


@pytest.fixture
def shop(app: App, server18: Server) -> Database:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    return app.databases.add("shop", to_url(place))


def back_up(app: App, database: Database, observer: Recorder) -> Backup:
    return app.backups.back_up(database, BackupOptions(), BackupTrigger.MANUAL_CLI, observer)


@pytest.fixture
def backup(app: App, shop: Database, server18: Server) -> Backup:
    taken = back_up(app, shop, Recorder())
    server18.sql(shop.connection, "DELETE FROM t WHERE i > 10")
    return taken


@pytest.mark.parametrize("step", ["preflight", "create_shadow", "load", "analyze", "properties"])
def test_a_restore_that_another_process_has_settled_does_not_go_on(
    app: App,
    shop: Database,
    backup: Backup,
    server18: Server,
    catalog_place: ConnectionInfo,
    open_another: Callable[[], App],
    step: str,
) -> None:
    cut_off = CutOff(step, server18, catalog_place, open_another)
    # Where the other process has dropped the shadow, that is found before anything else.
    with pytest.raises((WorkerLost, PostgresError)):
        app.restores.restore(backup.id, RESTORE, cut_off)
    (restore,) = app.catalog.list_restores()
    assert cut_off.settled == [
        f"restore {restore.id}: its process died before the change; the live database was not touched"
    ]
    assert (restore.status, restore.error_details["code"]) == (RestoreStatus.FAILED, "worker_lost")
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(10,)]
    names = app.server.list_databases(shop.connection)
    assert [name for name in names if name.startswith(f"{shop.connection.dbname}__pgproof")] == []


def test_a_restore_in_place_that_another_process_has_settled_does_not_begin_to_replace(
    app: App,
    shop: Database,
    backup: Backup,
    server18: Server,
    catalog_place: ConnectionInfo,
    open_another: Callable[[], App],
) -> None:
    cut_off = CutOff("preflight", server18, catalog_place, open_another)
    with pytest.raises(WorkerLost, match="another process has settled it"):
        app.restores.restore(backup.id, replace(RESTORE, mode=RestoreMode.IN_PLACE), cut_off)
    assert len(cut_off.settled) == 1
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(10,)]


@pytest.mark.parametrize("step", ["create_shadow", "load", "properties"])
def test_a_restore_that_nobody_else_has_touched_goes_on(
    app: App, shop: Database, backup: Backup, server18: Server, catalog_place: ConnectionInfo, step: str
) -> None:
    done = app.restores.restore(backup.id, RESTORE, CutOff(step, server18, catalog_place, None))
    assert done.status is RestoreStatus.COMPLETED
    assert server18.sql(shop.connection, "SELECT count(*) FROM t") == [(1000,)]


@pytest.mark.parametrize("step", ["preflight", "dump", "globals", "read back", "manifest"])
def test_a_backup_that_another_process_has_settled_leaves_no_object(
    app: App,
    shop: Database,
    server18: Server,
    catalog_place: ConnectionInfo,
    open_another: Callable[[], App],
    tmp_path: Path,
    step: str,
) -> None:
    cut_off = CutOff(step, server18, catalog_place, open_another)
    with pytest.raises((WorkerLost, ObjectMissing)):
        back_up(app, shop, cut_off)
    (row,) = app.catalog.list_backups(BackupFilter())
    assert cut_off.settled == [f"backup {row.id}: its process died; what it had stored was removed"]
    assert (row.status, row.error_details["code"]) == (BackupStatus.FAILED, "worker_lost")
    assert [path for path in (tmp_path / "backups").rglob("*") if path.is_file()] == []


def test_a_backup_that_nobody_else_has_touched_goes_on(
    app: App, shop: Database, server18: Server, catalog_place: ConnectionInfo
) -> None:
    taken = back_up(app, shop, CutOff("globals", server18, catalog_place, None))
    assert taken.status is BackupStatus.COMPLETED
    assert app.backups.verify(taken.id, Recorder()).backup.usable


class Before:
    """A port that lets something happen before, or after, a call for which `matters` holds; once."""

    def __init__(
        self,
        port: object,
        name: str,
        matters: Callable[[tuple[Any, ...]], bool],
        *,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self._port, self._name, self._matters = port, name, matters
        self._before, self._after = before, after
        self.happened = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)
        return partial(self._call, call) if name == self._name else call

    def _call(self, call: Callable[..., Any], *arguments: Any, **names: Any) -> Any:
        acts = not self.happened and self._matters(arguments)
        self.happened = self.happened or acts
        if acts:
            self._before()
        result = call(*arguments, **names)
        if acts:
            self._after()
        return result


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


@pytest.fixture
def cut_off(server18: Server, catalog_place: ConnectionInfo, open_another: Callable[[], App]) -> Callable[[], object]:
    """All sessions with the catalog end, and another process comes before ours has its own again."""

    def act() -> None:
        sessions = f"SELECT pid FROM pg_stat_activity WHERE datname = '{catalog_place.dbname}'"
        server18.sql(server18.connection, f"SELECT pg_terminate_backend(pid, 5000) FROM ({sessions}) s")
        assert len(open_another().settled) == 1

    return act


def recording(app: App, **acts: Callable[[], object]) -> Before:
    """The moment at which the end of a backup is recorded."""
    port = Before(app.catalog, "change_backup", lambda _: True, **acts)
    vars(app.backups)["_catalog"] = port
    return port


def only_backup(app: App) -> Backup:
    (row,) = app.catalog.list_backups(BackupFilter())
    return row


def test_a_backup_that_recovery_has_found_whole_is_what_its_own_process_returns(
    app: App, shop: Database, cut_off: Callable[[], object]
) -> None:
    port = recording(app, before=cut_off)
    taken = back_up(app, shop, Recorder())
    assert port.happened
    assert taken == only_backup(app)
    assert app.backups.verify(taken.id, Recorder()).backup.usable


@pytest.mark.parametrize("error", [KeyboardInterrupt(), PostgresError("unexpected")])
def test_what_is_recorded_as_completed_stays_whatever_happens_then(
    app: App, shop: Database, error: BaseException
) -> None:
    recording(app, after=raising(error))
    with pytest.raises(type(error)):
        back_up(app, shop, Recorder())
    taken = only_backup(app)
    assert taken.status is BackupStatus.COMPLETED
    assert app.backups.verify(taken.id, Recorder()).backup.usable


def test_a_lost_answer_to_the_last_commit_costs_nothing_even_if_somebody_holds_the_backup_meanwhile(
    app: App, shop: Database
) -> None:
    def held_and_lost() -> None:
        app.catalog.change_backup(only_backup(app).id, lambda one: replace(one, held=True))
        raise CatalogUnreachable("the answer was lost")

    recording(app, after=held_and_lost)
    taken = back_up(app, shop, Recorder())
    assert taken.held
    assert app.backups.verify(taken.id, Recorder()).backup.usable


@pytest.mark.parametrize("name", ["RESTORE.md", "SHA256SUMS", "manifest.json"])
def test_who_is_cut_off_while_the_last_texts_are_stored_leaves_nothing_that_looks_whole(
    app: App, shop: Database, cut_off: Callable[[], object], tmp_path: Path, name: str
) -> None:
    port = Before(app.storage, "put", lambda arguments: arguments[0].endswith(f"/{name}"), before=cut_off)
    vars(app.backups)["_storage"] = port
    with pytest.raises((WorkerLost, Conflict)):
        back_up(app, shop, Recorder())
    assert port.happened
    assert only_backup(app).status is BackupStatus.FAILED
    assert [path for path in (tmp_path / "backups").rglob("*") if path.is_file()] == []
