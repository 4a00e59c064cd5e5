"""How much a cleanup may remove at once: a wrong setting or a wrong clock must not take most of what there is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pgproof.domain.retention import Action, Decision

# Of three backups two may be due on an ordinary day: a share of so few says nothing.
TOO_FEW = 4


@dataclass(frozen=True)
class Removal:
    """How many of the usable backups would go; `database` is ``None`` for all databases together."""

    database: str | None
    removed: int
    usable: int

    def __str__(self) -> str:
        return f"{self.database or 'all databases'}: {self.removed} of {self.usable}"


def removals_beyond(decisions: Mapping[str, Sequence[Decision]], share: float) -> Sequence[Removal]:
    """Where more than `share` (0 to 1) would go: single databases first, then all of them together."""
    each = [_removal(name, decided) for name, decided in decisions.items()]
    together = _removal(None, (decision for decided in decisions.values() for decision in decided))
    return [one for one in (*each, together) if one.usable >= TOO_FEW and one.removed > share * one.usable]


def _removal(database: str | None, decided: Iterable[Decision]) -> Removal:
    of_usable = [decision.action for decision in decided if decision.backup.usable]
    return Removal(database, of_usable.count(Action.EXPIRE), len(of_usable))
