"""Exit statuses: every error has one, and the table is the documented one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof.domain import errors
from pgproof.domain.errors import PgproofError
from pgproof.entrypoints.cli.exit_codes import EXIT_CODES, UNEXPECTED, exit_code

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


def family(cls: type[PgproofError]) -> Iterator[type[PgproofError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from family(child)


EVERY_ERROR = [cls for cls in family(PgproofError) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", EVERY_ERROR, ids=lambda cls: cls.__name__)
def test_every_error_has_an_exit_status_of_its_own_kind(cls: type[PgproofError]) -> None:
    status = exit_code(cls("something happened"))
    assert (status == UNEXPECTED) == (cls is PgproofError)


def test_the_table_is_the_contract() -> None:
    assert {cls.__name__: code for cls, code in EXIT_CODES.items()} == {
        "PgproofError": 1,
        "InvalidInput": 2,
        "ConfigurationError": 3,
        "NotFound": 4,
        "Conflict": 5,
        "AccessDenied": 6,
        "PostgresError": 10,
        "CatalogError": 10,
        "StorageError": 11,
        "IntegrityError": 12,
        "JobError": 13,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ClientMissing, 3),
        (errors.SwapFailed, 10),
        (errors.CatalogUnreachable, 10),
        (errors.StorageFull, 11),
        (errors.FingerprintMismatch, 12),
        (errors.Cancelled, 13),
    ],
)
def test_a_special_error_ends_like_its_kind(error: type[PgproofError], status: int) -> None:
    assert exit_code(error("x")) == status


def test_every_status_is_documented() -> None:
    documented = {int(found) for found in re.findall(r"^\| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)}
    assert documented == {0, *EXIT_CODES.values()}
