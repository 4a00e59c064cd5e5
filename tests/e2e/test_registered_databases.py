"""A registered database has one name and can be given another way to reach it."""

from dataclasses import replace

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import AuthenticationFailed, Conflict
from pgproof.domain.secret import Secret
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url


@pytest.fixture
def place(server18: Server) -> ConnectionInfo:
    made = server18.create_database()
    server18.sql(made, "CREATE TABLE t AS SELECT 1 AS i")
    return made


def test_the_hint_for_a_password_that_was_changed_helps_when_it_is_followed(
    app: App, server18: Server, place: ConnectionInfo
) -> None:
    role = server18.create_role(attributes="LOGIN SUPERUSER").to_database(place.dbname)
    shop = app.databases.add("shop", to_url(role))
    server18.sql(server18.connection, f"ALTER ROLE {role.user} PASSWORD 'another'")
    with pytest.raises(AuthenticationFailed) as refused:
        app.databases.check("shop")
    assert "pgproof database update NAME URL" in refused.value.hint
    app.databases.update("shop", to_url(replace(role, password=Secret("another"))))
    assert app.databases.resolve("shop").id == shop.id
    taken = app.backups.back_up(app.databases.resolve("shop"), BackupOptions(), BackupTrigger.MANUAL_CLI, Recorder())
    assert taken.status is BackupStatus.COMPLETED


def test_one_database_by_two_addresses_gets_no_second_name(app: App, server15: Server, place: ConnectionInfo) -> None:
    first = app.databases.add("shop", to_url(place))
    by_another = to_url(replace(place, host="localhost"))
    with pytest.raises(Conflict, match='registered already, as "shop"'):
        app.databases.add("other", by_another)
    assert app.databases.resolve(by_another).id == first.id
    elsewhere = server15.create_database(place.dbname)
    assert app.databases.add("elsewhere", to_url(elsewhere)).id != first.id
    server15.drop_database(place.dbname)
