"""What stands in the way of a restore, and the command that takes it away."""

import pytest

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict
from pgproof.domain.obstacles import LogicalSlot, Obstacles, PreparedTransaction, ProtectedSession
from pgproof.services.restoring import obstacles
from tests.fakes.server import MemoryServer

SHOP = ConnectionInfo("shop", "db")
ALL = Obstacles(
    our_role='we"ird',
    prepared=(PreparedTransaction("it's", "app", ("public.orders",)),),
    slots=(LogicalSlot("idle"), LogicalSlot("feed", 77)),
    subscriptions=('a "b"',),
    sessions=(ProtectedSession(5, "root", of_superuser=True), ProtectedSession(6, "other", of_superuser=False)),
)


def test_every_obstacle_to_a_renaming_comes_with_the_statement_that_ends_it() -> None:
    assert [one.mend for one in ALL.to_renaming("shop")] == [
        "ROLLBACK PREPARED 'it''s'; or COMMIT PREPARED 'it''s'; in \"shop\"",
        "SELECT pg_terminate_backend(5); as a superuser",
        'SELECT pg_terminate_backend(6); as a superuser, or once and for all GRANT pg_signal_backend TO "we""ird";',
        "SELECT pg_drop_replication_slot('idle');",
        (
            "end its reader (of a subscription: ALTER SUBSCRIPTION ... DISABLE; on its own server), "
            "then SELECT pg_drop_replication_slot('feed');"
        ),
        'ALTER SUBSCRIPTION "a ""b""" DISABLE; in "shop"',
    ]


def test_a_database_that_gets_its_own_name_back_may_have_slots_and_subscriptions() -> None:
    assert [one.what for one in ALL.to_renaming("shop", staying=True)] == [
        'the prepared transaction "it\'s" of "app"',
        'the session 5 of "root", which "we"ird" may not end',
        'the session 6 of "other", which "we"ird" may not end',
    ]


def test_only_locks_are_in_the_way_of_replacing_tables_and_only_on_these_tables() -> None:
    assert len(ALL.to_replacing("shop", None)) == 1
    assert len(ALL.to_replacing("shop", frozenset({"public.orders"}))) == 1
    assert ALL.to_replacing("shop", frozenset({"public.items"})) == []


def test_all_of_them_are_told_at_once() -> None:
    server = MemoryServer(shop=1)
    server.in_the_way = ALL
    with pytest.raises(Conflict) as refused:
        obstacles.check_swap(server, SHOP)  # type: ignore[arg-type]
    assert len(refused.value.facts["obstacles"]) == 6
    assert "ROLLBACK PREPARED" in refused.value.hint
    assert "ALTER SUBSCRIPTION" in refused.value.hint


def test_nothing_in_the_way_is_no_error() -> None:
    server = MemoryServer(shop=1)
    obstacles.check_swap(server, SHOP)  # type: ignore[arg-type]
    obstacles.check_undo(server, SHOP, "shop__pgproof_previous_1")  # type: ignore[arg-type]
    obstacles.check_replacing(server, SHOP, None)  # type: ignore[arg-type]
