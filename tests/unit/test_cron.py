"""Cron expressions in time zones: every moment that an expression names, and no other."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.cron import check_cron, runs_after, runs_until, zone_of
from pgproof.domain.errors import InvalidInput
from pgproof.domain.schedule import next_runs

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))
# Two clocks that change by half an hour and by two hours, one that changes at midnight, one that lost a whole day.
ODD_ZONES = st.sampled_from(
    ["Australia/Lord_Howe", "Antarctica/Troll", "America/Santiago", "Pacific/Apia", "Europe/Berlin", "Asia/Beirut"]
)
MOMENTS = st.integers(0, 30 * 365 * 86_400).map(lambda n: datetime(2009, 1, 1, tzinfo=UTC) + timedelta(seconds=n))
EXPRESSIONS = st.sampled_from(
    [
        "30 2 * * *", "0 0 * * *", "*/15 * * * *", "0 * * * *", "*/7 3 * * *", "0 */6 * * *", "5,35 1-4 * * MON-FRI",
        "0 3 1 * *", "59 23 L * *", "0 0 29 2 *", "* 0 * * SUN", "0 2 1-7 * */7", "15 2 * * 1#2", "@daily",
    ]
)  # fmt: skip


def local(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def shown(zone: str, cron: str, after: datetime, count: int) -> list[str]:
    return [f"{run.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for run in next_runs(cron, zone, after, count)]


def between(runs: Iterator[datetime], after: datetime, until: datetime) -> list[datetime]:
    return list(takewhile(lambda run: after < run <= until, runs))


def transitions(zone: ZoneInfo, year: int) -> list[datetime]:
    """The midnights in UTC before the days on which the clock is changed."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + n * DAY for n in range(366)]
    return [day for day in days if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset()]


@given(EXPRESSIONS, ZONES, MOMENTS)
def test_runs_come_in_order_after_the_given_moment(cron: str, zone: str, after: datetime) -> None:
    runs = next_runs(cron, zone, after, 20)
    assert len(runs) == 20
    assert all(earlier < later for earlier, later in pairwise([after, *runs]))
    assert {run.utcoffset() for run in runs} == {timedelta(0)}


@given(EXPRESSIONS, ZONES | ODD_ZONES, MOMENTS)
def test_looking_back_finds_what_looking_ahead_had_found(cron: str, zone: str, after: datetime) -> None:
    runs = next_runs(cron, zone, after, 20)
    back = takewhile(lambda run: run > after, runs_until(cron, zone_of(zone), runs[-1]))
    assert list(back)[::-1] == list(runs)


@given(EXPRESSIONS, ODD_ZONES, st.integers(2009, 2037), st.integers(-2 * 1440, 2 * 1440), st.booleans())
def test_it_makes_no_difference_where_one_begins_to_look(
    cron: str, zone: str, year: int, minutes: int, backwards: bool
) -> None:
    for change in transitions(ZoneInfo(zone), year):
        start, middle = change - 3 * DAY, change + minutes * MINUTE
        end = change + 3 * DAY
        whole = between(runs_after(cron, zone_of(zone), start), start, end)
        if backwards:
            found = between(runs_until(cron, zone_of(zone), middle), start, middle)
            assert found[::-1] == [run for run in whole if run <= middle]
        else:
            found = between(runs_after(cron, zone_of(zone), middle), middle, end)
            assert found == [run for run in whole if run > middle]


@given(
    st.sampled_from(["*/15 * * * *", "0 * * * *", "*/20 2 * * *", "30 */2 * * *", "* 1 * * *"]),
    ODD_ZONES,
    st.integers(2009, 2037),
)
def test_with_a_star_a_run_is_whenever_the_clock_shows_it(cron: str, zone: str, year: int) -> None:
    minutes, hours = ({*_numbers(field, end)} for field, end in zip(cron.split(), (60, 24), strict=False))
    clock = ZoneInfo(zone)
    for change in transitions(clock, year):
        start = change - DAY
        every = [start + n * MINUTE for n in range(1, 3 * 1440 + 1)]
        showing = [at for at in every if (here := at.astimezone(clock)).minute in minutes and here.hour in hours]
        assert next_runs(cron, zone, start, len(showing)) == showing


def _numbers(field: str, end: int) -> Sequence[int]:
    term, _, step = field.partition("/")
    return range(0, end, int(step or 1)) if term == "*" else [int(term)]


@given(ZONES, st.integers(0, 23), st.integers(0, 59), st.integers(2012, 2037))
def test_a_daily_run_is_once_on_every_day_of_every_year_in_every_zone(
    zone: str, hour: int, minute: int, year: int
) -> None:
    clock = ZoneInfo(zone)
    start = datetime(year, 1, 1, tzinfo=clock)
    runs = list(
        takewhile(
            lambda run: run.astimezone(clock).year == year,
            runs_after(f"{minute} {hour} * * *", clock, start - timedelta(seconds=1)),
        )
    )
    days = [run.astimezone(clock).date() for run in runs]
    assert days == [date(year, 1, 1) + n * DAY for n in range(len(days))]
    assert days[-1] == date(year, 12, 31)


def test_when_the_clock_is_put_forward_a_daily_run_comes_when_it_leaps() -> None:
    assert shown("Europe/Berlin", "30 2 * * *", local("Europe/Berlin", "2026-03-28T12:00"), 2) == [
        "29 03:00 +0200",
        "30 02:30 +0200",
    ]


def test_when_the_clock_is_put_back_a_daily_run_comes_the_first_time() -> None:
    assert shown("Europe/Berlin", "30 2 * * *", local("Europe/Berlin", "2026-10-24T12:00"), 2) == [
        "25 02:30 +0200",
        "26 02:30 +0100",
    ]


def test_between_the_two_times_of_a_reading_the_run_is_over() -> None:
    between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert shown("Europe/Berlin", "30 2 * * *", between, 1) == ["26 02:30 +0100"]
    latest = next(runs_until("30 2 * * *", ZoneInfo("Europe/Berlin"), between))
    assert latest == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_hourly_runs_leave_out_what_the_clock_leaps_over_and_repeat_what_comes_twice() -> None:
    assert shown("Europe/Berlin", "30 * * * *", local("Europe/Berlin", "2026-03-29T00:45"), 3) == [
        "29 01:30 +0100",
        "29 03:30 +0200",
        "29 04:30 +0200",
    ]
    assert shown("Europe/Berlin", "30 * * * *", local("Europe/Berlin", "2026-10-25T01:45"), 3) == [
        "25 02:30 +0200",
        "25 02:30 +0100",
        "25 03:30 +0100",
    ]


def test_two_runs_in_the_leap_are_one() -> None:
    assert shown("Europe/Berlin", "0,30 2 * * *", local("Europe/Berlin", "2026-03-29T00:00"), 2) == [
        "29 03:00 +0200",
        "30 02:00 +0200",
    ]


def test_a_day_that_a_zone_has_lost_is_made_up_for_at_once() -> None:
    assert shown("Pacific/Apia", "0 3 * * *", local("Pacific/Apia", "2011-12-29T04:00"), 2) == [
        "31 00:00 +1400",
        "31 03:00 +1400",
    ]


def test_a_run_on_leap_days_is_found_across_a_century_without_one() -> None:
    runs = next_runs("0 0 29 2 *", "UTC", datetime(2096, 3, 1, tzinfo=UTC), 1)
    assert runs == [datetime(2104, 2, 29, tzinfo=UTC)]


@pytest.mark.parametrize("offset", [0, 1, 499_999, 500_000, 999_999])
def test_parts_of_a_second_make_no_difference(offset: int) -> None:
    due = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # the leap of Berlin's clock
    zone = ZoneInfo("Europe/Berlin")
    before = due - timedelta(seconds=1) + timedelta(microseconds=offset)
    after = due + timedelta(microseconds=offset)
    assert next(runs_after("0 2 * * *", zone, before)) == due
    assert next(runs_until("0 2 * * *", zone, before)) == due - timedelta(hours=24)
    assert next(runs_after("0 2 * * *", zone, after)) == due + timedelta(hours=23)
    assert next(runs_until("0 2 * * *", zone, after)) == due


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "it has 0 fields"),
        ("* * * *", "it has 4 fields"),
        ("0 0 2 * * *", "it has 6 fields"),
        ("60 * * * *", '"60" does not fit the minute'),
        ("0 24 * * *", '"24" does not fit the hour'),
        ("0 2 0 * *", '"0" does not fit the day-of-month'),
        ("0 2 * 13 *", '"13" does not fit the month'),
        ("0 2 * * FRY", '"FRY" does not fit the day-of-week'),
        ("*/0 * * * *", '"*/0" does not fit the minute'),
        ("5-1 * * * *", '"5-1" does not fit the minute'),
        ("-1 * * * *", '"-1" does not fit the minute'),
        ("1,,2 * * * *", '"1,,2" does not fit the minute'),
        ("@reboot", '"@reboot" is not a cron expression'),
        ("0" * 5000 + " * * * *", "longer than 200 characters"),
        ("\x1b[31m 2 * * *", r"\x1b[31m"),
    ],
)
def test_a_bad_expression_says_what_is_wrong_with_it(cron: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_cron(cron)
    assert says in caught.value.detail
    assert caught.value.hint


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 */31 2 MON#5"])
def test_a_day_that_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInput, match="never comes"):
        check_cron(cron)


@given(st.text(max_size=40) | st.lists(st.text("0123456789*/-,L#@MONFRI ", max_size=6), max_size=6).map(" ".join))
def test_any_text_is_an_expression_or_a_clear_error(text: str) -> None:
    try:
        cron = check_cron(text)
    except InvalidInput:
        return
    assert check_cron(cron) == cron
    assert list(islice(runs_after(cron, UTC, datetime(2026, 1, 1, tzinfo=UTC)), 2))


def test_spaces_around_fields_are_not_kept() -> None:
    assert check_cron("  0   2 * *\t* ") == "0 2 * * *"


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "a\0b", "é", "x" * 999]
)
def test_an_unknown_zone_is_a_clear_error(name: str) -> None:
    with pytest.raises(InvalidInput, match="not the name of a time zone") as caught:
        zone_of(name)
    assert "Europe/Berlin" in caught.value.hint
