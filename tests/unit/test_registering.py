"""A database has one name, whatever addresses lead to it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.errors import AuthenticationFailed, Conflict, NotFound, ServerUnreachable
from pgproof.domain.job import JobKind, JobStatus, NewJob
from pgproof.domain.restore import RestoreOptions, RestoreStatus
from pgproof.domain.secret import Secret
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import Lock, PostgresServer, PostgresTools
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.jobs import MemoryJobRecords

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
SHOP = ConnectionInfo("shop", "localhost", 5432, "app", Secret("right"))
# The same server by three addresses; a copy of its files that runs somewhere else; one that is down.
ADDRESSES = {
    "localhost": ("71", NOON),
    "127.0.0.1": ("71", NOON),
    "/run/postgresql": ("71", NOON),
    "staging": ("71", NOON.replace(hour=13)),
    "elsewhere": ("72", NOON),
}


class Servers:
    """They let everybody in who knows the password `right`; `asked` counts who was asked by which address."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def identify(self, connection: ConnectionInfo) -> Server:
        self.asked.append(connection.host)
        if connection.host not in ADDRESSES:
            raise ServerUnreachable("no answer", hint="Start it.")
        if connection.password != SHOP.password:
            raise AuthenticationFailed("no", hint="The password is right.")
        identifier, started_at = ADDRESSES[connection.host]
        version = ServerVersion.parse("18.4")
        return Server(version, identifier, "app", is_superuser=True, can_create_databases=True, started_at=started_at)

    def parse_url(self, url: str) -> ConnectionInfo:
        """`host/dbname`, with the right password; `password@host/dbname` with another."""
        password, at, place = url.removeprefix("postgresql://").rpartition("@")
        host, _, dbname = place.rpartition("/")
        return ConnectionInfo(dbname, host, 5432, "app", Secret(password if at else "right"))


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def databases(catalog: MemoryCatalog, servers: Servers) -> DatabaseService:
    return service(catalog, servers)


def service(catalog: MemoryCatalog, servers: Servers, configured: ConnectionInfo | None = None) -> DatabaseService:
    return DatabaseService(catalog, cast("PostgresServer", servers), cast("PostgresTools", None), configured)


@pytest.mark.parametrize("again", ["localhost/shop", "127.0.0.1/shop", "/run/postgresql/shop"])
def test_a_second_name_is_refused_and_the_first_one_told(
    catalog: MemoryCatalog, databases: DatabaseService, again: str
) -> None:
    databases.add("the shop", "localhost/shop")
    with pytest.raises(Conflict, match='registered already, as "the shop"') as refused:
        databases.add("other", again)
    assert "pgproof database update 'the shop' URL" in refused.value.hint
    assert [one.name for one in catalog.list_databases()] == ["the shop"]


@pytest.mark.parametrize("other", ["localhost/shop2", "elsewhere/shop", "staging/shop"])
def test_another_database_another_server_and_a_copy_of_a_server_are_others(
    databases: DatabaseService, other: str
) -> None:
    databases.add("shop", "localhost/shop")
    assert databases.add("other", other).name == "other"


def test_only_databases_of_the_same_name_are_asked_who_they_are(databases: DatabaseService, servers: Servers) -> None:
    databases.add("shop", "localhost/shop")
    databases.add("other", "elsewhere/other")
    servers.asked.clear()
    databases.add("third", "staging/third")
    assert servers.asked == ["staging"]


def test_one_that_is_down_keeps_nobody_from_registering(catalog: MemoryCatalog, databases: DatabaseService) -> None:
    catalog.add_database("down", replace(SHOP, host="nowhere"))
    assert databases.add("shop", "localhost/shop").name == "shop"


def test_a_url_by_another_address_means_the_registered_database(
    catalog: MemoryCatalog, databases: DatabaseService
) -> None:
    first = databases.add("my shop", "localhost/shop")
    found = databases.resolve("postgresql://127.0.0.1/shop")
    assert (found.id, found.name, found.connection.host) == (first.id, "my shop", "127.0.0.1")
    assert catalog.list_databases() == [first]


def test_the_settings_by_another_address_mean_the_registered_database(
    catalog: MemoryCatalog, servers: Servers, databases: DatabaseService
) -> None:
    first = databases.add("my shop", "localhost/shop")
    found = service(catalog, servers, replace(SHOP, host="127.0.0.1")).resolve(None)
    assert (found.id, found.name, found.connection.host) == (first.id, "my shop", "127.0.0.1")
    assert catalog.list_databases() == [first]


def test_a_new_password_is_stored_under_the_same_name(catalog: MemoryCatalog, databases: DatabaseService) -> None:
    first = catalog.add_database("shop", replace(SHOP, password=Secret("old")))
    updated = databases.update("shop", "localhost/shop")
    assert (updated.id, updated.connection.password) == (first.id, SHOP.password)
    assert catalog.get_database("shop") == updated


def test_a_password_that_the_server_refuses_is_not_stored(catalog: MemoryCatalog, databases: DatabaseService) -> None:
    before = databases.add("shop", "localhost/shop")
    with pytest.raises(AuthenticationFailed):
        databases.update("shop", "wrong@localhost/shop")
    assert catalog.get_database("shop") == before


def test_a_database_can_move_but_not_onto_another_one(catalog: MemoryCatalog, databases: DatabaseService) -> None:
    databases.add("shop", "localhost/shop")
    databases.add("other", "elsewhere/shop")
    with pytest.raises(Conflict, match='as "other"'):
        databases.update("shop", "elsewhere/shop")
    assert databases.update("shop", "staging/shop").connection.host == "staging"
    assert databases.update("shop", "staging/shop").connection.host == "staging"


def test_nothing_moves_while_somebody_works_on_it(catalog: MemoryCatalog, databases: DatabaseService) -> None:
    before = databases.add("shop", "localhost/shop")
    with catalog.own(Lock.DATABASE, before.id), pytest.raises(Conflict, match="another process"):
        databases.update("shop", "staging/shop")
    assert catalog.get_database("shop") == before


def test_what_is_not_registered_cannot_be_updated(databases: DatabaseService) -> None:
    with pytest.raises(NotFound):
        databases.update("shop", "localhost/shop")


@pytest.mark.parametrize("status", [RestoreStatus.RUNNING, RestoreStatus.UNDOING])
def test_an_address_is_not_changed_while_only_its_server_knows_what_became_of_a_restore(
    catalog: MemoryCatalog, databases: DatabaseService, status: RestoreStatus
) -> None:
    databases.add("shop", "localhost/shop")
    backup = catalog.create_backup(
        "shop", storage_url="/b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOON
    )
    restore = catalog.create_restore(backup, "shop", RestoreOptions(), NOON)
    catalog.save_restore(replace(restore, status=status))
    with pytest.raises(Conflict, match=f"restore {restore.id} of") as refused:
        databases.update("shop", "elsewhere/shop")
    assert f"pgproof abandon {restore.id}" in refused.value.hint
    assert databases.list()[0].connection.host == "localhost"
    databases.update("shop", group="near")
    databases.update("shop", "localhost/shop")
    catalog.save_restore(replace(restore, status=RestoreStatus.FAILED))
    databases.update("shop", "elsewhere/shop")
    assert databases.list()[0].connection.host == "elsewhere"


@pytest.mark.parametrize("kind", [JobKind.BACKUP, JobKind.RESTORE, JobKind.UNDO])
@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING])
def test_a_database_that_a_job_needs_is_not_removed(
    catalog: MemoryCatalog, servers: Servers, kind: JobKind, status: JobStatus
) -> None:
    records = MemoryJobRecords(catalog)
    databases = DatabaseService(
        catalog, cast("PostgresServer", servers), cast("PostgresTools", None), None, None, records
    )
    databases.add("shop", "localhost/shop")
    job = records.add_job(NewJob(kind, "ann", NOON, database="shop", subject_id=1))
    if status is JobStatus.RUNNING:
        records.save_job(replace(job, status=status), expected=JobStatus.QUEUED)
    with pytest.raises(Conflict, match=rf"1 job of \"shop\" has not ended: job 1 \({kind}, {status}\)") as refused:
        databases.remove("shop")
    assert refused.value.hint.endswith("pgproof job cancel 1")
    assert [one.name for one in databases.list()] == ["shop"]
    records.save_job(replace(job, status=JobStatus.FAILED), expected=status)
    records.add_job(NewJob(JobKind.VERIFY, "ann", NOON, database="shop", subject_id=1))
    records.add_job(NewJob(kind, "ann", NOON, database="crm", subject_id=2))
    databases.remove("shop")
    assert databases.list() == []


def test_a_database_is_not_removed_while_a_restore_has_not_ended(
    catalog: MemoryCatalog, databases: DatabaseService
) -> None:
    databases.add("shop", "localhost/shop")
    backup = catalog.create_backup(
        "shop", storage_url="/b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOON
    )
    restore = catalog.create_restore(backup, "shop", RestoreOptions(), NOON)
    with pytest.raises(Conflict, match=f"restore {restore.id}"):
        databases.remove("shop")
    catalog.save_restore(replace(restore, status=RestoreStatus.FAILED))
    databases.remove("shop")
    with pytest.raises(NotFound):
        databases.remove("shop")
