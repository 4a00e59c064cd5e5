"""`Prefer: wait=SECONDS` (RFC 7240): holding an answer until a job has ended."""

import re
from dataclasses import dataclass
from threading import BoundedSemaphore, Event
from typing import Annotated

from fastapi import Header

from pgproof.bootstrap import App
from pgproof.domain.job import Job

LONGEST = 300  # seconds; behind most proxies less is possible
# Each holds a thread of the server's pool, and others must find some free.
_AT_ONCE = 8
_SLICE = 1  # seconds

_WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*", re.IGNORECASE)

Prefer = Annotated[
    str | None,
    Header(
        max_length=1000,
        description=f"`wait=SECONDS` holds the answer until the job has ended, {LONGEST} seconds at most.",
        examples=["wait=60"],
    ),
]


@dataclass(frozen=True)
class Waited:
    """A job after waiting; `seconds` is what was granted, ``None`` if nothing was."""

    job: Job
    seconds: int | None

    @property
    def headers(self) -> dict[str, str]:
        """The header that tells the caller."""
        return {} if self.seconds is None else {"Preference-Applied": f"wait={self.seconds}"}


class Waiters:
    """Lets so many requests wait at once; a preference of any more is not honoured, which it need not be.

    None waits for more than `longest` seconds.
    """

    def __init__(self, at_once: int = _AT_ONCE, longest: int = LONGEST) -> None:
        self._longest = longest
        self._places = BoundedSemaphore(at_once)
        self._closed = Event()

    def close(self) -> None:
        """Answer whoever waits within a second, and let nobody wait any more. A signal handler may call it."""
        self._closed.set()

    def wait(self, app: App, job: Job, wanted: int | None) -> Waited:
        """The job when it has ended, or as it is after `wanted` seconds."""
        if wanted is None or not self._places.acquire(blocking=False):
            return Waited(job, None)
        try:
            wanted = left = min(wanted, self._longest)
            while job.unfinished and left > 0 and not self._closed.is_set():
                job = app.jobs.wait(job.id, min(_SLICE, left))
                left -= _SLICE
            return Waited(job, wanted)
        finally:
            self._places.release()


def wanted_wait(prefer: str | None) -> int | None:
    """How many seconds a header asks for. What is not understood is no error: it is a preference."""
    for part in (prefer or "").split(","):
        preference = part.partition(";")[0]
        if found := _WAIT.fullmatch(preference):
            return min(int(found[1]), LONGEST)
    return None
