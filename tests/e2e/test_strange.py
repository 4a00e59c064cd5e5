"""Everything comes back: the strange database, restored, is equal to what it was, definition by definition,
value by value. What it holds, and what it cannot hold, stands in tests/strange.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from pgproof.bootstrap import App
from pgproof.domain.archive import WRITTEN, ArchiveFormat
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import FingerprintMismatch
from pgproof.domain.fingerprint import FingerprintLevel, differences
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.services.contents import read_manifest
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url
from tests.strange import build, equality

SWAP = RestoreOptions(create_safety_backup=False, parallel_jobs=2)


@pytest.fixture
def place(server: Server) -> Iterator[ConnectionInfo]:
    """The strange database, with everything that this server can hold."""
    made = build.make(server)
    yield made
    build.drop(server, made.dbname)


def back_up(
    app: App,
    place: ConnectionInfo,
    recorder: Recorder,
    form: ArchiveFormat = ArchiveFormat.CUSTOM,
    level: FingerprintLevel = FingerprintLevel.CONTENT,
) -> Backup:
    database = app.databases.resolve(to_url(place))
    options = BackupOptions(form, parallel_jobs=2, include_logs=True, include_cache=True, fingerprint=level)
    wanted = app.backups.request(database, options, BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, recorder, database=database)


@pytest.mark.parametrize("form", WRITTEN)
def test_a_swap_brings_the_strange_database_back_equal(
    app: App, server: Server, place: ConnectionInfo, recorder: Recorder, form: ArchiveFormat
) -> None:
    before = equality.portrait(server.bin, place)
    backup = back_up(app, place, recorder, form)
    restore = app.restores.restore(backup.id, SWAP, recorder)
    assert equality.differences(before, equality.portrait(server.bin, place)) == []
    held = read_manifest(app.storage, backup).fingerprint
    assert len(held.digests) == len(held.tables) > 80
    assert restore.previous_database is not None
    for database in (place.to_database(restore.previous_database), place):
        assert differences(held, app.server.fingerprint(database, FingerprintLevel.CONTENT)) == ()
    build.drop(server, restore.previous_database)


def test_a_restore_in_place_brings_the_strange_database_back_equal(
    app: App, server: Server, place: ConnectionInfo, recorder: Recorder
) -> None:
    before = equality.portrait(server.bin, place)
    backup = back_up(app, place, recorder)
    app.restores.restore(backup.id, replace(SWAP, mode=RestoreMode.IN_PLACE), recorder)
    assert equality.differences(before, equality.portrait(server.bin, place)) == []


@pytest.mark.parametrize("part", sorted(build.CAPABLE))
def test_the_strange_database_holds_all_that_this_server_was_built_for(server: Server, part: str) -> None:
    if not build.can(server, part):
        pytest.skip(f"PostgreSQL {server.major} is here without {part}: it is proven on the servers that have it")
    place = build.make(server)
    (file,) = build.SQL.glob(f"capable/{part}.sql")
    tables = re.findall(r"^CREATE TABLE strange\.(\w+)", file.read_text("utf-8"), re.MULTILINE)
    assert tables
    for table in tables:
        assert server.sql(place, f"SELECT count(*) > 0 FROM strange.{table}") == [(True,)]
    build.drop(server, place.dbname)


@pytest.mark.parametrize("newer", ["server16", "server18"])
def test_what_was_dumped_on_15_has_the_same_content_on_a_newer_server(
    app: App, server15: Server, newer: str, recorder: Recorder, request: pytest.FixtureRequest
) -> None:
    target: Server = request.getfixturevalue(newer)
    place = build.make(server15, capable=False)
    build.prepare(target)
    backup = back_up(app, place, recorder)
    moved = target.connection.to_database(place.dbname)
    registered = app.catalog.get_database(backup.database)
    app.catalog.update_database(replace(registered, connection=moved))

    app.restores.restore(backup.id, SWAP, recorder)

    assert equality.differences(equality.content(place), equality.content(moved)) == []
    held = read_manifest(app.storage, backup).fingerprint
    assert differences(held, app.server.fingerprint(moved, FingerprintLevel.CONTENT)) == ()
    build.drop(server15, place.dbname)
    build.drop(target, moved.dbname)


NOTICED = {
    "UPDATE strange.numbers SET n = n * 1.0 WHERE n = 1": "rows strange.numbers",
    "UPDATE strange.null_or_empty SET a = '' WHERE a IS NULL AND d IS NULL": "rows strange.null_or_empty",
    "DELETE FROM strange.no_columns": "rows strange.no_columns",
    "UPDATE strange.arrays SET i = '[-4:-3]={1,2}' WHERE id = 4": "rows strange.arrays",
    "REFRESH MATERIALIZED VIEW strange.top_material WITH NO DATA": "state materialised view strange.top_material",
    "SELECT lo_put(4006, 9999, '\\x01')": "large object 4006",
    "SELECT nextval('strange.small')": "sequence strange.small",
    "ALTER TABLE strange.triggered ENABLE TRIGGER disabled": "definition Name: triggered disabled; Type: TRIGGER",
    "GRANT SELECT ON strange.same TO strange_reader": "definition Name: TABLE same; Type: ACL",
    'ALTER TABLE strange.same SET TABLESPACE "strange Spaçe"': "definition Name: same; Type: TABLE",
    "COMMENT ON FUNCTION strange.overloaded(text) IS 'x'": "definition Name: FUNCTION overloaded(text",
    "ALTER DATABASE {} SET work_mem = '9MB'": "database settings",
}


def test_the_proof_itself_notices_what_differs(server18: Server) -> None:
    place = build.make(server18)
    before = equality.portrait(server18.bin, place)
    assert equality.differences(before, equality.portrait(server18.bin, place)) == []
    name = sql.Identifier(place.dbname).as_string()
    statements = [statement.replace("{}", name) for statement in NOTICED]
    server18.sql(place, "SET default_transaction_read_only = off", *statements)
    found = equality.differences(before, equality.portrait(server18.bin, place))
    for noticed in NOTICED.values():
        assert any(line.startswith(noticed) for line in found), noticed
    build.drop(server18, place.dbname)


def test_a_backup_is_held_to_the_content_that_it_recorded(app: App, server18: Server, recorder: Recorder) -> None:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (2)")
    backup = back_up(app, place, recorder)
    other = server18.create_database()
    server18.sql(other, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (3)")
    manifest = read_manifest(app.storage, backup)
    (found,) = differences(manifest.fingerprint, app.server.fingerprint(other, FingerprintLevel.CONTENT))
    assert str(found).startswith("table public.t: expected content ")


@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
@pytest.mark.parametrize("tables", [(), ("public.t",)], ids=["whole", "one-table"])
def test_a_restore_is_held_to_as_much_as_the_backup_recorded(
    app: App, server18: Server, recorder: Recorder, mode: RestoreMode, tables: tuple[str, ...]
) -> None:
    if tables and mode is RestoreMode.SWAP:
        mode = RestoreMode.NEW_DATABASE
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (a int)")
    for level in FingerprintLevel:
        backup = back_up(app, place, recorder, level=level)
        held = read_manifest(app.storage, backup).fingerprint
        assert held.level is level
        target = f"{place.dbname}_{level}" if mode is RestoreMode.NEW_DATABASE else None
        options = replace(SWAP, mode=mode, tables=tables, target_database=target)
        app.restores.restore(backup.id, options, recorder)
        restored = place.to_database(target or place.dbname)
        assert server18.sql(restored, "SELECT a FROM t") == [(1,)]


def test_other_content_in_as_many_rows_fails_a_restore_and_changes_nothing(
    app: App, server18: Server, recorder: Recorder
) -> None:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (2)")
    backup = back_up(app, place, recorder)
    path = Path(app.storage.url.removeprefix("file://")) / backup.folder / "manifest.json"
    manifest = read_manifest(app.storage, backup)
    digests = {"public.t": "1:1"}
    path.write_text(replace(manifest, fingerprint=replace(manifest.fingerprint, digests=digests)).render())
    for mode in (RestoreMode.SWAP, RestoreMode.IN_PLACE):
        with pytest.raises(FingerprintMismatch, match="expected content 1:1, found content"):
            app.restores.restore(backup.id, replace(SWAP, mode=mode), recorder)
        assert server18.sql(place, "SELECT a FROM t ORDER BY 1") == [(1,), (2,)]
