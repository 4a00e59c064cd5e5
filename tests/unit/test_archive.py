"""Names of what a backup consists of."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.archive import (
    ArchiveFormat,
    Compression,
    ObjectNames,
    check_jobs,
    check_level,
    compression_for,
    folder_name,
)
from pgproof.domain.errors import InvalidInput

NOON = datetime(2025, 3, 9, 12, 0, 5, tzinfo=timezone(timedelta(hours=2)))


def test_a_backups_objects_lie_in_a_folder_named_by_database_time_in_utc_and_id() -> None:
    names = ObjectNames.make("shop", NOON, 7, ArchiveFormat.CUSTOM, Compression.ZSTD)
    assert names.archive == "shop/backup_20250309_100005_7/backup_20250309_100005_7.dump.zst"
    assert names.key("manifest.json") == "shop/backup_20250309_100005_7/manifest.json"


@pytest.mark.parametrize(
    ("form", "compression", "ending"),
    [
        (ArchiveFormat.CUSTOM, Compression.NONE, ".dump"),
        (ArchiveFormat.CUSTOM, Compression.GZIP, ".dump.gz"),
        (ArchiveFormat.DIRECTORY, Compression.ZSTD, ".tar.zst"),
    ],
)
def test_the_ending_tells_format_and_compression(form: ArchiveFormat, compression: Compression, ending: str) -> None:
    names = ObjectNames.make("d", NOON.astimezone(UTC), 1, form, compression)
    assert names.filename == f"backup_20250309_100005_1{ending}"


@given(st.text(min_size=1, max_size=63))
def test_no_database_name_leaves_its_folder_or_needs_quoting(name: str) -> None:
    folder = folder_name(name)
    assert folder not in (".", "..", "")
    assert not folder.startswith(".")
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.%")


@given(st.text(min_size=1, max_size=63), st.text(min_size=1, max_size=63))
def test_different_databases_have_different_folders(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)


def test_a_traversal_is_only_a_name() -> None:
    assert folder_name("../../etc") == "%2E.%2F..%2Fetc"
    assert folder_name('we"ird') == "we%22ird"


@pytest.mark.parametrize("level", [-1, 10, 99])
def test_a_level_that_does_not_exist_is_refused(level: int) -> None:
    with pytest.raises(InvalidInput, match=str(level)):
        check_level(level)


@pytest.mark.parametrize("jobs", [0, -1, 65])
def test_a_number_of_jobs_that_cannot_be_is_refused(jobs: int) -> None:
    with pytest.raises(InvalidInput):
        check_jobs(jobs)


def test_level_0_is_a_value_and_means_no_compression() -> None:
    assert check_level(0) == 0
    assert compression_for(0, Compression.ZSTD) is Compression.NONE
    assert compression_for(1, None) is Compression.ZSTD
    assert compression_for(1, Compression.NONE) is Compression.NONE
