"""What a retention policy asks for."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from pgproof.domain.errors import InvalidInput

COUNTED = {
    "keep_last": "last",
    "keep_daily": "daily",
    "keep_weekly": "weekly",
    "keep_monthly": "monthly",
    "keep_yearly": "yearly",
}


@dataclass(frozen=True)
class RetentionPolicy:
    """What to keep of each database. Making one checks every value; raises `InvalidInput`.

    `keep_days` are times 24 hours; a backup of exactly that age is kept. The other counts are numbers of
    backups, of ISO weeks, of calendar days, months and years in `zone`; 0 is no such rule. Periods without
    a backup do not count.
    """

    keep_days: int | None = None
    keep_last: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    minimum_redundancy: int = 1
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in (*COUNTED, "minimum_redundancy")}
        counts["keep_days"] = self.keep_days or 0
        for name, count in counts.items():
            if count < 0:
                raise InvalidInput(
                    f"{name} of a retention policy is {count}", hint="Use a whole number from 0 on; 0 is no such rule."
                )
        if not self.keep_days and self.by_age_alone:
            raise InvalidInput(
                "this retention policy would keep nothing",
                hint=f"Give at least one of keep_days, {', '.join(COUNTED)} a value above 0.",
            )

    def __str__(self) -> str:
        parts = [counted(self.keep_days, "day")] if self.keep_days else []
        parts += [f"{word} {getattr(self, name)}" for name, word in COUNTED.items() if getattr(self, name)]
        return f"{', '.join(parts)}, at least {self.minimum_redundancy} of each database, time zone {self.zone}"

    @property
    def by_calendar(self) -> bool:
        """Whether days, weeks, months or years count."""
        return any((self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly))

    @property
    def by_age_alone(self) -> bool:
        """Whether no count keeps anything."""
        return not any(getattr(self, name) for name in COUNTED)


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 day, 7 days."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
