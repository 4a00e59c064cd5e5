"""Which database a caller means, and what the settings have to say about it."""

from dataclasses import replace
from typing import cast

import pytest

from pgproof.domain.database import ConnectionInfo, Database, Server, ServerVersion
from pgproof.domain.errors import AuthenticationFailed, ConfigurationError, Conflict, InvalidInput, NotFound
from pgproof.domain.secret import Secret
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import PostgresServer, PostgresTools
from tests.fakes.catalog import MemoryCatalog

SHOP = ConnectionInfo("shop", "db", 5432, "app", Secret("right"))
SOCKET = ConnectionInfo("postgres", "/run/embedded", 5432, "postgres")


class Servers:
    """Servers that answer at the host `db`, to everybody who knows the right password."""

    def identify(self, connection: ConnectionInfo) -> Server:
        if connection.host == "db" and connection.password != SHOP.password:
            raise AuthenticationFailed("no", hint="The password is right.")
        return Server(ServerVersion.parse("18.4"), "1", connection.user, is_superuser=True, can_create_databases=True)

    def parse_url(self, _url: str) -> ConnectionInfo:
        return replace(SHOP, user="owner", password=Secret("owners"))


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


def service(
    catalog: MemoryCatalog, configured: ConnectionInfo | None = None, embedded: ConnectionInfo | None = None
) -> DatabaseService:
    return DatabaseService(
        catalog, cast("PostgresServer", Servers()), cast("PostgresTools", None), configured, embedded
    )


def test_the_settings_database_is_registered_without_its_password(catalog: MemoryCatalog) -> None:
    found = service(catalog, SHOP).resolve(None)
    assert found.connection == SHOP
    assert found.from_settings
    assert catalog.get_database("shop").connection == replace(SHOP, password=None)


def test_a_first_attempt_that_fails_registers_nothing_and_locks_nobody_out(catalog: MemoryCatalog) -> None:
    wrong = replace(SHOP, port=5433, password=Secret("wrong"))
    with pytest.raises(AuthenticationFailed):
        service(catalog, wrong).resolve(None)
    assert catalog.list_databases() == []
    assert service(catalog, SHOP).resolve(None).connection == SHOP


@pytest.mark.parametrize("given", [None, "shop"])
def test_an_address_that_changes_in_the_settings_is_followed(catalog: MemoryCatalog, given: str | None) -> None:
    first = service(catalog, replace(SHOP, host="old")).resolve(None)
    moved = service(catalog, SHOP).resolve(given)
    assert moved.connection == SHOP
    assert (moved.id, moved.name) == (first.id, first.name)
    assert catalog.get_database("shop").connection.host == "db"


def test_an_address_that_does_not_answer_is_not_followed(catalog: MemoryCatalog) -> None:
    service(catalog, replace(SHOP, host="old")).resolve(None)
    with pytest.raises(AuthenticationFailed):
        service(catalog, replace(SHOP, password=Secret("wrong"))).resolve(None)
    assert catalog.get_database("shop").connection.host == "old"


def test_a_name_that_a_person_gave_is_never_taken_over(catalog: MemoryCatalog) -> None:
    catalog.add_database("shop", ConnectionInfo("other", "elsewhere", user="app"))
    with pytest.raises(Conflict, match="needs a name of its own"):
        service(catalog, SHOP).resolve(None)
    assert service(catalog, SHOP).resolve("shop").connection.host == "elsewhere"


@pytest.mark.parametrize("given", [None, "shop"])
def test_role_and_password_of_the_settings_count_at_once(catalog: MemoryCatalog, given: str | None) -> None:
    service(catalog, SHOP).resolve(None)
    changed = replace(SHOP, user="admin", password=Secret("new"))
    assert service(catalog, changed).resolve(given).connection == changed
    assert service(catalog, changed).list()[0].connection.user == "admin"


def test_a_password_of_the_settings_wins_over_a_stored_one(catalog: MemoryCatalog) -> None:
    catalog.add_database("mine", replace(SHOP, password=Secret("stale")))
    assert service(catalog, SHOP).resolve("mine").connection.password == SHOP.password


def test_a_role_without_a_password_does_not_replace_a_stored_pair(catalog: MemoryCatalog) -> None:
    catalog.add_database("mine", SHOP)
    assert service(catalog, replace(SHOP, user="postgres", password=None)).resolve("mine").connection == SHOP


def test_what_a_url_says_wins_over_the_settings(catalog: MemoryCatalog) -> None:
    service(catalog, SHOP).resolve(None)
    found = service(catalog, SHOP).resolve("postgresql://owner:owners@db/shop")
    assert (found.connection.user, found.connection.password) == ("owner", Secret("owners"))


def test_with_nothing_configured_the_only_registered_database_is_meant(catalog: MemoryCatalog) -> None:
    service(catalog, embedded=SOCKET).resolve(None)
    added = catalog.add_database("mine", SHOP)
    assert service(catalog, embedded=SOCKET).resolve(None) == added


def test_with_several_nothing_is_meant_and_all_are_named(catalog: MemoryCatalog) -> None:
    for name in ("b shop", "a"):
        catalog.add_database(name, SHOP)
    with pytest.raises(InvalidInput, match="2 are registered: a, b shop") as refused:
        service(catalog, embedded=SOCKET).resolve(None)
    assert refused.value.hint.endswith("pgproof backup a")


def test_what_the_settings_name_is_meant_whatever_is_registered(catalog: MemoryCatalog) -> None:
    for name in ("a", "b"):
        catalog.add_database(name, replace(SHOP, dbname=name))
    assert service(catalog, SHOP, SOCKET).resolve(None).name == "shop"


def test_the_embedded_server_is_meant_only_if_there_is_nothing_else(catalog: MemoryCatalog) -> None:
    databases = service(catalog, embedded=SOCKET)
    found = databases.resolve(None)
    assert found.connection == SOCKET
    assert databases.is_embedded(found)
    assert service(catalog, embedded=SOCKET).resolve(None) == found, "its own row is no other database"
    assert not databases.is_embedded(Database(9, "shop", SHOP))


def test_with_nothing_at_all_both_ways_on_are_told(catalog: MemoryCatalog) -> None:
    with pytest.raises(ConfigurationError) as refused:
        service(catalog).resolve(None)
    assert "database add" in refused.value.hint
    assert "BACKUP_POSTGRES_DB" in refused.value.hint


@pytest.mark.parametrize(
    ("configured", "given", "examined"),
    [(None, None, ["a", "b"]), (None, "b", ["b"]), (SHOP, None, [None])],
)
def test_a_look_at_everything_goes_to_all_that_are_registered(
    catalog: MemoryCatalog, configured: ConnectionInfo | None, given: str | None, examined: list[str | None]
) -> None:
    for name in ("a", "b"):
        catalog.add_database(name, SHOP)
    assert service(catalog, configured, SOCKET).to_examine(given) == examined
    assert service(MemoryCatalog(), None, SOCKET).to_examine(None) == [None]


def test_a_database_that_was_forgotten_tells_the_way_back(catalog: MemoryCatalog) -> None:
    with pytest.raises(NotFound) as refused:
        service(catalog).behind("my shop")
    assert refused.value.hint == "Register it again under that name: pgproof database add 'my shop' URL"
