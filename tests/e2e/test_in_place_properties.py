"""A restore in place brings back what belongs to the database itself, and what PostgreSQL's own objects may."""

from dataclasses import replace

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.restore import RestoreMode, RestoreOptions
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url
from tests.strange import equality

IN_PLACE = RestoreOptions(mode=RestoreMode.IN_PLACE, create_safety_backup=False)


def take(app: App, place: ConnectionInfo, recorder: Recorder) -> Backup:
    database = app.databases.resolve(to_url(place))
    return app.backups.back_up(database, BackupOptions(), BackupTrigger.MANUAL_CLI, recorder)


@pytest.fixture
def roles(server: Server) -> tuple[str, str]:
    return server.create_role().user, server.create_role().user


BEFORE = (
    "COMMENT ON DATABASE {} IS 'it''s ours; 100%'",
    "ALTER DATABASE {} CONNECTION LIMIT 40",
    "ALTER DATABASE {} SET work_mem = '7MB'",
    "ALTER DATABASE {} SET search_path = 'a, b', public",
    "ALTER DATABASE {} SET my.setting = '%s'",
    "ALTER ROLE {one} IN DATABASE {} SET statement_timeout = '5min'",
    "REVOKE ALL ON DATABASE {} FROM PUBLIC",
    "GRANT CONNECT, CREATE ON DATABASE {} TO {one} WITH GRANT OPTION",
    "SET SESSION AUTHORIZATION {one}",
    "GRANT CREATE ON DATABASE {} TO {two}",
    "RESET SESSION AUTHORIZATION",
    "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC",
    "GRANT SELECT (rolname) ON pg_catalog.pg_authid TO {one}",
    "GRANT CREATE ON SCHEMA public TO {two}",
    "CREATE TABLE t (a int)",
    "INSERT INTO t VALUES (1)",
)
AFTER = (
    "ALTER DATABASE {} OWNER TO {two}",
    "COMMENT ON DATABASE {} IS NULL",
    "ALTER DATABASE {} CONNECTION LIMIT 3",
    "ALTER DATABASE {} RESET search_path",
    "ALTER DATABASE {} SET work_mem = '9MB'",
    "ALTER DATABASE {} SET maintenance_work_mem = '90MB'",
    "ALTER ROLE {one} IN DATABASE {} RESET ALL",
    "ALTER ROLE {two} IN DATABASE {} SET work_mem = '1MB'",
    "REVOKE ALL ON DATABASE {} FROM {one} CASCADE",
    "GRANT ALL ON DATABASE {} TO PUBLIC",
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) TO PUBLIC",
    "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep_for(interval) FROM PUBLIC",
    "REVOKE SELECT (rolname) ON pg_catalog.pg_authid FROM {one}",
    "GRANT SELECT ON pg_catalog.pg_authid TO {two}",
    "REVOKE ALL ON pg_catalog.pg_class FROM PUBLIC",
    "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
    "REVOKE USAGE ON TYPE pg_catalog.int4 FROM PUBLIC",
    "REVOKE CREATE ON SCHEMA public FROM {two}",
    "GRANT ALL ON SCHEMA public TO PUBLIC",
    "ALTER SCHEMA public OWNER TO {one}",
    "COMMENT ON SCHEMA public IS 'mine'",
    "UPDATE t SET a = 2",
)

SETTINGS = """
    SELECT setrole, unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = current_database() ORDER BY 1, 2
"""


def run(server: Server, place: ConnectionInfo, statements: tuple[str, ...], one: str, two: str) -> None:
    name = f'"{place.dbname}"'
    filled = (each.replace("{}", name).replace("{one}", f'"{one}"').replace("{two}", f'"{two}"') for each in statements)
    server.sql(place, *filled)


def test_all_that_was_changed_since_the_backup_is_as_it_was(
    app: App, server: Server, roles: tuple[str, str], recorder: Recorder
) -> None:
    place = server.create_database()
    run(server, place, BEFORE, *roles)
    before, recorded = equality.portrait(server.bin, place), server.sql(place, SETTINGS)
    backup = take(app, place, recorder)
    run(server, place, AFTER, *roles)
    changed = equality.differences(before, equality.portrait(server.bin, place))
    assert len(changed) > 10
    settings = server.sql(place, SETTINGS)
    app.restores.restore(backup.id, IN_PLACE, recorder)
    after = equality.differences(before, equality.portrait(server.bin, place))
    # A setting that is set anew is the last of its list, whose order means nothing.
    assert [line for line in after if not line.startswith("database settings")] == []
    assert server.sql(place, SETTINGS) == recorded != settings
    assert [line for line in recorder.lines if "left as it was" in line] == []


def test_a_failed_restore_in_place_changes_nothing_of_it(
    app: App, server: Server, roles: tuple[str, str], recorder: Recorder
) -> None:
    place = server.create_database()
    run(server, place, BEFORE, *roles)
    backup = take(app, place, recorder)
    run(server, place, AFTER, *roles)
    before = equality.portrait(server.bin, place)
    manifest = app.storage.local_path(f"{backup.folder}/manifest.json")
    assert manifest is not None
    manifest.write_text(manifest.read_text().replace('"public.t": 1', '"public.t": 3'))
    with pytest.raises(Exception, match=r"differs|SHA256SUMS"):
        app.restores.restore(backup.id, IN_PLACE, recorder)
    assert equality.differences(before, equality.portrait(server.bin, place)) == []


@pytest.mark.parametrize("had_one", [True, False])
def test_the_schema_public_is_there_if_it_was(app: App, server: Server, recorder: Recorder, had_one: bool) -> None:
    place = server.create_database()
    drop, create = "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"
    server.sql(place, "CREATE SCHEMA app", "CREATE TABLE app.t (a int)", *([] if had_one else [drop]))
    before = equality.portrait(server.bin, place)
    backup = take(app, place, recorder)
    server.sql(place, drop if had_one else create)
    app.restores.restore(backup.id, IN_PLACE, recorder)
    assert equality.differences(before, equality.portrait(server.bin, place)) == []


def test_with_no_owner_and_no_acl_owner_and_grants_stay_as_they_are_and_settings_come_back(
    app: App, server: Server, roles: tuple[str, str], recorder: Recorder
) -> None:
    one, two = roles
    place = server.create_database()
    run(server, place, BEFORE, one, two)
    backup = take(app, place, recorder)
    run(server, place, AFTER, one, two)
    app.restores.restore(backup.id, replace(IN_PLACE, no_owner=True, no_acl=True), recorder)
    found = server.sql(
        place,
        "SELECT pg_get_userbyid(datdba), datconnlimit, has_database_privilege('public', oid, 'CREATE') "
        "FROM pg_database WHERE datname = current_database()",
    )
    assert found == [(two, 40, True)]
    settings = "SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM "
    settings += "pg_database WHERE datname = current_database()) ORDER BY 1"
    assert server.sql(place, settings) == [
        ("-", ["work_mem=7MB", "my.setting=%s", 'search_path="a, b", public']),
        (two, ["work_mem=1MB"]),
    ]


def test_what_our_role_may_not_change_is_told_and_the_rest_comes_back(
    app: App, server: Server, roles: tuple[str, str], recorder: Recorder
) -> None:
    role, place = server.create_role(), server.create_database()
    mine = replace(place, user=role.user, password=role.password)
    name = f'"{place.dbname}"'
    server.sql(
        place, f'ALTER DATABASE {name} OWNER TO "{role.user}"', f"ALTER DATABASE {name} SET log_statement = 'all'"
    )
    server.sql(mine, f"ALTER DATABASE {name} SET work_mem = '7MB'", "CREATE TABLE t (a int)")
    backup = take(app, mine, recorder)
    server.sql(
        place,
        f"ALTER DATABASE {name} SET log_statement = 'none'",
        f"ALTER DATABASE {name} SET work_mem = '9MB'",
        "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC",
    )
    app.restores.restore(backup.id, IN_PLACE, recorder)
    told = [line for line in recorder.lines if "left as it was" in line]
    assert len(told) == 2
    assert any("log_statement" in line and "permission denied" in line for line in told)
    assert any("pg_sleep" in line for line in told)
    settings = "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
    settings += "WHERE d.datname = current_database() ORDER BY 1"
    assert server.sql(place, settings) == [("log_statement=none",), ("work_mem=7MB",)]
