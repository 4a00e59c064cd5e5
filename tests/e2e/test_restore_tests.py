"""A backup is proven by restoring it where nobody uses it; what cannot be tested there is neither proven nor failed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest
from psycopg import sql

from pgproof.adapters.embedded.account import server_account
from pgproof.adapters.embedded.scratch import EmbeddedScratch
from pgproof.bootstrap import App
from pgproof.domain.archive import WRITTEN, Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Cancelled, Conflict, ServerUnreachable
from pgproof.domain.fingerprint import Difference, FingerprintLevel
from pgproof.domain.restore import RestoreOptions
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
)
from pgproof.domain.retention import Reason
from tests.e2e.conftest import Recorder
from tests.e2e.test_hazards import Delegate
from tests.servers import Server, connect, private_folder, to_url
from tests.strange import build as strange

PASSED, FAILED, NOT_TESTABLE = RestoreTestOutcome
PATIENCE = 60  # seconds until a test gives up waiting for something that must happen


def make_shop(server: Server) -> ConnectionInfo:
    """A small shop with an owner, grants, and a definition that is written otherwise once it was read."""
    role = server.create_role(attributes="LOGIN").user
    place = server.create_database()
    server.sql(
        place,
        "CREATE SCHEMA app",
        "CREATE TABLE app.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood varchar(9) "
        "CHECK (mood IN ('good', 'bad')))",
        "INSERT INTO app.customers (mood) SELECT 'good' FROM generate_series(1, 100)",
        "CREATE TABLE app.orders (id serial PRIMARY KEY, customer int REFERENCES app.customers)",
        "INSERT INTO app.orders (customer) SELECT 1 + i % 100 FROM generate_series(1, 300) i",
        "CREATE VIEW app.totals AS SELECT customer, count(*) AS orders FROM app.orders GROUP BY customer",
        sql.SQL("ALTER TABLE app.orders OWNER TO {}").format(sql.Identifier(role)),
        sql.SQL("GRANT SELECT ON app.customers TO {} WITH GRANT OPTION").format(sql.Identifier(role)),
        "SELECT lo_from_bytea(0, 'large')",
    )
    return place


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that the server's user can pass through, also when root runs the tests."""
    with private_folder(server_account()) as folder:
        yield folder


@pytest.fixture
def app(make_app: Callable[..., App], home: Path) -> App:
    return make_app(BACKUP_HOME=str(home))


@pytest.fixture
def shop(app: App, server: Server) -> Database:
    return app.databases.add("shop", to_url(make_shop(server)))


@pytest.fixture
def shop18(app: App, server18: Server) -> Database:
    return app.databases.add("shop", to_url(make_shop(server18)))


def back_up(app: App, database: Database, options: BackupOptions | None = None) -> Backup:
    wanted = app.backups.request(database, options or BackupOptions(), BackupTrigger.MANUAL_CLI)
    return app.backups.take(wanted.id, Recorder(), database=database)


def alter_manifest(app: App, backup: Backup, change: Callable[[dict[str, Any]], None]) -> None:
    """Write another manifest, with a matching SHA256SUMS: the bytes are whole, what they say is not."""
    path = app.storage.local_path(f"{backup.folder}/manifest.json")
    assert path is not None
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    sums = path.with_name("SHA256SUMS")
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("*manifest.json")]
    lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()} *manifest.json")
    sums.write_text("\n".join(lines) + "\n")


def scratch_folders(app: App) -> list[str]:
    root = app.settings.home / "scratch"
    return sorted(path.name for path in root.glob("test-*"))


def verdict_of(test: RestoreTest) -> tuple[Any, ...]:
    assert test.verdict is not None
    return test.verdict.outcome, test.verdict.differences, test.verdict.missing, test.verdict.error_message


def damage(app: App, backup: Backup, *, length: int) -> None:
    """Cut the stored archive, and have every checksum say that this is how it was stored."""
    path = app.storage.local_path(backup.file_path)
    assert path is not None
    path.write_bytes(path.read_bytes()[:length])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums = path.with_name("SHA256SUMS")
    lines = [line for line in sums.read_text().splitlines() if not line.endswith(backup.filename)]
    sums.write_text("\n".join([*lines, f"{digest} *{backup.filename}"]) + "\n")

    def change(body: dict[str, Any]) -> None:
        body["objects"][0] |= {"size": length, "sha256": digest}

    alter_manifest(app, backup, change)


class TestPassed:
    @pytest.mark.parametrize("level", [FingerprintLevel.COUNTS, FingerprintLevel.CONTENT])
    def test_a_good_backup_is_proven_and_production_is_not_touched(
        self, app: App, server: Server, shop: Database, level: FingerprintLevel
    ) -> None:
        backup = back_up(app, shop, BackupOptions(fingerprint=level))
        names = app.server.list_databases(server.connection)
        recorder = Recorder()
        test = app.restore_tests.test(backup.id, recorder)
        assert verdict_of(test) == (PASSED, (), (), None)
        assert test.verdict is not None
        compared = test.verdict.compared
        assert (compared["tables"], compared["rows"], compared["sequences"]) == (2, 400, 2)
        assert compared.get("digests", 0) == (2 if level is FingerprintLevel.CONTENT else 0)
        assert compared["definitions"] >= 12
        major = {15: 16}.get(server.major, server.major)
        assert test.server is not None
        assert test.server.startswith(f"PostgreSQL {major}.")
        assert any("by kind and name" in remark for remark in test.verdict.remarks) == (major != server.major)
        assert list(test.timings) == [step for step in RestoreTestStep if step is not RestoreTestStep.DONE]
        assert recorder.steps == list(test.timings)
        assert app.catalog.get_restore_test(test.id) == test
        assert app.catalog.get_backup(backup.id).proven_at == test.completed_at
        assert app.server.list_databases(server.connection) == names
        assert scratch_folders(app) == []

    @pytest.mark.parametrize(
        "server_name",
        [
            "server18",
            pytest.param("server16", marks=pytest.mark.slow),
            pytest.param("server15", marks=pytest.mark.slow),
        ],
    )
    def test_the_strangest_database_of_all_is_proven_by_its_content(
        self, app: App, request: pytest.FixtureRequest, server_name: str
    ) -> None:
        server: Server = request.getfixturevalue(server_name)
        made = strange.make(server, capable=False)
        backup = back_up(
            app,
            app.databases.add("strange", to_url(made)),
            BackupOptions(fingerprint=FingerprintLevel.CONTENT, include_logs=True, include_cache=True),
        )
        assert verdict_of(app.restore_tests.test(backup.id, Recorder())) == (PASSED, (), (), None)

    def test_what_needs_the_rights_and_memberships_of_its_owner_comes_back_without_any_of_the_roles(
        self, app: App, server18: Server, shop18: Database
    ) -> None:
        admin, reader, group = (
            server18.create_role(attributes=kind).user for kind in ("SUPERUSER", "LOGIN", "NOLOGIN")
        )
        server18.sql(
            shop18.connection,
            f'GRANT "{group}" TO "{reader}"',
            f'GRANT USAGE, CREATE ON SCHEMA app TO "{reader}"',
            f'GRANT SELECT ON app.orders TO "{group}"',
            "CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) FROM app.orders",
            f'ALTER MATERIALIZED VIEW app.counted OWNER TO "{reader}"',
            "CREATE FUNCTION quiet() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
            "CREATE EVENT TRIGGER quiet ON ddl_command_end EXECUTE FUNCTION quiet()",
            f'ALTER EVENT TRIGGER quiet OWNER TO "{admin}"',
        )
        backup = back_up(app, shop18)
        assert verdict_of(app.restore_tests.test(backup.id, Recorder())) == (PASSED, (), (), None)

    def test_any_form_of_archive_can_be_tested(self, app: App, shop18: Database) -> None:
        for form, compression in zip(WRITTEN, (Compression.NONE, Compression.GZIP), strict=True):
            backup = back_up(app, shop18, BackupOptions(format=form, compression=compression))
            assert app.restore_tests.test(backup.id, Recorder()).outcome is PASSED

    def test_a_trigger_that_fires_at_every_login_does_not_change_what_is_compared(
        self, app: App, server18: Server, shop18: Database
    ) -> None:
        server18.sql(
            shop18.connection,
            "CREATE TABLE logins (who text)",
            "CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS "
            "$$ BEGIN INSERT INTO public.logins VALUES (session_user); END $$",
            "CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION note_login()",
            "ALTER EVENT TRIGGER on_login ENABLE ALWAYS",
        )
        quiet = replace(shop18, connection=shop18.connection.with_settings({"event_triggers": "off"}))
        backup = back_up(app, quiet)
        assert app.restore_tests.test(backup.id, Recorder()).outcome is PASSED

    def test_a_proven_backup_is_kept_by_retention_as_the_last_proven_one(
        self, make_app: Callable[..., App], home: Path, server18: Server
    ) -> None:
        app = make_app(BACKUP_HOME=str(home), BACKUP_RETENTION_DAYS="1")
        shop = app.databases.add("shop", to_url(make_shop(server18)))
        first, second, third = (back_up(app, shop) for _ in range(3))
        app.restore_tests.test(first.id, Recorder())
        app.restore_tests.test(second.id, Recorder())
        (decided,) = app.expiry.plan(app.clock.now() + timedelta(days=30)).decisions.values()
        reasons = {one.backup.id: {because.reason for because in one.because} for one in decided}
        assert Reason.LAST_PROVEN in reasons[second.id]
        assert Reason.LAST_PROVEN not in reasons[first.id] | reasons[third.id]


class TestFailed:
    def test_a_count_that_is_not_what_was_recorded_names_the_table(self, app: App, shop: Database) -> None:
        backup = back_up(app, shop)
        app.restore_tests.test(backup.id, Recorder())

        def change(body: dict[str, Any]) -> None:
            body["fingerprint"]["tables"]["app.orders"] = 301

        alter_manifest(app, backup, change)
        assert app.backups.verify(backup.id, Recorder()).backup.verified_at, "the bytes are whole"
        test = app.restore_tests.test(backup.id, Recorder())
        assert verdict_of(test) == (FAILED, (Difference("table", "app.orders", "301 rows", "300 rows"),), (), None)
        assert app.catalog.get_backup(backup.id).proven_at is None, "what was proven once is not any more"
        assert scratch_folders(app) == []

    @pytest.mark.parametrize("compression", [Compression.NONE, Compression.ZSTD])
    def test_a_truncated_archive_does_not_load(self, app: App, shop18: Database, compression: Compression) -> None:
        backup = back_up(app, shop18, BackupOptions(compression=compression))
        assert backup.file_size is not None
        damage(app, backup, length=backup.file_size - 500)
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.outcome is FAILED
        assert test.verdict is not None
        assert test.verdict.error_message
        assert scratch_folders(app) == []

    def test_a_byte_that_changed_fails_the_test_on_the_way(self, app: App, shop18: Database) -> None:
        backup = back_up(app, shop18)
        path = app.storage.local_path(backup.file_path)
        assert path is not None
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.outcome is FAILED
        assert test.verdict is not None
        assert test.verdict.error_details["code"] in ("checksum_mismatch", "archive_unreadable")

    def test_rows_that_the_original_only_had_by_accident_do_not_load_and_the_tool_says_which(
        self, app: App, server18: Server, shop18: Database
    ) -> None:
        server18.sql(
            shop18.connection,
            "CREATE FUNCTION first_time() RETURNS bool LANGUAGE sql AS "
            "'SELECT NOT EXISTS (SELECT FROM pg_settings WHERE name = ''row_security'' AND setting = ''off'')'",
            "CREATE TABLE notes (line text)",
            "INSERT INTO notes VALUES ('one')",
            "ALTER TABLE notes ADD CONSTRAINT odd CHECK (public.first_time())",
        )
        backup = back_up(app, shop18)
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.outcome is FAILED
        assert test.verdict is not None
        assert "violates check constraint" in (test.verdict.error_message or "")
        assert any("odd" in line for line in test.verdict.error_details["stderr"])

    def test_an_object_that_did_not_come_back_is_named(self, app: App, shop18: Database) -> None:
        backup = back_up(app, shop18)
        tools = app.restore_tests._world.tools

        def archive_schema(client: Any, request: Any, watch: Any) -> Any:
            with connect(request.connection) as session:
                session.execute("DROP VIEW app.totals")
            return tools.archive_schema(client, request, watch)

        world = replace(app.restore_tests._world, tools=Delegate(tools, archive_schema=archive_schema))
        app.restore_tests._world = world
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.verdict is not None
        assert [str(one) for one in test.verdict.differences] == ["definition VIEW app.totals is missing"]


class TestNotTestable:
    def test_an_extension_that_the_embedded_server_lacks(self, app: App, server15: Server) -> None:
        place = server15.create_database()
        server15.sql(place, "CREATE EXTENSION hstore", "CREATE EXTENSION citext")
        backup = back_up(app, app.databases.add("extended", to_url(place)))
        test = app.restore_tests.test(backup.id, Recorder())
        assert verdict_of(test) == (NOT_TESTABLE, (), ("extension citext", "extension hstore"), None)
        assert app.catalog.get_backup(backup.id).proven_at is None
        assert scratch_folders(app) == []

    def test_what_the_embedded_server_was_not_built_with_is_found_in_what_it_says(
        self, app: App, server15: Server
    ) -> None:
        place = server15.create_database()
        server15.sql(place, "CREATE COLLATION german (PROVIDER = icu, LOCALE = 'de')")
        backup = back_up(app, app.databases.add("collated", to_url(place)))
        test = app.restore_tests.test(backup.id, Recorder())
        assert verdict_of(test) == (NOT_TESTABLE, (), ("a server built with ICU",), None)

    def test_a_version_that_is_newer_than_every_server_here(self, app: App, shop18: Database) -> None:
        backup = back_up(app, shop18)
        alter_manifest(app, backup, lambda body: body.update(server_version="97.1"))
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.outcome is NOT_TESTABLE
        assert test.verdict is not None
        assert test.verdict.missing[0].startswith("PostgreSQL 97 or newer")

    def test_a_database_that_does_not_fit_on_the_disk(self, app: App, shop18: Database) -> None:
        backup = back_up(app, shop18)
        alter_manifest(app, backup, lambda body: body.update(database_size_bytes=2**60))
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.outcome is NOT_TESTABLE
        assert test.verdict is not None
        assert test.verdict.missing[0].startswith("space: 1048576.0 TB are needed")
        assert test.server is None, "no server was started"


class TestNamedServer:
    @pytest.fixture
    def named(self, make_app: Callable[..., App], home: Path, server16: Server) -> App:
        return make_app(BACKUP_HOME=str(home), BACKUP_TEST_SERVER_URL=to_url(server16.connection))

    @pytest.fixture
    def backup(self, named: App, server16: Server) -> Backup:
        return back_up(named, named.databases.add("shop", to_url(make_shop(server16))))

    def test_one_database_is_made_there_and_dropped_and_no_other_is_touched(
        self, named: App, server16: Server, backup: Backup
    ) -> None:
        before = named.server.list_databases(server16.connection)
        roles = named.server.list_roles(server16.connection)
        seen: list[str] = []

        class Watcher(Recorder):
            def step(self, name: str) -> None:
                super().step(name)
                if name == RestoreTestStep.COMPARE_CONTENTS:
                    seen.extend(set(named.server.list_databases(server16.connection)) - set(before))

        test = named.restore_tests.test(backup.id, Watcher())
        assert verdict_of(test) == (PASSED, (), (), None)
        assert seen == [test.database_name]
        assert named.server.list_databases(server16.connection) == before
        assert named.server.list_roles(server16.connection) == roles
        assert not (named.settings.home / "scratch").exists()

    def test_where_roles_are_missing_the_rest_is_tested_and_that_is_said(
        self, make_app: Callable[..., App], home: Path, server16: Server, server18: Server
    ) -> None:
        app = make_app(BACKUP_HOME=str(home), BACKUP_TEST_SERVER_URL=to_url(server18.connection))
        backup = back_up(app, app.databases.add("shop", to_url(make_shop(server16))))
        test = app.restore_tests.test(backup.id, Recorder())
        assert test.outcome is PASSED
        assert test.verdict is not None
        assert test.verdict.remarks[0].startswith("owners and grants were left out of the test: it lacks the roles")

    def test_a_role_that_may_only_create_databases_is_enough(
        self, make_app: Callable[..., App], home: Path, server18: Server
    ) -> None:
        role = server18.create_role(attributes="LOGIN CREATEDB")
        app = make_app(BACKUP_HOME=str(home), BACKUP_TEST_SERVER_URL=to_url(role))
        backup = back_up(app, app.databases.add("shop", to_url(make_shop(server18))))
        test = app.restore_tests.test(backup.id, Recorder())
        assert verdict_of(test) == (PASSED, (), (), None)

    def test_a_server_that_does_not_answer_is_an_error_and_no_verdict(
        self, make_app: Callable[..., App], home: Path, server18: Server
    ) -> None:
        app = make_app(BACKUP_HOME=str(home), BACKUP_TEST_SERVER_URL="postgresql://nobody@127.0.0.1:1/postgres")
        backup = back_up(app, app.databases.add("shop", to_url(make_shop(server18))))
        with pytest.raises(ServerUnreachable):
            app.restore_tests.test(backup.id, Recorder())
        (test,) = app.catalog.list_restore_tests()
        assert (test.status, test.outcome) == (RestoreTestStatus.FAILED, None)


class TestWhileItRuns:
    def test_a_cancelled_test_leaves_no_server(self, app: App, shop18: Database) -> None:
        backup = back_up(app, shop18)
        cancelled = Event()

        class Canceller(Recorder):
            def step(self, name: str) -> None:
                super().step(name)
                if name == RestoreTestStep.LOAD:
                    cancelled.set()

        with pytest.raises(Cancelled):
            app.restore_tests.test(backup.id, Canceller(), cancelled=cancelled)
        (test,) = app.catalog.list_restore_tests()
        assert (test.status, test.outcome) == (RestoreTestStatus.CANCELLED, None)
        assert scratch_folders(app) == []

    def test_the_backup_can_be_restored_and_not_deleted(self, app: App, server18: Server, shop18: Database) -> None:
        backup = back_up(app, shop18)
        server18.sql(shop18.connection, "DROP SCHEMA app CASCADE")
        done: list[object] = []

        class Restorer(Recorder):
            def step(self, name: str) -> None:
                super().step(name)
                if name == RestoreTestStep.LOAD:
                    with pytest.raises(Conflict, match="restore test"):
                        app.backups.delete(backup.id)
                    done.append(app.restores.restore(backup.id, RestoreOptions(create_safety_backup=False), Recorder()))

        test = app.restore_tests.test(backup.id, Restorer())
        assert test.outcome is PASSED
        assert server18.sql(shop18.connection, "SELECT count(*) FROM app.orders") == [(300,)]
        assert len(done) == 1

    def test_two_tests_at_once_do_not_meet(self, app: App, make_app: Callable[..., App], shop18: Database) -> None:
        backup = back_up(app, shop18)
        inner: list[RestoreTest] = []

        class Another(Recorder):
            def step(self, name: str) -> None:
                super().step(name)
                if name == RestoreTestStep.LOAD:
                    inner.append(app.restore_tests.test(backup.id, Recorder()))
                    assert len(scratch_folders(app)) == 1, "and the one that runs was not taken for abandoned"
                    assert make_app(BACKUP_HOME=str(app.settings.home)).settled == []

        assert app.restore_tests.test(backup.id, Another()).outcome is PASSED
        assert [test.outcome for test in inner] == [PASSED]


class TestKilled:
    @pytest.fixture
    def environ(self, tmp_path: Path, home: Path, server18: Server) -> dict[str, str]:
        return {
            "BACKUP_HOME": str(home),
            "BACKUP_DIR": str(tmp_path / "backups"),
            "BACKUP_CATALOG_URL": to_url(server18.create_database()),
        }

    @staticmethod
    def kill(environ: dict[str, str], backup: Backup, step: str) -> None:
        child = subprocess.run(
            [sys.executable, "-m", "tests.e2e.killed", "restore-test", str(backup.id), step],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
        )
        assert child.returncode == -signal.SIGKILL, child.stderr

    @pytest.mark.parametrize(
        "step",
        [
            pytest.param(step, marks=[] if step is RestoreTestStep.LOAD else pytest.mark.slow)
            for step in RestoreTestStep
            if step is not RestoreTestStep.DONE
        ],
    )
    def test_a_killed_test_leaves_no_server_no_folder_and_no_verdict(
        self, make_app: Callable[..., App], environ: dict[str, str], home: Path, server18: Server, step: str
    ) -> None:
        app = make_app(**environ)
        backup = back_up(app, app.databases.add("shop", to_url(make_shop(server18))))
        self.kill(environ, backup, step)
        started = step not in (RestoreTestStep.PREFLIGHT, RestoreTestStep.START_SERVER)
        assert len(scratch_folders(app)) == (1 if started else 0)
        assert bool(servers_below(home)) == started, "nothing but the next start could have ended it"
        again = make_app(**environ)
        (test,) = again.catalog.list_restore_tests()
        assert f"restore test {test.id}: its process died; what it had made was removed" in again.settled
        assert (test.status, test.outcome) == (RestoreTestStatus.FAILED, None)
        assert test.error_details["code"] == "worker_lost"
        assert scratch_folders(again) == []
        assert servers_below(home) == []
        assert again.catalog.get_backup(backup.id).proven_at is None
        assert again.restore_tests.test(backup.id, Recorder()).outcome is PASSED

    def test_a_test_that_was_killed_while_its_server_was_being_made_leaves_nothing_for_long(
        self, make_app: Callable[..., App], environ: dict[str, str], home: Path, server18: Server
    ) -> None:
        app = make_app(**environ)
        backup = back_up(app, app.databases.add("shop", to_url(make_shop(server18))))
        child = subprocess.Popen(
            [sys.executable, "-m", "pgproof", "restore-test", str(backup.id)],
            env={**os.environ, **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: list((home / "scratch").glob("test-*/data.*.partial/base")))
        child.kill()
        child.wait()
        make_app(**environ)
        again = EmbeddedScratch(home / "scratch")
        wait_until(lambda: not (again.remove_abandoned() or scratch_folders(app) or servers_below(home)))
        (test,) = app.catalog.list_restore_tests()
        assert (test.status, test.outcome) == (RestoreTestStatus.FAILED, None)

    @pytest.mark.parametrize("step", ["create_database", "unpack", "load", "compare_contents", "clean_up"])
    def test_on_a_named_server_its_database_goes_with_the_next_start(
        self, make_app: Callable[..., App], environ: dict[str, str], server16: Server, server18: Server, step: str
    ) -> None:
        environ["BACKUP_TEST_SERVER_URL"] = to_url(server18.connection)
        app = make_app(**environ)
        backup = back_up(app, app.databases.add("shop", to_url(make_shop(server16))))
        before = app.server.list_databases(server18.connection)
        self.kill(environ, backup, step)
        left = set(app.server.list_databases(server18.connection)) - set(before)
        assert len(left) == (0 if step == "create_database" else 1)
        again = make_app(**environ)
        assert "restore test 1: its process died; what it had made was removed" in again.settled
        assert again.server.list_databases(server18.connection) == before


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def servers_below(home: Path) -> list[int]:
    """Processes whose data lies below this folder."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(home) in word for word in process.info["cmdline"] or ())
    ]
