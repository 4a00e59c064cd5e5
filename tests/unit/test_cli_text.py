"""Values as people read them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pgproof.entrypoints.cli import text


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"), (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 kB"), (1536, "1.5 kB"),
        (155_503_821, "148.3 MB"), (5 * 1024**3, "5.0 GB"), (3 * 1024**4, "3.0 TB"), (4000 * 1024**4, "4000.0 TB"),
    ],
)  # fmt: skip
def test_sizes(count: int | None, shown: str) -> None:
    assert text.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0 s"),
        (0.04, "0.0 s"),
        (12.34, "12.3 s"),
        (59, "59 s"),
        (75, "1 min 15 s"),
        (3725, "1 h 2 min"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_moments_are_in_the_zone_of_the_person() -> None:
    when = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    assert text.moment(when, ZoneInfo("Europe/Berlin")) == "2026-07-02 01:30:00 CEST"
    assert text.moment(None, UTC) == "-"


def test_columns_line_up_whatever_the_script() -> None:
    shown = text.columns(("NAME", "ROWS"), [("größe", "1"), ("日本", "22,000"), ("e\u0301", "3")], right=frozenset({1}))
    assert shown.splitlines() == ["NAME     ROWS", "größe       1", "日本   22,000", "e\u0301           3"]


def test_foreign_text_cannot_steer_the_terminal() -> None:
    assert text.plain("a\x1b[2J\nb\u202e") == "a\\x1b[2J\\nb\\u202e"
    assert text.plain("we\"ird 'näme") == "we\"ird 'näme"
    assert text.plain("") == text.plain(None) == "-"


def test_counts_have_their_noun() -> None:
    assert (text.count(1, "table"), text.count(2000, "table")) == ("1 table", "2,000 tables")
