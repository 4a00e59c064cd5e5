"""Who is told of what, and from when on something is wrong: rules for single databases, and one for all others."""

from collections.abc import Sequence
from dataclasses import dataclass

from pgproof.domain.alert import AlertKey, AlertKind, Occasion
from pgproof.domain.errors import InvalidInput
from pgproof.domain.secret import Secret

EVERYTHING = frozenset(AlertKind)
UNPROVEN_AFTER_DAYS = 14
SHRUNKEN_BELOW = 0.5
_MOST_HOURS = 8784
_MOST_DAYS = 3660


@dataclass(frozen=True)
class AlertRule:
    """What holds for one database, or, without one, for all that have no rule of their own.

    Making one checks every value; raises `InvalidInput`. Only `kinds` are told of. `urls` are told beside those of
    the settings. A database is late when its last success is older than `late_after_hours`; without that, when a
    scheduled backup has not come. It is unproven when no restore test has passed for `unproven_after_days`, and
    shrunken when size or rows of the last backup are below this share of what is usual.
    """

    database: str | None = None
    kinds: frozenset[AlertKind] = EVERYTHING
    urls: tuple[Secret, ...] = ()
    late_after_hours: float | None = None
    unproven_after_days: int = UNPROVEN_AFTER_DAYS
    shrunken_below: float = SHRUNKEN_BELOW

    def __post_init__(self) -> None:
        hours = self.late_after_hours
        if hours is not None and not 0 < hours <= _MOST_HOURS:
            raise InvalidInput(
                f"{hours:g} hours is no limit for a backup", hint=f"Use a number above 0, up to {_MOST_HOURS}."
            )
        if not 0 < self.unproven_after_days <= _MOST_DAYS:
            raise InvalidInput(
                f"{self.unproven_after_days} days is no limit for a restore test", hint=f"Use 1 to {_MOST_DAYS} days."
            )
        if not 0 <= self.shrunken_below < 1:
            raise InvalidInput(
                f"{self.shrunken_below:g} is no share of what is usual",
                hint="Use a number from 0 (never) to below 1, such as 0.5 for half.",
            )

    def wants(self, key: AlertKey, occasion: Occasion) -> bool:
        """Whether somebody is to be told."""
        if occasion is Occasion.OVER and AlertKind.RECOVERED not in self.kinds:
            return False
        return key.kind in self.kinds


def rule_for(rules: Sequence[AlertRule], database: str) -> AlertRule:
    """The rule that holds for a database; for what concerns all (no name) it is the one without a database."""
    by_name = {rule.database: rule for rule in rules}
    default = by_name.get(None, AlertRule())
    return by_name.get(database, default) if database else default
