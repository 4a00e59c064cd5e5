"""When a backup that was due counts as late."""

from datetime import datetime, timedelta

from pgproof.domain.cron import runs_after, runs_until, zone_of
from pgproof.domain.errors import InvalidInput
from pgproof.domain.schedule import CLOCKS_DIFFER_BY, Schedule
from pgproof.services.ports.overview import DatabaseState

_GRACE = timedelta(hours=1)
_LONGEST_GRACE = timedelta(hours=12)
_SHORTEST_UNDER_WAY = timedelta(hours=12)
_LONGEST_UNDER_WAY = timedelta(hours=48)
# A clock in some time zone is that far ahead of UTC at most, or behind it.
_AHEAD, _BEHIND = timedelta(hours=14), timedelta(hours=12)


def overdue(schedule: Schedule, state: DatabaseState, now: datetime) -> datetime | None:
    """The due time that should have brought a backup by now and has not, whether or not one is under way.

    In a time zone that is unknown here it is a time of UTC, and late only when it is past in every zone.
    """
    if state.known_since is None:
        return None
    ahead = behind = timedelta(0)
    try:
        zone = zone_of(schedule.zone)
    except InvalidInput:
        zone, ahead, behind = zone_of("UTC"), _AHEAD, _BEHIND
    at = next(runs_until(schedule.cron, zone, now - min(_usual(state), _LONGEST_GRACE) - behind), None)
    if at is None:
        return None
    # A moment that has not come yet was set by a clock that was ahead, and says nothing.
    begun = [moment for moment in (schedule.created_at, state.known_since) if moment <= now + CLOCKS_DIFFER_BY]
    if any(at - ahead <= moment for moment in begun):
        return None
    started = schedule.last_due_at is not None and schedule.last_due_at >= at - ahead
    if at - ahead <= schedule.settled_until and not started and not schedule.is_ahead(now):
        return None  # it lay in the past when the schedule was changed
    last = state.last
    return None if last is not None and last.completed_at >= at - ahead else at


def is_under_way(state: DatabaseState, now: datetime) -> bool:
    """Whether a backup is being taken or is in line, and not for so long that something must be wrong with it."""
    since = state.unfinished_since
    longest = min(max(_usual(state), _SHORTEST_UNDER_WAY), _LONGEST_UNDER_WAY)
    return since is not None and abs(now - since) <= longest


def missed_in_every_zone(schedule: Schedule, now: datetime) -> datetime | None:
    """By when a schedule whose time zone is unknown here was due and was not started, whatever that zone is."""
    first = next(runs_after(schedule.cron, zone_of("UTC"), schedule.settled_until + _AHEAD), None)
    return first + _BEHIND if first is not None and first + _BEHIND <= now else None


def _usual(state: DatabaseState) -> timedelta:
    seconds = 0 if state.last is None else state.last.seconds or 0
    return _GRACE + 2 * timedelta(seconds=max(0, seconds))
