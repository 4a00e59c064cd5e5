"""How long somebody who fails to sign in has to wait: properties that hold for any history."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.sign_in_limit import (
    FORGOTTEN_AFTER,
    Failures,
    Subject,
    caller,
    subjects,
    wait,
    with_failure,
    without_failure,
)

NOW = datetime(2025, 3, 30, 1, 0, tzinfo=UTC)
LONGEST = timedelta(minutes=15)
PAIR, ADDRESS, NAME = Subject("ann", "10.0.0.1"), Subject("", "10.0.0.1"), Subject("ann", "")
EVERYWHERE = subjects("ann", "10.0.0.1", known=False)

attempts = st.builds(
    Failures,
    st.integers(1, 2**31 - 1),
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants it
)
counts = st.dictionaries(st.sampled_from([PAIR, ADDRESS, NAME]), attempts)


@given(counts)
def test_no_history_and_no_clock_keeps_anybody_out_for_more_than_a_quarter_of_an_hour(
    counted: dict[Subject, Failures],
) -> None:
    assert timedelta() <= wait(EVERYWHERE, counted, NOW) <= LONGEST


@given(counts)
def test_what_failed_a_day_ago_counts_for_nothing(counted: dict[Subject, Failures]) -> None:
    newest = max((found.last_at for found in counted.values()), default=NOW)
    assert wait(EVERYWHERE, counted, newest + FORGOTTEN_AFTER) == timedelta()
    after = with_failure(EVERYWHERE, counted, newest + FORGOTTEN_AFTER)
    assert {found.number for found in after.values()} == {1}


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_more_failures_never_shorten_the_wait(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert wait(EVERYWHERE, {PAIR: Failures(fewer, NOW)}, NOW) <= wait(EVERYWHERE, {PAIR: Failures(more, NOW)}, NOW)


@given(st.integers(min_value=1, max_value=4))
def test_a_free_attempt_is_free_also_if_another_was_counted_a_moment_later(failed: int) -> None:
    counted = dict.fromkeys(EVERYWHERE, Failures(failed, NOW + timedelta(milliseconds=5)))
    assert wait(EVERYWHERE, counted, NOW) == timedelta()


@given(counts)
def test_taking_back_an_attempt_leaves_others_as_they_were(counted: dict[Subject, Failures]) -> None:
    after = with_failure(EVERYWHERE, counted, NOW)
    back = without_failure(after, counted, after)
    assert PAIR not in back
    assert {key: found for key, found in counted.items() if key != PAIR} == back


def test_taking_back_an_attempt_keeps_what_others_added_meanwhile() -> None:
    before = {ADDRESS: Failures(3, NOW)}
    after = with_failure(EVERYWHERE, before, NOW)
    meanwhile = with_failure(EVERYWHERE, after, NOW)
    assert without_failure(meanwhile, before, after) == {ADDRESS: Failures(4, NOW), NAME: Failures(1, NOW)}


def test_where_a_user_is_known_only_the_pair_counts() -> None:
    assert set(subjects("ann", "10.0.0.1", known=True)) == {PAIR}
    assert set(EVERYWHERE) == {PAIR, ADDRESS, NAME}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "local"),
        ("", "local"),
        ("testclient", "testclient"),
        ("a\0b\n", "a?b?"),
        ("x" * 1_000, "x" * 100),
    ],
)
def test_callers_are_told_apart_by_the_part_that_is_theirs(address: str | None, expected: str) -> None:
    assert caller(address) == expected
