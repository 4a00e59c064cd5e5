"""Holds back whoever fails to sign in too often, over all processes together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from pgproof.domain.credentials import name_key
from pgproof.domain.errors import TooManyAttempts
from pgproof.domain.sign_in_limit import (
    FORGOTTEN_AFTER,
    KNOWN_FOR,
    Failures,
    Subject,
    caller,
    subjects,
    wait,
    with_failure,
    without_failure,
)
from pgproof.services.ports import Clock
from pgproof.services.ports.access import AccessRecords, TokenSigner

Counted = Mapping[Subject, Failures]


@dataclass(frozen=True)
class SignInAttempt:
    """An attempt that has been counted; `origin` is where it came from."""

    origin: str
    before: Counted
    after: Counted


class SignInLimiter:
    """Counts every attempt as failed when it begins, and takes that back if it succeeds."""

    def __init__(self, records: AccessRecords, signer: TokenSigner, clock: Clock) -> None:
        self._records = records
        self._signer = signer
        self._clock = clock

    def begin(self, name: str, address: str | None) -> SignInAttempt:
        """Count an attempt. Raises `TooManyAttempts` if it comes too early; then it is not counted."""
        now, origin, key = self._clock.now(), caller(address), name_key(name)
        self._records.forget_old_failures(now - FORGOTTEN_AFTER)
        known = self._records.has_signed_in_from(name, origin, now - KNOWN_FOR)
        limits = subjects(self._signer.mark(key), origin, known=known)
        seen: list[SignInAttempt] = []

        def count(counted: Counted) -> Counted:
            remaining = wait(limits, counted, now)
            if remaining > timedelta():
                seconds = max(1, ceil(remaining.total_seconds()))
                raise TooManyAttempts(
                    f"too many failed attempts to sign in; the next one is possible in {seconds} s",
                    hint="Wait, and try again. On the machine itself this ends the wait: pgproof user passwd NAME",
                    facts={"retry_after": seconds},
                )
            after = with_failure(limits, counted, now)
            seen.append(SignInAttempt(origin, counted, after))
            return after

        self._records.change_failures(limits.keys(), count)
        return seen[-1]

    def succeeded(self, attempt: SignInAttempt) -> None:
        """Take the attempt back."""
        self._records.change_failures(
            attempt.after.keys(), lambda counted: without_failure(counted, attempt.before, attempt.after)
        )
