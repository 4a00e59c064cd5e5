"""The doctor: finds what would fail later, and one failure hides no other."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Database, Server, ServerVersion
from pgproof.domain.errors import ClientMissing, PrivilegeMissing, ServerUnreachable, StorageDenied
from pgproof.domain.obstacles import Obstacles, PreparedTransaction
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore import RestoreOptions, new_restore
from pgproof.entrypoints.cli.exit_codes import exit_code
from pgproof.services import doctor
from pgproof.services.databases import DatabaseCheck, DatabaseService
from pgproof.services.doctor import Finding, Outcome
from pgproof.services.ports import BackupFilter, ClientTools, DatabaseFacts, PostgresTools, Relation
from pgproof.services.recovery import RecoveryService
from tests.command_line import NOW
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage

GB = 1024**3
FACTS = DatabaseFacts(
    size=1000,
    tables=(Relation(oid=1, schema="public", table="a", name="a"),),
    sequences=(),
    extensions={},
    roles=(),
    unreadable=(),
    large_objects=0,
    properties=DatabaseProperties(owner="app", encoding="UTF8", collate="C", ctype="C"),
    holds_catalog=False,
)
SERVER = Server(
    version=ServerVersion.parse("18.4"),
    system_identifier="1",
    role='we"ird',
    is_superuser=False,
    can_create_databases=True,
)


def client(version: str, origin: str = "PATH") -> ClientTools:
    return ClientTools(ServerVersion.parse(version), Path("/usr/bin"), origin)


@dataclass
class Tools:
    found: list[ClientTools]

    def clients(self) -> list[ClientTools]:
        return self.found


@dataclass
class Databases:
    server: Server = SERVER
    facts: DatabaseFacts = FACTS
    tools: ClientTools = field(default_factory=lambda: client("18.4"))
    obstacles: Obstacles = field(default_factory=Obstacles)

    def check(self, name: str | None) -> DatabaseCheck:
        place = Database(1, name or "shop", ConnectionInfo("shop", "db"))
        return DatabaseCheck(place, self.server, self.facts, self.tools, self.obstacles)


def outcomes(findings: Iterator[Finding]) -> list[tuple[str, Outcome]]:
    return [(finding.check, finding.outcome) for finding in findings]


def look_at(databases: Databases) -> list[Finding]:
    return list(doctor.look_at_database(cast("DatabaseService", databases), None))


def problems(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.outcome is not Outcome.OK]


def test_a_failure_ends_its_own_check_and_keeps_what_was_found_before() -> None:
    def look() -> Iterator[Finding]:
        yield Finding("a", Outcome.OK, "so far so good")
        raise ServerUnreachable("no answer", hint="Start it.")

    found = doctor.examine("a", look)
    assert found == [Finding("a", Outcome.OK, "so far so good"), Finding("a", Outcome.FAIL, "no answer", "Start it.")]
    assert isinstance(found[1].error, ServerUnreachable)


def test_even_a_defect_does_not_hide_the_other_checks() -> None:
    def look() -> Iterator[Finding]:
        yield from ()
        raise ZeroDivisionError("oops")

    (found,) = doctor.examine("a", look)
    assert found.outcome is Outcome.FAIL
    assert "ZeroDivisionError: oops" in found.detail


def test_a_storage_that_refuses_is_a_failure() -> None:
    storage = MemoryStorage()
    storage.denied = True
    (found,) = doctor.examine("storage", lambda: doctor.look_at_storage(storage, None, GB))
    assert (found.outcome, type(found.error)) == (Outcome.FAIL, StorageDenied)


def test_little_space_is_a_warning() -> None:
    assert outcomes(doctor.look_at_storage(MemoryStorage(capacity=100), None, GB)) == [
        ("storage", Outcome.OK),
        ("space", Outcome.WARN),
    ]
    assert outcomes(doctor.look_at_storage(MemoryStorage(capacity=2 * GB), None, GB))[-1] == ("space", Outcome.OK)
    assert outcomes(doctor.look_at_storage(MemoryStorage(), None, GB))[-1] == ("space", Outcome.OK)


def catalog_with_a_backup(size: int) -> MemoryCatalog:
    catalog = MemoryCatalog()
    made = catalog.create_backup(
        "shop", storage_url="memory://", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    running = replace(made, status=BackupStatus.RUNNING)
    catalog.save_backup(running, expected=BackupStatus.PENDING)
    done = replace(running, status=BackupStatus.COMPLETED, file_size=size, completed_at=NOW)
    catalog.save_backup(done, expected=BackupStatus.RUNNING)
    return catalog


def test_space_for_another_backup_like_the_last_one_is_asked_for() -> None:
    storage = MemoryStorage(capacity=9 * GB)
    assert outcomes(doctor.look_at_storage(storage, catalog_with_a_backup(5 * GB), 100 * GB))[-1][1] is Outcome.WARN
    assert outcomes(doctor.look_at_storage(storage, catalog_with_a_backup(4 * GB), 100 * GB))[-1][1] is Outcome.OK


def test_more_backups_than_wanted_are_a_warning() -> None:
    found = list(doctor.look_at_storage(MemoryStorage(), catalog_with_a_backup(5 * GB), 4 * GB))
    assert any("BACKUP_MAX_SIZE_GB" in finding.detail for finding in problems(found))
    assert not problems(list(doctor.look_at_storage(MemoryStorage(), catalog_with_a_backup(5 * GB), 5 * GB)))


def test_sizes_are_told_in_units_that_fit_them() -> None:
    (*_, found) = doctor.look_at_storage(MemoryStorage(capacity=300 * 1024**2), None, GB)
    assert found.detail == "only 300.0 MB are free"
    (found,) = problems(list(doctor.look_at_storage(MemoryStorage(), catalog_with_a_backup(5 * 1024), 1024)))
    assert found.detail == "the backups take 5.0 kB, more than BACKUP_MAX_SIZE_GB"


def test_backups_that_lie_in_another_storage_are_a_warning_that_says_where() -> None:
    catalog = catalog_with_a_backup(1)
    catalog.change_backup(1, lambda backup: replace(backup, storage_url="file:///tmp/backups"))
    (found,) = problems(list(doctor.look_at_storage(MemoryStorage(), catalog, GB)))
    assert found.outcome is Outcome.WARN
    assert found.detail == "1 backup of the catalog lies elsewhere: file:///tmp/backups"
    assert "BACKUP_DIR" in found.hint


def test_no_client_is_a_failure() -> None:
    (found,) = doctor.look_at_tools(cast("PostgresTools", Tools([])))
    assert (found.outcome, type(found.error)) == (Outcome.FAIL, ClientMissing)


def test_a_client_with_a_known_fault_is_a_warning_and_a_failure_where_it_would_be_used() -> None:
    tools = Tools([client("18.1"), client("17.6")])
    assert outcomes(doctor.look_at_tools(cast("PostgresTools", tools))) == [
        ("tools", Outcome.WARN),
        ("tools", Outcome.OK),
    ]
    (found,) = problems(look_at(Databases(tools=client("18.1"))))
    assert (found.outcome, type(found.error)) == (Outcome.FAIL, ClientMissing)
    assert "18.2" in found.hint


def test_the_limits_of_the_embedded_client_are_told() -> None:
    (found,) = doctor.look_at_tools(cast("PostgresTools", Tools([client("18.4", "embedded")])))
    assert "without TLS" in found.detail
    assert "without zstd" in found.detail


def test_a_database_in_order_has_no_problems() -> None:
    assert problems(look_at(Databases())) == []
    assert [finding.check for finding in look_at(Databases())] == ["database", "rights"]


def test_a_database_that_does_not_answer_is_named() -> None:
    class Silent:
        def check(self, name: str | None) -> DatabaseCheck:
            raise ServerUnreachable("unable to reach server db:5432", hint="Start it.")

    (found,) = doctor.look_at_database(cast("DatabaseService", Silent()), "shop")
    assert (found.outcome, found.detail, found.hint) == (
        Outcome.FAIL,
        "shop: unable to reach server db:5432",
        "Start it.",
    )
    assert isinstance(found.error, ServerUnreachable)


def test_what_the_role_may_not_read_is_a_failure_with_the_statement_that_helps() -> None:
    (found,) = problems(look_at(Databases(facts=replace(FACTS, unreadable=("a", "b")))))
    assert found.outcome is Outcome.FAIL
    assert found.detail == 'the role "we"ird" may not read 2 objects: a, b'
    assert isinstance(found.error, PrivilegeMissing)
    older = replace(SERVER, version=ServerVersion.parse("13.20"))
    assert "GRANT SELECT" in problems(look_at(Databases(older, replace(FACTS, unreadable=("a",)))))[0].hint
    assert exit_code(found.error) == 10
    assert found.hint == 'Run in that database: GRANT pg_read_all_data TO "we""ird";'


def test_a_role_that_cannot_restore_is_a_warning() -> None:
    (found,) = problems(look_at(Databases(server=replace(SERVER, can_create_databases=False))))
    assert (found.check, found.outcome) == ("rights", Outcome.WARN)
    assert found.hint == 'Run as a superuser: ALTER ROLE "we""ird" CREATEDB;'


def test_a_catalog_inside_the_protected_database_is_a_warning() -> None:
    (found,) = problems(look_at(Databases(facts=replace(FACTS, holds_catalog=True))))
    assert (found.check, found.outcome) == ("database", Outcome.WARN)


@pytest.mark.parametrize("lost", [0, 1])
def test_jobs_that_were_left_behind_are_a_warning(lost: int) -> None:
    backups = catalog_with_a_backup(1).list_backups(BackupFilter())[:lost]

    class Recovery:
        def lost(self) -> tuple[Any, Any]:
            return backups, []

    found = outcomes(doctor.look_for_lost_jobs(cast("RecoveryService", Recovery())))
    assert found == [("jobs", Outcome.WARN if lost else Outcome.OK)]


def test_a_restore_that_was_left_behind_comes_with_the_way_out() -> None:
    backup = catalog_with_a_backup(1).list_backups(BackupFilter())[0]

    class Recovery:
        def lost(self) -> tuple[Any, Any]:
            return [], [new_restore(12, backup, "shop", RestoreOptions(), NOW)]

    (found,) = doctor.look_for_lost_jobs(cast("RecoveryService", Recovery()))
    assert (found.outcome, found.detail) == (Outcome.WARN, "the process that worked on restore 12 died")
    assert found.hint.endswith("pgproof abandon 12")


def test_a_catalog_that_answers_is_in_order() -> None:
    (found,) = doctor.look_at_catalog(catalog_with_a_backup(1))
    assert found.outcome is Outcome.OK
    assert "usable backups: 1" in found.detail


def test_what_would_refuse_a_restore_is_a_warning_with_the_command_that_takes_it_away() -> None:
    held = Obstacles("app", prepared=(PreparedTransaction("it's", "app"),), subscriptions=("feed",))
    first, second = problems(look_at(Databases(obstacles=held)))
    assert (first.check, first.outcome) == ("restore", Outcome.WARN)
    assert first.detail == 'a restore by swap would be refused because of the prepared transaction "it\'s" of "app"'
    assert first.hint == "ROLLBACK PREPARED 'it''s'; or COMMIT PREPARED 'it''s'; in \"shop\""
    assert second.hint == 'ALTER SUBSCRIPTION "feed" DISABLE; in "shop"'
