"""Which names a protected database can be registered under, and when two connections lead to the same place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.adapters.storage.keys import check_key
from pgproof.domain.archive import folder_name
from pgproof.domain.database import ConnectionInfo, check_name
from pgproof.domain.errors import InvalidInput


@pytest.mark.parametrize("name", ["", " shop", "shop ", "a\nb", "x" * 64, "\x00"])
def test_a_name_that_cannot_be_shown_or_typed_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a protected database"):
        check_name(name)


@pytest.mark.parametrize("name", ["shop", "x" * 63, "ж" * 42, "we\"ird 'näme", "漢" * 28, "../../etc"])
def test_a_name_whose_folder_fits_is_taken_as_it_is(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["ж" * 43, "ж" * 63, "漢" * 29, "🐘" * 22])
def test_a_name_whose_folder_would_be_too_long_is_refused_before_any_backup(name: str) -> None:
    with pytest.raises(InvalidInput, match="too long") as refused:
        check_name(name)
    assert "255 bytes" in refused.value.hint


@given(st.text(min_size=1, max_size=63))
def test_whatever_name_is_taken_can_be_a_folder_in_every_storage(name: str) -> None:
    try:
        taken = check_name(name)
    except InvalidInput:
        return
    check_key(f"{folder_name(taken)}/backup_20250309_100005_9223372036854775807/manifest.json")


PLACE = ConnectionInfo("shop", "db.example", 5432, "app")


@pytest.mark.parametrize(
    "other",
    [
        ConnectionInfo("shop", "db.example", 5432, "another_role"),
        ConnectionInfo("shop", "db.example", 5432, "app", options={"sslmode": "require"}),
    ],
)
def test_role_and_manners_do_not_make_another_place(other: ConnectionInfo) -> None:
    assert PLACE.same_place(other)


@pytest.mark.parametrize(
    "other",
    [
        ConnectionInfo("shop2", "db.example", 5432, "app"),
        ConnectionInfo("shop", "db2.example", 5432, "app"),
        ConnectionInfo("shop", "db.example", 5433, "app"),
        ConnectionInfo("shop", "db.example", 5432, "app", options={"hostaddr": "10.0.0.1"}),
        ConnectionInfo("shop", "db.example", 5432, "app", options={"service": "replica"}),
    ],
)
def test_another_database_host_port_address_or_service_is_another_place(other: ConnectionInfo) -> None:
    assert not PLACE.same_place(other)
    assert not other.same_place(PLACE)


def test_the_address_decides_where_there_is_one() -> None:
    def at(host: str, address: str) -> ConnectionInfo:
        return ConnectionInfo("shop", host, options={"hostaddr": address})

    assert at("db", "10.0.0.1").same_place(at("", "10.0.0.1"))
    assert not at("", "10.0.0.1").same_place(at("", "10.0.0.2"))
    assert at("", "10.0.0.1").address == "10.0.0.1:5432"
