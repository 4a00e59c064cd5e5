"""What became of a restore is asked of its own server only, wherever the settings lead by now."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict, ServerUnreachable
from pgproof.domain.restore import Restore, RestoreMode, RestoreOptions, RestoreStatus, RestoreStep
from pgproof.services.databases import DatabaseService
from pgproof.services.ports import PostgresServer, PostgresTools
from pgproof.services.recovery import RecoveryService
from pgproof.services.restore_tests import RestoreTestService
from pgproof.services.undo_window import find_kept
from tests.command_line import NOW, FakeClock
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.server import MemoryServer
from tests.fakes.storage import MemoryStorage

OLD, NEW = ConnectionInfo("shop", "old"), ConnectionInfo("shop", "new")
NUMBER = "1234"


class Network:
    """Servers by host; whatever is asked goes to the one of the connection's host."""

    def __init__(self, **servers: MemoryServer) -> None:
        self.servers = servers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(connection: ConnectionInfo, *arguments: Any) -> Any:
            return getattr(self.servers[connection.host], name)(connection, *arguments)

        return ask

    def parse_url(self, url: str) -> ConnectionInfo:
        return self.servers["old"].parse_url(url)


@pytest.fixture
def catalog() -> MemoryCatalog:
    made = MemoryCatalog()
    made.add_database("shop", OLD, from_settings=True)
    return made


@pytest.fixture
def network() -> Network:
    """The server of the restores is gone; another one has a transaction of that number, and a database `shop`."""
    network = Network(old=MemoryServer(shop=10), new=MemoryServer(shop=11))
    network.servers["old"].unreachable = True
    network.servers["new"].system_identifier = "2"
    network.servers["new"].committed[NUMBER] = True
    return network


def databases(catalog: MemoryCatalog, network: Network, configured: ConnectionInfo | None = NEW) -> DatabaseService:
    return DatabaseService(catalog, cast("PostgresServer", network), cast("PostgresTools", None), configured)


def recovery(catalog: MemoryCatalog, network: Network, configured: ConnectionInfo | None = NEW) -> RecoveryService:
    return RecoveryService(
        catalog=catalog,
        storage=MemoryStorage(),
        server=cast("PostgresServer", network),
        databases=databases(catalog, network, configured),
        clock=FakeClock(),
        undo_hours=24,
        restore_tests=cast("RestoreTestService", NoTests()),
    )


class NoTests:
    def lost(self) -> list[Any]:
        return []


def begun(catalog: MemoryCatalog, step: RestoreStep, *, identifier: str | None = "1") -> Restore:
    """A restore of `shop` whose process died in that step, before the swap or the commit."""
    backup = catalog.create_backup(
        "shop", storage_url="/b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    in_place = step is RestoreStep.REPLACE
    options = RestoreOptions(mode=RestoreMode.IN_PLACE if in_place else RestoreMode.SWAP)
    made = replace(
        catalog.create_restore(backup, "shop", options, NOW),
        step=step,
        status=RestoreStatus.UNDOING if step is RestoreStep.UNDO else RestoreStatus.RUNNING,
        transaction=NUMBER if in_place else None,
        live_oid=10,
        shadow_oid=None if in_place else 11,
        system_identifier=identifier,
    )
    catalog.save_restore(made)
    return made


@pytest.mark.parametrize("identifier", ["1", None])
@pytest.mark.parametrize("step", [RestoreStep.REPLACE, RestoreStep.SWAP, RestoreStep.UNDO])
def test_settings_that_lead_to_another_server_are_not_followed_while_a_restore_has_not_ended(
    catalog: MemoryCatalog, network: Network, step: RestoreStep, identifier: str | None
) -> None:
    left = begun(catalog, step, identifier=identifier)
    for given in (None, "shop"):
        with pytest.raises(Conflict, match=r"only its server, old:5432.*the settings lead to new:5432") as refused:
            databases(catalog, network).resolve(given)
        assert f"pgproof abandon {left.id}" in refused.value.hint
    with pytest.raises(ServerUnreachable, match="old"):
        recovery(catalog, network).settle_restore(left.id)
    assert catalog.get_database("shop").connection == OLD
    assert catalog.get_restore(left.id) == left
    catalog.save_restore(replace(left, status=RestoreStatus.FAILED))
    assert databases(catalog, network).resolve(None).connection == NEW


def test_its_own_server_settles_it_when_it_is_back_wherever_the_settings_lead(
    catalog: MemoryCatalog, network: Network
) -> None:
    left = begun(catalog, RestoreStep.REPLACE)
    network.servers["old"].unreachable = False
    network.servers["old"].committed[NUMBER] = False
    assert "not touched" in recovery(catalog, network).settle_restore(left.id)
    assert catalog.get_restore(left.id).status is RestoreStatus.FAILED


def test_the_settings_are_followed_to_the_same_server_by_another_address(
    catalog: MemoryCatalog, network: Network
) -> None:
    left = begun(catalog, RestoreStep.SWAP)
    network.servers["new"].system_identifier = "1"
    assert "complete" in recovery(catalog, network).settle_restore(left.id)
    assert catalog.get_database("shop").connection == NEW


def test_what_a_copy_of_the_server_knows_of_a_transaction_by_its_number_is_not_believed(
    catalog: MemoryCatalog, network: Network
) -> None:
    left = begun(catalog, RestoreStep.REPLACE)
    network.servers["new"].system_identifier = "1"
    with pytest.raises(ServerUnreachable, match="old"):
        recovery(catalog, network).settle_restore(left.id)
    assert network.servers["new"].asked_about == []


@pytest.mark.parametrize("step", [RestoreStep.REPLACE, RestoreStep.SWAP, RestoreStep.UNDO, RestoreStep.LOAD])
def test_another_server_at_the_same_address_is_not_asked_and_nothing_is_dropped_there(
    catalog: MemoryCatalog, network: Network, step: RestoreStep
) -> None:
    left = begun(catalog, step)
    other = MemoryServer(shop=10, **{left.shadow_database: 11})
    other.system_identifier = "2"
    network.servers["old"] = other
    looked = recovery(catalog, network, OLD)
    with pytest.raises(ServerUnreachable, match="another server answers at old:5432") as refused:
        looked.settle_restore(left.id)
    assert f"pgproof abandon {left.id}" in refused.value.hint
    assert looked.settle() == [f"restore {left.id}: cannot be settled now: {refused.value.detail}"]
    assert (other.asked_about, set(other.databases)) == ([], {"shop", left.shadow_database})
    assert catalog.get_restore(left.id) == left


def test_a_promoted_standby_at_its_address_settles_it(catalog: MemoryCatalog, network: Network) -> None:
    left = begun(catalog, RestoreStep.REPLACE)
    network.servers["old"] = MemoryServer(shop=10)
    network.servers["old"].committed[NUMBER] = True
    assert "complete" in recovery(catalog, network, OLD).settle_restore(left.id)


def test_a_restore_of_before_is_settled_as_ever(catalog: MemoryCatalog, network: Network) -> None:
    left = begun(catalog, RestoreStep.SWAP, identifier=None)
    network.servers["old"] = MemoryServer(shop=11)
    assert "complete" in recovery(catalog, network, OLD).settle_restore(left.id)


def test_an_undo_that_was_interrupted_before_it_happened_can_be_asked_for_again_after_its_window(
    catalog: MemoryCatalog, network: Network
) -> None:
    clock = FakeClock()
    left = replace(begun(catalog, RestoreStep.UNDO), undo_until=clock.now() - timedelta(minutes=5))
    catalog.save_restore(left)
    network.servers["old"] = MemoryServer(shop=11, **{str(left.previous_database): 10})
    assert "the restored database is live" in recovery(catalog, network, OLD).settle_restore(left.id)
    settled = catalog.get_restore(left.id)
    assert (settled.status, settled.step) == (RestoreStatus.COMPLETED, RestoreStep.DONE)
    (kept,) = find_kept(catalog, clock.now() + timedelta(hours=23))
    assert (kept.name, kept.due) == (left.previous_database, False)


def test_by_hand_it_is_the_same(catalog: MemoryCatalog, network: Network) -> None:
    begun(catalog, RestoreStep.SWAP)
    by_hand = databases(catalog, network, None)
    with pytest.raises(Conflict, match="has not ended"):
        by_hand.update("shop", "postgresql://u@new/shop")
    network.servers["new"].system_identifier = "1"
    assert by_hand.update("shop", "postgresql://u@new/shop").connection.host == "new"
