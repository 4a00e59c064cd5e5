"""Cron expressions in a time zone: which moments they name.

cronsim knows the calendar: which readings of a clock on the wall an expression names. What becomes of a reading
when the clock is put forward or back is decided here, by the rules of Debian's cron:

- An expression with a fixed minute and a fixed hour names one moment for each reading. A reading that the clock
  leaps over is the moment of the leap; of one that comes twice, the first counts.
- With a `*` in front of the minute or of the hour, the moments are those at which the clock shows the reading:
  none if it is leapt over, two if it comes twice.
"""

import heapq
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from math import floor
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from pgproof.domain.errors import InvalidInput
from pgproof.domain.wording import in_quotes

_MACROS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS: Mapping[str, str] = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, or L for the last one",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 (Sunday) to 7 (Sunday), or SUN to SAT",
}
_LONGEST = 200
_FORM = (
    "Give five fields: minute, hour, day of the month, month, day of the week; such as 0 2 * * * for every day at 02:00"
)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)  # no clock was ever put back by more
_SOME_DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - a reading of a clock, in no zone
_ZONE_KEY = re.compile(r"[A-Za-z0-9+_-]+(?:/[A-Za-z0-9+_-]+)*")


def check_cron(text: str) -> str:
    """An expression as it is stored, or `InvalidInput` that says which field is wrong, or that it never comes."""
    words = text.split()
    given = " ".join(words)
    expression = _MACROS.get(given.lower(), given)
    if given.startswith("@") and given.lower() not in _MACROS:
        raise InvalidInput(
            f"{in_quotes(given)} is not a cron expression", hint=f"Known by name are {', '.join(_MACROS)}. {_FORM}."
        )
    fields = expression.split()
    if len(fields) != len(_FIELDS) or len(given) > _LONGEST:
        count = f"it has {len(fields)} fields" if len(given) <= _LONGEST else f"it is longer than {_LONGEST} characters"
        raise InvalidInput(f"{in_quotes(given[:_LONGEST])} is not a cron expression: {count}", hint=f"{_FORM}.")
    try:
        found = next(CronSim(expression, _SOME_DAY), None)
    except CronSimError as error:
        raise _bad_field(given, fields, str(error)) from None
    if found is None:
        raise _never(given)
    return given


def _bad_field(given: str, fields: list[str], said: str) -> InvalidInput:
    name = said.removeprefix("Bad ")
    if name not in _FIELDS:
        return InvalidInput(f"{in_quotes(given)} is not a cron expression: {said.lower()}", hint=f"{_FORM}.")
    field = fields[list(_FIELDS).index(name)]
    # cronsim says "bad day" as well of a day that none of the months has.
    if name == "day-of-month" and _is_possible_day(field):
        return _never(given)
    return InvalidInput(
        f"{in_quotes(given)} is not a cron expression: {in_quotes(field)} does not fit the {name}",
        hint=f"It may be *, or {_FIELDS[name]}; lists (1,2), ranges (1-5) and steps (*/15) of them too.",
    )


def _is_possible_day(field: str) -> bool:
    try:
        CronSim(f"0 0 {field} * *", _SOME_DAY)
    except CronSimError:
        return False
    return True


def _never(given: str) -> InvalidInput:
    return InvalidInput(
        f"the cron expression {in_quotes(given)} names a day that never comes",
        hint="Look at the day of the month beside the month: 30 February is not in any calendar.",
    )


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The time zone of that name. Raises `InvalidInput`."""
    if name.upper() == "UTC":
        return UTC
    unknown = InvalidInput(
        f"{in_quotes(name)} is not the name of a time zone",
        hint="Use a name of the IANA database, such as UTC, Europe/Berlin or America/New_York"
        " (the system's package tzdata brings them).",
    )
    if not _ZONE_KEY.fullmatch(name):
        raise unknown
    try:
        return ZoneInfo(name)
    except (OSError, LookupError, ValueError):
        raise unknown from None


def runs_after(cron: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """The moments later than `after`, in their order, in UTC. They end where none comes within 50 years."""
    start = _reading(after - _leeway(zone, after), zone)
    yield from _moments(cron, zone, start, after, reverse=False)


def runs_until(cron: str, zone: tzinfo, until: datetime) -> Iterator[datetime]:
    """The moments up to and with `until`, the latest first, in UTC."""
    start = _reading(until + _leeway(zone, until), zone) + _SECOND
    yield from _moments(cron, zone, start, until, reverse=True)


def _moments(cron: str, zone: tzinfo, start: datetime, bound: datetime, *, reverse: bool) -> Iterator[datetime]:
    expression = _MACROS.get(cron.lower(), cron)
    minute, hour, *_ = expression.split()
    fixed = not minute.startswith("*") and not hour.startswith("*")
    sign = -1 if reverse else 1
    waiting: list[int] = []  # of a reading that comes twice, the later moment waits for those between
    last = sign * _seconds(bound) - (1 if reverse else 0)  # `until` itself counts, `after` does not
    for reading in CronSim(expression, start, reverse=reverse):
        found = [_only(reading, zone)] if fixed else _showing(reading, zone)
        keys = [sign * _seconds(moment) for moment in found]
        for key in keys:
            heapq.heappush(waiting, key)
        nearest = min(keys, default=None)
        while waiting and nearest is not None and waiting[0] <= nearest:
            key = heapq.heappop(waiting)
            if key > last:
                last = key
                yield datetime.fromtimestamp(sign * key, UTC)


def _seconds(moment: datetime) -> int:
    return floor(moment.timestamp())


def _reading(moment: datetime, zone: tzinfo) -> datetime:
    """What the clock shows, in whole seconds."""
    return moment.astimezone(zone).replace(microsecond=0, tzinfo=None)


def _leeway(zone: tzinfo, around: datetime) -> timedelta:
    """How far the readings and the moments may be out of step, when the clock is changed in these days."""
    before, after = (around + step for step in (-_DAY, _DAY))
    changed = before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
    return _DAY if changed else timedelta(0)


def _both(reading: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    first, second = (reading.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _showing(reading: datetime, zone: tzinfo) -> list[datetime]:
    """The moments at which the clock shows this: none, one or two."""
    return [moment for moment in sorted({*_both(reading, zone)}) if _reading(moment, zone) == reading]


def _only(reading: datetime, zone: tzinfo) -> datetime:
    """The first moment at which the clock shows this, or at which it leaps over it."""
    first, second = _both(reading, zone)
    if _reading(first, zone) == reading:
        return first
    early, late = sorted((first, second))
    offset = early.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + ((late - early) // 2 // _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return late
