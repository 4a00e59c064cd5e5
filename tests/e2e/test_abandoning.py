"""A restore whose server never comes back: it is told, it keeps what it must, and there is a way out."""

import socket
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.domain.secret import Secret
from pgproof.services.ports import Lock
from pgproof.services.ports.access import AuditFilter
from tests.e2e.command_line import CommandLine
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url


@pytest.fixture
def nobody() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def app(make_app: Callable[..., App], pgproof: CommandLine) -> App:
    return make_app(**pgproof.environ)


@pytest.fixture
def backup(app: App, nobody: int) -> Backup:
    """Of `lost`, a database on a server that is gone."""
    app.catalog.add_database("lost", ConnectionInfo("lost", "127.0.0.1", nobody, "app"))
    return taken(app, "lost")


def taken(app: App, database: str) -> Backup:
    """The record of a backup."""
    pending = app.catalog.create_backup(
        database, storage_url=app.storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI,
        now=app.clock.now(),
    )  # fmt: skip
    for status in (BackupStatus.RUNNING, BackupStatus.COMPLETED):
        pending = app.catalog.change_backup(pending.id, lambda one, to=status: replace(one, status=to))  # type: ignore[misc]
    return pending


def begun(
    app: App, backup: Backup, step: RestoreStep, status: RestoreStatus = RestoreStatus.RUNNING, **changes: str
) -> Restore:
    """A restore whose process died in that step."""
    in_place = step is RestoreStep.REPLACE
    options = RestoreOptions(mode=RestoreMode.IN_PLACE if in_place else RestoreMode.SWAP)
    restore = app.catalog.create_restore(backup, backup.database, options, app.clock.now())
    left = replace(restore, status=status, step=step, transaction="777", live_oid=16400, shadow_oid=16500)
    left = replace(left, **changes)  # type: ignore[arg-type]
    app.catalog.save_restore(left)
    return left


@pytest.mark.parametrize(
    ("step", "status", "said"),
    [
        (RestoreStep.LOAD, RestoreStatus.RUNNING, "the live database had not been touched"),
        (RestoreStep.SWAP, RestoreStatus.RUNNING, "whether it happened is not known"),
        (RestoreStep.REPLACE, RestoreStatus.RUNNING, "whether it happened is not known"),
        (RestoreStep.UNDO, RestoreStatus.UNDOING, "whether the undo happened is not known"),
    ],
)
def test_it_is_told_and_can_be_given_up(
    app: App, pgproof: CommandLine, backup: Backup, step: RestoreStep, status: RestoreStatus, said: str
) -> None:
    left = begun(app, backup, step, status)
    assert f"pgproof abandon {left.id}" in pgproof("list", "--restores").out
    assert f"pgproof abandon {left.id}" in pgproof("doctor").out
    assert pgproof("abandon", str(left.id), "--yes").status == 0
    ended = app.catalog.get_restore(left.id)
    after = (RestoreStatus.FAILED, step)
    assert (ended.status, ended.step) == (
        (RestoreStatus.COMPLETED, RestoreStep.DONE) if status is RestoreStatus.UNDOING else after
    )
    assert ended.error_message
    assert ended.error_message.endswith(said)
    assert "gave it up" in app.catalog.read_log(Lock.RESTORE, left.id)[-1]
    (entry,) = [one for one in app.audit.list(AuditFilter()) if one.action == "restore.abandon"]
    assert (entry.object, entry.details["status"]) == (str(left.id), ended.status.value)
    assert app.catalog.unfinished_restores() == []
    assert "pgproof abandon" not in pgproof("list", "--restores").out


def test_until_then_its_address_stays_and_afterwards_another_server_takes_over(
    app: App, pgproof: CommandLine, backup: Backup, server18: Server
) -> None:
    left = begun(app, backup, RestoreStep.SWAP)
    elsewhere = to_url(server18.create_database("lost"))
    refused = pgproof.fails(5, "database", "update", "lost", elsewhere)
    assert f"pgproof abandon {left.id}" in refused.error["hint"]
    pgproof("abandon", str(left.id), "--yes")
    assert pgproof("database", "update", "lost", elsewhere).status == 0
    assert app.catalog.get_restore(left.id).status is RestoreStatus.FAILED


def test_settings_that_lead_to_another_server_leave_every_way_out_open(
    app: App, pgproof: CommandLine, nobody: int, server18: Server
) -> None:
    name = pgproof.database.dbname
    app.catalog.add_database(name, ConnectionInfo(name, "127.0.0.1", nobody, "app"), from_settings=True)
    committed = str(server18.sql(pgproof.database, "SELECT pg_current_xact_id()")[0][0])
    left = begun(app, taken(app, name), RestoreStep.REPLACE, transaction=committed)
    assert pgproof("list").status == 0
    assert f"pgproof abandon {left.id}" in pgproof("list", "--restores").out
    assert "the settings lead to" in pgproof("doctor").out
    refused = pgproof.fails(5, "backup")
    assert f"pgproof abandon {left.id}" in refused.error["hint"]
    assert app.catalog.get_restore(left.id) == left
    assert pgproof("abandon", str(left.id), "--yes").status == 0
    assert pgproof("backup").status == 0
    assert app.catalog.get_database(name).connection.port == pgproof.database.port


def test_a_transaction_of_that_number_on_another_server_is_neither_believed_nor_ended(
    make_app: Callable[..., App], pgproof: CommandLine, server18: Server
) -> None:
    app = make_app(**pgproof.environ)
    database = app.databases.resolve(None)
    with psycopg.connect(to_url(pgproof.database)) as innocent:
        row = innocent.execute("SELECT pg_current_xact_id()::text").fetchone()
        assert row
        left = begun(app, taken(app, database.name), RestoreStep.REPLACE, transaction=row[0], system_identifier="1")
        assert make_app(**pgproof.environ).catalog.get_restore(left.id) == left
        assert innocent.execute("SELECT 1").fetchone() == (1,)
    done = pgproof("abandon", str(left.id), "--yes")
    assert "another server answers" in done.out
    assert app.catalog.get_restore(left.id).status is RestoreStatus.FAILED


def test_a_restore_knows_its_server(app: App, pgproof: CommandLine) -> None:
    pgproof("backup")
    restored = pgproof("restore", "1", "--yes", "--json").json["restore_id"]
    identifier = app.server.identify(pgproof.database).system_identifier
    assert app.catalog.get_restore(restored).system_identifier == identifier


def test_an_undo_that_was_given_up_and_had_not_happened_is_done_when_the_server_is_back(
    app: App, pgproof: CommandLine, server18: Server, nobody: int
) -> None:
    pgproof("backup")
    server18.sql(pgproof.database, "DELETE FROM items")
    number = pgproof("restore", "1", "--yes", "--json").json["restore_id"]
    restored = app.catalog.get_restore(number)
    known = app.catalog.get_database(restored.database)
    app.catalog.save_restore(replace(restored, status=RestoreStatus.UNDOING, step=RestoreStep.UNDO))
    gone = {"BACKUP_POSTGRES_PORT": str(nobody)}
    app.catalog.update_database(replace(known, connection=replace(known.connection, port=nobody)))
    assert "pgproof undo" in pgproof("abandon", str(number), "--yes", **gone).out
    app.catalog.update_database(known)
    assert pgproof("undo", str(number), "--yes").status == 0
    assert pgproof.rows() == 0
    undone = app.catalog.get_restore(number)
    assert (undone.status, undone.error_message, undone.error_details) == (RestoreStatus.UNDONE, None, {})
    # Once more given up, and this time it had happened.
    app.catalog.save_restore(replace(undone, status=RestoreStatus.UNDOING, step=RestoreStep.UNDO))
    app.catalog.update_database(replace(known, connection=replace(known.connection, port=nobody)))
    pgproof("abandon", str(number), "--yes", **gone)
    app.catalog.update_database(known)
    assert "is undone already" in pgproof.fails(5, "undo", str(number), "--yes").error["detail"]
    assert pgproof.rows() == 0


def test_one_whose_server_answers_and_refuses_the_password_is_not_given_up(
    app: App, pgproof: CommandLine, server18: Server
) -> None:
    place = server18.create_database("refusing")
    app.catalog.add_database("refusing", replace(place, password=Secret("wrong")))
    left = begun(app, taken(app, "refusing"), RestoreStep.SWAP)
    refused = pgproof("abandon", str(left.id), "--yes", "--json")
    assert refused.status != 0
    assert refused.error["code"] == "authentication_failed"
    assert "pgproof database update refusing URL" in refused.error["hint"]
    assert app.catalog.get_restore(left.id) == left
    assert pgproof("database", "update", "refusing", to_url(place)).status == 0
    assert pgproof("list").status == 0
    assert app.catalog.get_restore(left.id).status is RestoreStatus.FAILED


def test_a_server_that_is_gone_while_a_stranger_has_its_address_locks_nobody_out(
    app: App, pgproof: CommandLine, server18: Server
) -> None:
    stranger = replace(server18.create_database("stranger"), password=Secret("wrong"))
    app.catalog.add_database("stranger", stranger)
    left = begun(app, taken(app, "stranger"), RestoreStep.SWAP, system_identifier="1")
    way_out = f"pgproof abandon {left.id} --server-gone"
    assert way_out in pgproof("abandon", str(left.id), "--yes", "--json").error["hint"]
    elsewhere = to_url(server18.create_database("stranger_anew"))
    assert f"pgproof abandon {left.id}" in pgproof.fails(5, "database", "remove", "stranger").error["hint"]
    asked = pgproof.fails(2, "abandon", str(left.id), "--server-gone")
    assert "without asking its server" in asked.error["detail"]
    assert app.catalog.get_restore(left.id) == left
    assert pgproof("abandon", str(left.id), "--server-gone", "--yes").status == 0
    entries = [one for one in app.audit.list(AuditFilter()) if one.action == "restore.abandon"]
    told = sorted((one.outcome, one.details["server_gone"]) for one in entries)
    assert told == [("authentication_failed", False), ("done", True)]
    assert app.catalog.get_restore(left.id).status is RestoreStatus.FAILED
    assert pgproof("database", "update", "stranger", elsewhere).status == 0


def test_a_lost_key_to_the_password_of_its_server_locks_nobody_out(
    app: App, pgproof: CommandLine, server18: Server
) -> None:
    place = replace(server18.create_database("sealed"), password=Secret("right or wrong"))
    app.catalog.add_database("sealed", place)
    left = begun(app, taken(app, "sealed"), RestoreStep.SWAP, system_identifier="1")
    other_key = {"BACKUP_SECRET_KEY": "another key than at that time"}
    refused = pgproof("abandon", str(left.id), "--yes", "--json", **other_key)
    assert refused.error["code"] == "configuration"
    assert "its server cannot be asked" in refused.error["detail"]
    assert f"pgproof abandon {left.id} --server-gone" in refused.error["hint"]
    assert pgproof("abandon", str(left.id), "--server-gone", "--yes", **other_key).status == 0
    assert pgproof("database", "remove", "sealed", **other_key).status == 0


def test_one_whose_server_takes_no_sessions_now_is_not_given_up(
    app: App, pgproof: CommandLine, server18: Server
) -> None:
    place = server18.create_database("closed")
    app.catalog.add_database("closed", place)
    left = begun(app, taken(app, "closed"), RestoreStep.REPLACE)
    server18.sql(server18.connection, "ALTER DATABASE closed ALLOW_CONNECTIONS false")
    refused = pgproof.fails(10, "abandon", str(left.id), "--yes")
    assert "its server answers" in refused.error["detail"]
    assert app.catalog.get_restore(left.id) == left


def test_one_whose_database_is_registered_no_more_can_be_given_up(
    app: App, pgproof: CommandLine, backup: Backup
) -> None:
    left = begun(app, backup, RestoreStep.LOAD)
    app.catalog.remove_database("lost")
    done = pgproof("abandon", str(left.id), "--yes", "--json")
    assert (done.status, done.json["status"]) == (0, "failed")


def test_one_whose_server_answers_is_settled_and_not_given_up(app: App, pgproof: CommandLine) -> None:
    taken = pgproof("backup", "--json").json
    restored = app.restores.restore(taken["id"], RestoreOptions(create_safety_backup=False), Recorder())
    with app.catalog.own(Lock.RESTORE, restored.id):
        app.catalog.save_restore(replace(restored, status=RestoreStatus.RUNNING, step=RestoreStep.SWAP))
        pgproof.fails(5, "abandon", str(restored.id), "--yes")
        assert app.catalog.get_restore(restored.id).status is RestoreStatus.RUNNING
    # The command settles it when it begins; then there is nothing to give up.
    pgproof.fails(5, "abandon", str(restored.id), "--yes")
    assert app.catalog.get_restore(restored.id).status is RestoreStatus.COMPLETED


def test_nothing_happens_without_a_confirmation(app: App, pgproof: CommandLine, backup: Backup) -> None:
    left = begun(app, backup, RestoreStep.LOAD)
    pgproof.fails(2, "abandon", str(left.id))
    assert app.catalog.get_restore(left.id) == left
    pgproof.fails(4, "abandon", "999", "--yes")
