"""From one version of PostgreSQL to another: newer ones take what older ones gave; the way back is asked for."""

from dataclasses import replace

import pytest

from pgproof.bootstrap import App
from pgproof.domain.archive import WRITTEN, ArchiveFormat
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import RestoreFailed, VersionUnsupported
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStatus
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

SWAP = RestoreOptions(create_safety_backup=False)
SHOP = (
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood, name text NOT NULL)",
    "INSERT INTO customers (mood, name) SELECT 'good', 'n' || i FROM generate_series(1, 100) i",
    (
        "CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, twice int GENERATED ALWAYS AS "
        "(customer * 2) STORED)"
    ),
    "INSERT INTO orders (customer) SELECT 1 + i % 100 FROM generate_series(1, 300) i",
    "CREATE TABLE parted (a int, b text) PARTITION BY RANGE (a)",
    "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10)",
    "CREATE INDEX ON parted (a)",
    "INSERT INTO parted VALUES (1, 'x')",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE MATERIALIZED VIEW totals AS SELECT customer, count(*) AS orders FROM orders GROUP BY customer",
    "CREATE UNIQUE INDEX ON totals (customer)",
    "SELECT lo_from_bytea(0, 'large')",
)
HOLDS = (
    "SELECT (SELECT count(*) FROM customers), (SELECT sum(twice) FROM orders), (SELECT count(*) FROM low), "
    "(SELECT sum(orders) FROM totals), (SELECT count(*) FROM pg_largeobject_metadata), nextval('orders_id_seq')"
)
AS_IT_WAS = [(100, 30300, 1, 300, 1, 301)]


def take(app: App, place: ConnectionInfo, recorder: Recorder, form: ArchiveFormat = ArchiveFormat.CUSTOM) -> Backup:
    database = app.databases.resolve(to_url(place))
    return app.backups.back_up(database, BackupOptions(format=form), BackupTrigger.MANUAL_CLI, recorder)


def move(app: App, backup: Backup, target: Server) -> ConnectionInfo:
    """The database is on another server now, under the same name, with something else in it."""
    registered = app.catalog.get_database(backup.database)
    moved = target.create_database(registered.connection.dbname)
    app.catalog.update_database(replace(registered, connection=moved))
    target.sql(moved, "CREATE TABLE old (a int)")
    return moved


@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("newer", ["server16", "server18"])
def test_a_dump_of_15_restores_on_newer_servers(
    app: App,
    server15: Server,
    newer: str,
    form: ArchiveFormat,
    mode: RestoreMode,
    recorder: Recorder,
    request: pytest.FixtureRequest,
) -> None:
    target: Server = request.getfixturevalue(newer)
    place = server15.create_database()
    server15.sql(place, *SHOP, f"ALTER DATABASE \"{place.dbname}\" SET work_mem = '7MB'")
    backup = take(app, place, recorder, form)
    moved = move(app, backup, target)
    app.restores.restore(backup.id, replace(SWAP, mode=mode), recorder)
    assert target.sql(moved, HOLDS) == AS_IT_WAS
    assert target.sql(moved, "SELECT to_regclass('old') IS NULL, current_setting('work_mem')") == [(True, "7MB")]


@pytest.mark.parametrize("older", ["server15", "server16"])
@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
def test_a_dump_of_18_goes_to_an_older_server_only_if_forced_and_without_settings_that_this_does_not_know(
    app: App, server18: Server, older: str, mode: RestoreMode, recorder: Recorder, request: pytest.FixtureRequest
) -> None:
    target: Server = request.getfixturevalue(older)
    place = server18.create_database()
    name = f'"{place.dbname}"'
    server18.sql(
        place,
        *SHOP,
        f"ALTER DATABASE {name} SET transaction_timeout = '5min'",
        f"ALTER DATABASE {name} SET work_mem = '7MB'",
    )
    backup = take(app, place, recorder)
    moved = move(app, backup, target)
    # Without autovacuum the restore has stages, and each goes through psql: the tools are newer than the server.
    options = replace(SWAP, mode=mode, autovacuum=mode is RestoreMode.IN_PLACE)
    with pytest.raises(VersionUnsupported, match="comes from PostgreSQL 18"):
        app.restores.check(backup.id, options)
    with pytest.raises(VersionUnsupported):
        app.restores.restore(backup.id, options, recorder)
    assert target.sql(moved, "SELECT to_regclass('old') IS NOT NULL") == [(True,)]
    restore = app.restores.restore(backup.id, replace(options, force=True), recorder)
    assert restore.status is RestoreStatus.COMPLETED
    assert target.sql(moved, HOLDS) == AS_IT_WAS
    assert target.sql(moved, "SELECT to_regclass('old') IS NULL, current_setting('work_mem')") == [(True, "7MB")]
    assert any("transaction_timeout" in line and "unrecognized" in line for line in recorder.lines)


@pytest.mark.parametrize("mode", [RestoreMode.SWAP, RestoreMode.IN_PLACE])
def test_what_an_older_server_cannot_hold_fails_cleanly_even_if_forced(
    app: App, server15: Server, server18: Server, mode: RestoreMode, recorder: Recorder
) -> None:
    place = server18.create_database()
    server18.sql(place, "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) VIRTUAL)", "INSERT INTO t VALUES (1)")
    backup = take(app, place, recorder)
    moved = move(app, backup, server15)
    with pytest.raises(RestoreFailed, match="syntax error"):
        app.restores.restore(backup.id, replace(SWAP, mode=mode, force=True), recorder)
    assert server15.sql(moved, "SELECT to_regclass('old') IS NOT NULL, to_regclass('t') IS NULL") == [(True, True)]
    names = app.server.list_databases(server15.connection)
    assert [name for name in names if name.startswith(f"{place.dbname}__pgproof")] == []


def test_a_setting_with_a_value_that_the_server_does_not_take_is_left_out_and_told(
    app: App, server18: Server, recorder: Recorder
) -> None:
    place = server18.create_database()
    server18.sql(place, *SHOP, f"ALTER DATABASE \"{place.dbname}\" SET work_mem = '7MB'")
    backup = take(app, place, recorder)
    manifest = app.storage.local_path(f"{backup.folder}/manifest.json")
    assert manifest is not None
    manifest.write_text(manifest.read_text().replace('"7MB"', '"blue"'))
    for mode in (RestoreMode.SWAP, RestoreMode.IN_PLACE):
        app.restores.restore(backup.id, replace(SWAP, mode=mode), recorder)
        assert server18.sql(place, "SELECT count(*) FROM customers") == [(100,)]
    told = [line for line in recorder.lines if 'invalid value for parameter "work_mem": "blue"' in line]
    assert len(told) == 2
