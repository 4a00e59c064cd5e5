"""What an export of another catalog may say, and what of it comes in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from pgproof.domain.database import ConnectionInfo, Database
from pgproof.domain.errors import Conflict, InvalidInput
from pgproof.services.alerts import AlertService
from pgproof.services.cataloguing.adopting import AdoptingService, read_export
from pgproof.services.schedules import ScheduleService
from pgproof.services.users import UserService
from tests.fakes.catalog import MemoryCatalog


def export(*names: str, host: str = "db", options: Mapping[str, str] | None = None) -> str:
    connection = {"dbname": "shop", "host": host, "port": 5432, "user": "app", "options": dict(options or {})}
    databases = [{"name": name, "connection": connection} for name in names]
    return json.dumps({"product": "pgproof", "format_version": 1, "databases": databases})


class Nothing:
    """No schedules, no rules, no users."""

    def list(self) -> Sequence[Any]:
        return []

    def rules(self) -> Sequence[Any]:
        return []


class Contended(MemoryCatalog):
    """Somebody else registers `taken` at the same moment."""

    def add_database(self, name: str, connection: ConnectionInfo, **changes: Any) -> Database:
        if name == "taken":
            raise Conflict("there is a database taken already", hint="Take another name.")
        return super().add_database(name, connection, **changes)


def adopting(catalog: MemoryCatalog) -> AdoptingService:
    nothing = Nothing()
    return AdoptingService(
        catalog=catalog,
        schedules=cast("ScheduleService", nothing),
        alerts=cast("AlertService", nothing),
        users=cast("UserService", nothing),
    )


def test_one_database_that_cannot_be_registered_keeps_no_other_back() -> None:
    catalog = Contended()
    done = adopting(catalog).adopt(read_export(export("shop", "taken", "zoo")), by="cli:ann", dry_run=False)
    assert done.registered == ["shop", "zoo"]
    assert done.problems == ["there is a database taken already"]
    assert [one.name for one in catalog.list_databases()] == ["shop", "zoo"]


def test_the_options_of_a_connection_come_back() -> None:
    found = read_export(export("shop", options={"sslmode": "verify-full", "sslrootcert": "system"}))
    assert found.databases["shop"].connection.options == {"sslmode": "verify-full", "sslrootcert": "system"}


@pytest.mark.parametrize("option", ["options", "dbname", "password", "passwd", "sslpassword", "a\x1bb"])
def test_an_option_that_no_url_may_have_is_refused_and_named(option: str) -> None:
    with pytest.raises(InvalidInput, match=r'options of "shop" that cannot be passed on') as refused:
        read_export(export("shop", options={option: "x", "sslmode": "require"}))
    assert refused.value.detail.endswith(option.replace("\x1b", "\\x1b"))


@pytest.mark.parametrize(("host", "options"), [("evil", {}), ("", {"hostaddr": "10.0.0.1"})])
def test_a_service_never_comes_with_a_host_to_send_its_password_to(host: str, options: Mapping[str, str]) -> None:
    with pytest.raises(InvalidInput, match="a service and a host"):
        read_export(export("shop", host=host, options={"service": "prod", **options}))
    assert read_export(export("shop", host="", options={"service": "prod"})).databases.keys() == {"shop"}
