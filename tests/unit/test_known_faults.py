"""Releases that are known to lose something."""

import pytest

from pgproof.domain.database import ServerVersion
from pgproof.domain.known_faults import client_fault


def test_the_client_that_lost_sequence_values_is_known() -> None:
    fault = client_fault(ServerVersion.parse("18.1"))
    assert fault is not None
    assert str(fault) == "its pg_dump loses sequence values; fixed in 18.2"


@pytest.mark.parametrize("version", ["18.0", "18.2", "17.1", "15.14"])
def test_its_neighbours_are_not_blamed(version: str) -> None:
    assert client_fault(ServerVersion.parse(version)) is None
