"""How long somebody who fails to sign in has to wait.

Three things are counted: a name from one address, an address with any name, and a name from any address. Each may fail
freely so many times; then each further failure doubles the wait, up to a longest one. After a day without a failure the
count begins anew.

Where a user has signed in before, only the first of the three counts: others cannot keep that user out by failing
elsewhere, nor by failing with other names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

FORGOTTEN_AFTER = timedelta(days=1)
KNOWN_FOR = timedelta(days=30)

_LONGEST_ADDRESS = 100
_SUBSCRIBER_BITS = 64  # what one subscriber has of IPv6; every host in it can be the same person


@dataclass(frozen=True, order=True)
class Subject:
    """What failures are counted for. `name` is a mark of the name, empty for any; an empty `address` is any."""

    name: str
    address: str


@dataclass(frozen=True)
class Failures:
    """Failures so far, and when the last one was."""

    number: int
    last_at: datetime


@dataclass(frozen=True)
class Limit:
    """`free` failures without a wait, then `first`, doubled by each further one, up to `longest`."""

    free: int
    first: timedelta
    longest: timedelta

    def wait(self, failed: Failures) -> timedelta:
        """From the last failure to the next attempt."""
        beyond = failed.number - self.free
        if beyond < 0:
            return timedelta()
        # A shift beyond this is longer than any limit, and would overflow.
        return min(self.longest, self.first * (1 << min(beyond, 20)))


_PAIR = Limit(free=5, first=timedelta(seconds=5), longest=timedelta(minutes=15))
_ADDRESS = Limit(free=30, first=timedelta(seconds=5), longest=timedelta(minutes=15))
_NAME = Limit(free=50, first=timedelta(seconds=1), longest=timedelta(minutes=1))


def subjects(name: str, address: str, *, known: bool) -> Mapping[Subject, Limit]:
    """What an attempt counts for. `known` tells that this user has signed in from there before."""
    pair = {Subject(name, address): _PAIR}
    return pair if known else {**pair, Subject("", address): _ADDRESS, Subject(name, ""): _NAME}


def wait(limits: Mapping[Subject, Limit], counted: Mapping[Subject, Failures], now: datetime) -> timedelta:
    """How long until an attempt is possible; zero if it is now.

    What was counted last may be a moment later than `now`: of two that begin together, one is counted first.
    """
    waits = [
        min(until - now, limit.longest)  # a clock that was ahead must not lock anybody out for longer
        for subject, limit in limits.items()
        if (found := counted.get(subject)) and (span := limit.wait(found))
        if (until := found.last_at + span) > now and not _forgotten(found, now)
    ]
    return max(waits, default=timedelta())


def with_failure(
    limits: Mapping[Subject, Limit], counted: Mapping[Subject, Failures], now: datetime
) -> Mapping[Subject, Failures]:
    """The counts after one more failure."""
    return {
        subject: Failures(1 if found is None or _forgotten(found, now) else found.number + 1, now)
        for subject in limits
        for found in [counted.get(subject)]
    }


def without_failure(
    counted: Mapping[Subject, Failures], before: Mapping[Subject, Failures], after: Mapping[Subject, Failures]
) -> Mapping[Subject, Failures]:
    """The counts once an attempt has succeeded that was counted as a failure, from `before` to `after`.

    The name from its address begins anew. The others lose this one attempt only: an account of one's own must not
    wash away what was tried with other names.
    """
    result = {}
    for subject, found in counted.items():
        if subject.name and subject.address:
            continue
        undisturbed = found == after.get(subject)
        if undisturbed and subject in before:
            result[subject] = before[subject]
        elif found.number > 1:
            result[subject] = Failures(found.number - 1, found.last_at)
    return result


def _forgotten(failed: Failures, now: datetime) -> bool:
    return now - failed.last_at >= FORGOTTEN_AFTER


def caller(address: str | None) -> str:
    """The part of an address by which a caller is told from others: of IPv6 the network of a subscriber."""
    try:
        found: IPv4Address | IPv6Address = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "".join(char if char.isprintable() else "?" for char in address or "local")[:_LONGEST_ADDRESS]
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _SUBSCRIBER_BITS), strict=False))
    return str(found)
