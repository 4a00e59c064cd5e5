"""A restore test answers for the backup, or says that it cannot; everything else is an error of the work."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from typing import Any, cast

import pytest

from pgproof.adapters.streams import CompressedStreams
from pgproof.domain.archive import CHECKSUMS, MANIFEST, Compression
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.domain.errors import (
    Cancelled,
    CatalogUnreachable,
    Conflict,
    PgproofError,
    PostgresError,
    RestoreFailed,
    ServerUnreachable,
    StorageDenied,
    StorageFull,
    WorkerLost,
)
from pgproof.domain.fingerprint import Difference, Fingerprint, FingerprintLevel
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.domain.properties import DatabaseProperties, Grant, Setting
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    scratch_name,
)
from pgproof.domain.secret import Secret
from pgproof.services.deleting import delete_backup
from pgproof.services.ports import Lock, PostgresServer, PostgresTools, Progress
from pgproof.services.restore_tests import RestoreTestService
from pgproof.services.restoring.work import World
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.scratch import FakePostgres, FakeScratch, FakeTools
from tests.fakes.storage import MemoryStorage

PASSED, FAILED, NOT_TESTABLE = RestoreTestOutcome
NAMED = ConnectionInfo("postgres", "tests", 5432, "tester", Secret("secret"))
HELD = Fingerprint(tables={"public.a": 3}, extensions={"plpgsql": "1.0"})
VIEW = "--\n-- Name: v; Type: VIEW; Schema: public; Owner: me\n--\n\nCREATE VIEW public.v AS SELECT 1;\n"
ARCHIVE, GLOBALS = b"the archive", b"CREATE ROLE app;\nALTER ROLE app WITH LOGIN;\n"


class Watching:
    """An observer that calls `then` when a step begins."""

    def __init__(self, step: str = "", then: Callable[[], object] = lambda: None) -> None:
        self._step, self._then = step, then
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(str(name))
        if name == self._step:
            self._then()

    def progress(self, progress: Progress) -> None: ...

    def log(self, line: str) -> None: ...


class Bench:
    """A catalog and a storage with one backup of `shop`, and the service on fakes."""

    def __init__(self, named: ConnectionInfo | None = None) -> None:
        self.catalog = MemoryCatalog()
        self.storage = MemoryStorage()
        self.clock = FakeClock()
        self.scratch = FakeScratch(named)
        self.server = FakePostgres(HELD)
        self.tools = FakeTools(VIEW, VIEW)
        self.backup = self._backup()
        self.store()

    @property
    def service(self) -> RestoreTestService:
        world = World(
            catalog=self.catalog,
            storage=self.storage,
            streams=CompressedStreams(),
            server=cast("PostgresServer", self.server),
            tools=cast("PostgresTools", self.tools),
            clock=self.clock,
        )
        return RestoreTestService(world=world, scratch=self.scratch, parallel_jobs=3)

    def test(self, **given: Any) -> RestoreTest:
        return self.service.test(self.backup.id, given.pop("observer", Watching()), **given)

    def manifest(self, **changes: Any) -> Manifest:
        objects = [(self.backup.filename, ARCHIVE), ("globals.sql", GLOBALS)]
        whole = Manifest(
            product_version="1",
            backup_id=self.backup.id,
            database="shop",
            dbname="shop",
            system_identifier="1",
            server_version="18.1",
            client_version="18.4",
            snapshot="1",
            started_at=NOW,
            completed_at=NOW,
            database_size_bytes=10**9,
            options=BackupOptions(),
            objects=tuple(
                StoredObject(name, len(content), hashlib.sha256(content).hexdigest(), Compression.NONE)
                for name, content in objects
            ),
            fingerprint=HELD,
            properties=DatabaseProperties(
                owner="app", encoding="UTF8", collate="C", ctype="C", tablespace="fast",
                settings=(Setting("work_mem", "1MB"), Setting("work_mem", "2MB", "app")),
                grants=(Grant("app", "CONNECT", False, "app"),),
            ),
            roles=("app", "reader"),
        )  # fmt: skip
        return replace(whole, **changes)

    def store(self, **changes: Any) -> None:
        manifest = self.manifest(**changes)
        files = {
            self.backup.filename: ARCHIVE,
            "globals.sql": GLOBALS,
            MANIFEST: manifest.render().encode(),
        }
        sums = "".join(f"{hashlib.sha256(content).hexdigest()} *{name}\n" for name, content in files.items())
        for name, content in {**files, CHECKSUMS: sums.encode()}.items():
            self.storage.put(f"{self.backup.folder}/{name}", [content])

    def proven_at(self) -> datetime | None:
        return self.catalog.get_backup(self.backup.id).proven_at

    def _backup(self) -> Backup:
        made = self.catalog.create_backup(
            "shop", storage_url="memory://", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
        )
        for status in (BackupStatus.RUNNING, BackupStatus.COMPLETED):
            made = self.catalog.change_backup(made.id, lambda one, status=status: replace(one, status=status))  # type: ignore[misc]
        return made


@pytest.fixture
def bench() -> Bench:
    return Bench()


def verdict(test: RestoreTest) -> tuple[Any, ...]:
    assert test.verdict is not None
    return test.verdict.outcome, test.verdict.differences, test.verdict.missing, test.verdict.error_message


# Passed


def test_a_backup_that_comes_back_as_it_was_is_proven(bench: Bench) -> None:
    bench.clock.seconds = 60
    watching = Watching()
    test = bench.test(observer=watching)
    assert verdict(test) == (PASSED, (), (), None)
    assert (test.status, test.step) == (RestoreTestStatus.COMPLETED, RestoreTestStep.DONE)
    assert bench.proven_at() == test.completed_at == bench.clock.now()
    assert bench.catalog.get_restore_test(test.id) == test
    assert watching.steps == [step for step in RestoreTestStep if step is not RestoreTestStep.DONE]
    assert list(test.timings) == watching.steps
    assert test.verdict is not None
    assert test.verdict.compared == {"tables": 1, "rows": 3, "extensions": 1, "definitions": 1}
    assert (bench.scratch.started, bench.scratch.stopped) == (1, 1)
    assert not bench.catalog.is_owned(Lock.RESTORE_TEST, test.id)
    assert "step: load" in bench.catalog.read_log(Lock.RESTORE_TEST, test.id)


def test_on_a_server_of_its_own_the_roles_come_first_and_tablespaces_stay_away(bench: Bench) -> None:
    bench.test()
    assert {"app", "reader"} <= bench.server.roles
    ((name, properties),) = bench.server.made
    assert name.startswith("pgproof_restore_test_")
    assert (properties.owner, properties.tablespace) == ("app", "pg_default")
    (request,) = bench.tools.requests
    assert (request.no_owner, request.no_acl, request.no_tablespaces) == (False, False, True)
    assert (request.jobs, request.connection.dbname) == (3, name)


def test_definitions_of_another_major_version_are_compared_by_kind_and_name_and_the_report_says_so(
    bench: Bench,
) -> None:
    bench.store(server_version="17.2", client_version="17.2")
    bench.tools.restored = VIEW.replace("SELECT 1", "SELECT 2")
    test = bench.test()
    assert test.outcome is PASSED
    assert test.verdict is not None
    assert "compared by kind and name alone" in test.verdict.remarks[0]


# Failed


def test_a_difference_is_named_and_takes_away_what_an_earlier_test_gave(bench: Bench) -> None:
    bench.test()
    assert bench.proven_at() is not None
    bench.server.restored = replace(HELD, tables={"public.a": 2})
    bench.tools.restored = ""
    test = bench.test()
    rows = Difference("table", "public.a", "3 rows", "2 rows")
    view = Difference("definition", "VIEW public.v", "CREATE VIEW public.v AS SELECT 1", None)
    assert verdict(test) == (FAILED, (rows, view), (), None)
    assert bench.proven_at() is None
    assert f"difference: {rows}" in bench.catalog.read_log(Lock.RESTORE_TEST, test.id)


@pytest.mark.parametrize(
    "failure",
    [
        RestoreFailed("pg_restore ended with exit status 1: could not read", facts={"stderr": ["last words"]}),
        PostgresError("a row does not read"),
    ],
)
def test_a_load_that_ends_with_an_error_is_a_failed_test_with_its_last_words(
    bench: Bench, failure: PgproofError
) -> None:
    bench.tools.failure = failure
    test = bench.test()
    assert verdict(test) == (FAILED, (), (), failure.detail)
    assert test.verdict is not None
    assert test.verdict.error_details == {"code": failure.code, "hint": "", **failure.facts}
    assert bench.scratch.stopped == 1


@pytest.mark.parametrize("name", [MANIFEST, CHECKSUMS, "globals.sql", "archive"])
@pytest.mark.parametrize("content", [b"damaged", None])
def test_whatever_is_damaged_or_gone_fails_the_test(bench: Bench, name: str, content: bytes | None) -> None:
    key = f"{bench.backup.folder}/{bench.backup.filename if name == 'archive' else name}"
    if content is None:
        bench.storage.delete(key)
    else:
        bench.storage.put(key, [content])
    test = bench.test()
    assert test.outcome is FAILED
    assert test.verdict is not None
    assert test.verdict.error_message
    assert bench.proven_at() is None


# Not testable


def not_testable(bench: Bench) -> tuple[str, ...]:
    test = bench.test()
    assert test.outcome is NOT_TESTABLE
    assert test.verdict is not None
    assert test.status is RestoreTestStatus.COMPLETED
    assert bench.scratch.started == bench.scratch.stopped
    return test.verdict.missing


def test_an_extension_that_the_server_does_not_offer_is_missing(bench: Bench) -> None:
    extensions = {"plpgsql": "1", "postgis": "3", "hstore": "1"}
    bench.store(fingerprint=replace(HELD, extensions=extensions))
    assert not_testable(bench) == ("extension hstore", "extension postgis")
    assert bench.server.made == []


def test_a_version_that_is_not_there_is_missing(bench: Bench) -> None:
    bench.store(server_version="19.1")
    assert not_testable(bench) == ("PostgreSQL 19 or newer",)
    named = Bench(NAMED)
    named.scratch.version = ServerVersion.parse("99.1")
    named.store(server_version="19.1")
    assert not_testable(named) == ("PostgreSQL 19 or newer (the server for tests is 18.4)",)


def test_tools_that_are_not_there_are_missing(bench: Bench) -> None:
    bench.tools.version = ServerVersion.parse("17.1")
    assert not_testable(bench) == ("no PostgreSQL client tools for a server of version 18.4",)


def test_space_that_is_not_there_is_missing_before_a_server_starts(bench: Bench) -> None:
    bench.scratch.free = 10**9
    (missing,) = not_testable(bench)
    assert missing == "space: 1.4 GB are needed, 953.7 MB are free"
    assert bench.scratch.started == 0
    bench.scratch.free = 2 * 10**9
    assert bench.test().outcome is PASSED


def test_a_backup_without_row_counts_has_nothing_to_be_compared_with(bench: Bench) -> None:
    bench.store(fingerprint=replace(HELD, tables={"public.a": None}, level=FingerprintLevel.NONE))
    assert not_testable(bench) == ("row counts of the original: the backup was taken without them",)


def test_a_role_that_may_not_create_databases_lacks_that_right() -> None:
    bench = Bench(NAMED)
    bench.server.creates = False
    assert not_testable(bench) == ('the right to create databases (the role "tester" has none)',)


def test_a_locale_that_is_not_there_is_missing(bench: Bench) -> None:
    bench.server.refusals["create_shadow"] = PostgresError('answered: invalid LC_COLLATE locale name: "de_DE"')
    assert not_testable(bench) == ("locale de_DE",)
    bench.server.refusals["create_shadow"] = PostgresError("encoding X does not match locale Y")
    assert not_testable(bench) == (
        "a database with the encoding and locale of the original: encoding X does not match locale Y",
    )


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("could not extend file: No space left on device", "space on the disk"),
        ('could not access file "$libdir/x": No such file', "library $libdir/x"),
        ("ICU is not supported in this build", "a server built with ICU"),
        (
            "compression method lz4 not supported DETAIL: This functionality requires the server to be built with lz4.",
            "a server built with lz4",
        ),
        ('could not create locale "xx": No such file', "locale xx"),
        ('extension "x" is not available', "extension x"),
        ("out of shared memory", "memory"),
    ],
)
def test_a_load_that_ends_because_of_the_place_says_nothing_about_the_backup(
    bench: Bench, said: str, missing: str
) -> None:
    bench.test()
    bench.tools.failure = RestoreFailed(f"pg_restore ended with exit status 1: {said}")
    assert not_testable(bench) == (missing,)
    assert bench.proven_at() is not None, "what an earlier test has proven stays proven"


def test_a_full_staging_folder_is_a_lack_of_space(bench: Bench) -> None:
    bench.tools.failure = cast("RestoreFailed", StorageFull("no space left in the staging folder"))
    assert not_testable(bench) == ("space: no space left in the staging folder",)


# On a server that somebody named


def test_on_a_named_server_the_database_is_dropped_and_no_role_is_made() -> None:
    bench = Bench(NAMED)
    bench.server.databases["theirs"] = 1
    bench.server.roles |= {"app", "reader"}
    test = bench.test()
    assert test.outcome is PASSED
    name = scratch_name(test.id, bench.catalog.installation())
    assert [made for made, _ in bench.server.made] == [name]
    assert bench.server.databases == {"theirs": 1}
    assert (test.database_name, test.database_oid, test.system_identifier) == (name, 101, "1")
    assert bench.tools.requests[0].no_owner is False


@pytest.mark.parametrize("superuser", [True, False])
def test_owners_and_grants_are_left_out_where_they_cannot_be_restored_and_the_report_says_why(superuser: bool) -> None:
    bench = Bench(NAMED)
    bench.server.superuser = superuser
    bench.server.roles |= set() if superuser else {"app", "reader"}
    test = bench.test()
    assert test.verdict is not None
    why = "it lacks the roles app, reader" if superuser else "our role there is no superuser"
    assert test.verdict.remarks == (f"owners and grants were left out of the test: {why}",)
    (request,) = bench.tools.requests
    assert (request.no_owner, request.no_acl) == (True, True)
    ((_, properties),) = bench.server.made
    assert (properties.owner, properties.grants) == ("tester", None)
    assert properties.settings == (Setting("work_mem", "1MB"),)


@pytest.mark.parametrize(
    ("said", "superuser", "outcome"),
    [
        ("permission denied to create extension", False, NOT_TESTABLE),
        ("permission denied to create extension", True, FAILED),
        ('role "auditor" does not exist', True, NOT_TESTABLE),
    ],
)
def test_a_right_or_a_role_that_is_missing_there_is_not_the_backups_fault(
    said: str, superuser: bool, outcome: RestoreTestOutcome
) -> None:
    bench = Bench(NAMED)
    bench.server.superuser = superuser
    bench.tools.failure = RestoreFailed(f"pg_restore ended with exit status 1: {said}")
    assert bench.test().outcome is outcome
    assert bench.server.databases == {}


# The work itself


@pytest.mark.parametrize(
    "failure",
    [
        ServerUnreachable("it went away"),
        RestoreFailed("pg_restore ended with exit status 1: server closed the connection unexpectedly"),
        RestoreFailed("pg_restore was killed by SIGKILL"),
        StorageDenied("no"),
    ],
)
def test_an_error_of_the_place_is_raised_and_says_nothing_about_the_backup(bench: Bench, failure: PgproofError) -> None:
    bench.test()
    bench.tools.failure = failure
    with pytest.raises(type(failure)):
        bench.test()
    test = bench.catalog.list_restore_tests()[0]
    assert (test.status, test.outcome, test.error_message) == (RestoreTestStatus.FAILED, None, failure.detail)
    assert bench.proven_at() is not None
    assert bench.scratch.stopped == 2


def test_a_cancelled_test_is_recorded_as_such_and_leaves_nothing() -> None:
    bench = Bench(NAMED)
    cancelled = Event()
    with pytest.raises(Cancelled):
        bench.test(cancelled=cancelled, observer=Watching("unpack", cancelled.set))
    (test,) = bench.catalog.list_restore_tests()
    assert (test.status, test.outcome) == (RestoreTestStatus.CANCELLED, None)
    assert bench.server.databases == {}
    assert "load" not in test.timings


def test_a_test_that_another_process_has_settled_ends(bench: Bench) -> None:
    def settle() -> None:
        (test,) = bench.catalog.unfinished_restore_tests()
        bench.catalog.save_restore_test(replace(test, status=RestoreTestStatus.FAILED))

    with pytest.raises(WorkerLost, match="settled it"):
        bench.test(observer=Watching("unpack", settle))
    assert bench.proven_at() is None


def test_while_a_backup_is_tested_it_can_be_restored_but_not_deleted(bench: Bench) -> None:
    seen: list[str] = []

    def meanwhile() -> None:
        with bench.catalog.own(Lock.BACKUP, bench.backup.id):  # as a restore does
            seen.append("restored")
        with pytest.raises(Conflict, match=r"restore test \d+ reads backup 1"):
            delete_backup(
                bench.catalog, bench.storage, bench.backup.id, target=BackupStatus.DELETED, now=NOW, why="a test"
            )
        seen.append("kept")

    assert bench.test(observer=Watching("load", meanwhile)).outcome is PASSED
    assert seen == ["restored", "kept"]
    delete_backup(bench.catalog, bench.storage, bench.backup.id, target=BackupStatus.DELETED, now=NOW, why="a test")


def test_a_backup_that_is_not_usable_is_not_tested(bench: Bench) -> None:
    delete_backup(bench.catalog, bench.storage, bench.backup.id, target=BackupStatus.DELETED, now=NOW, why="a test")
    with pytest.raises(Conflict, match="is deleted"):
        bench.test()
    assert bench.catalog.list_restore_tests() == []


# Settling


def lost(bench: Bench, **changes: Any) -> RestoreTest:
    test = bench.catalog.create_restore_test(bench.backup, datetime(2026, 1, 1, tzinfo=UTC))
    left = replace(test, server="PostgreSQL 18.4, tests:5432", **changes)
    bench.catalog.save_restore_test(left)
    return left


def test_a_lost_test_is_ended_without_a_word_about_the_backup(bench: Bench) -> None:
    bench.test()
    test = lost(bench)
    assert bench.service.lost() == [test]
    assert bench.service.settle(test.id) == "its process died; what it had made was removed"
    ended = bench.catalog.get_restore_test(test.id)
    assert (ended.status, ended.outcome, ended.error_details["code"]) == (RestoreTestStatus.FAILED, None, "worker_lost")
    assert bench.service.lost() == []
    assert bench.proven_at() is not None
    assert bench.service.settle(test.id) == "somebody else has settled it"


def test_a_living_test_is_not_lost(bench: Bench) -> None:
    test = lost(bench)
    with bench.catalog.own(Lock.RESTORE_TEST, test.id):
        assert bench.service.lost() == []
        with pytest.raises(Conflict):
            bench.service.settle(test.id)


@pytest.mark.parametrize("oid", [7, None])
def test_its_database_on_a_named_server_is_dropped_by_its_oid_or_while_it_is_empty(oid: int | None) -> None:
    bench = Bench(NAMED)
    bench.server.databases |= {"ours": 7, "theirs": 8}
    test = lost(bench, database_name="ours", database_oid=oid, system_identifier="1")
    bench.service.settle(test.id)
    assert bench.server.databases == {"theirs": 8}


def test_a_database_of_that_name_that_somebody_else_made_stays() -> None:
    bench = Bench(NAMED)
    bench.server.databases["ours"] = 9
    test = lost(bench, database_name="ours", database_oid=7, system_identifier="1")
    bench.service.settle(test.id)
    assert bench.server.databases == {"ours": 9}


@pytest.mark.parametrize("named", [None, NAMED])
def test_on_a_server_that_is_not_named_any_more_nothing_is_dropped_and_that_is_said(
    named: ConnectionInfo | None,
) -> None:
    bench = Bench(named)
    bench.server.system_identifier = "another"
    bench.server.databases["ours"] = 7
    test = lost(bench, database_name="ours", database_oid=7, system_identifier="1")
    line = bench.service.settle(test.id)
    assert 'look there for a database "ours", and drop it by hand' in line
    assert bench.server.databases == {"ours": 7}
    assert bench.service.lost() == []


def test_a_named_server_that_does_not_answer_leaves_the_test_for_the_next_time() -> None:
    bench = Bench(NAMED)
    bench.server.refusals["drop_database"] = ServerUnreachable("it went away")
    with pytest.raises(ServerUnreachable):
        bench.test()
    (test,) = bench.service.lost()
    bench.server.refusals.clear()
    bench.service.settle(test.id)
    assert bench.server.databases == {}


def test_a_catalog_that_goes_away_leaves_the_test_for_the_next_time(bench: Bench) -> None:
    def go() -> None:
        bench.catalog.unreachable = True

    with pytest.raises(CatalogUnreachable):
        bench.test(observer=Watching("load", go))
    bench.catalog.unreachable = False
    assert len(bench.service.lost()) == 1
