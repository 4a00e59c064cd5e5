"""A row by its number, or a clear error."""

from typing import TypeVar

from sqlalchemy.orm import Session

from pgproof.adapters.catalog.job_models import JobRow
from pgproof.adapters.catalog.models import BackupRow, Base, RestoreRow, RestoreTestRow
from pgproof.adapters.catalog.schedule_models import ScheduleRow
from pgproof.domain.errors import NotFound

_LARGEST_ID = 2**63 - 1
_NAMES: dict[type[Base], tuple[str, str]] = {
    BackupRow: ("backup", "`pgproof list` shows all backups with their numbers."),
    RestoreRow: ("restore", "`pgproof list --restores` shows all restores with their numbers."),
    JobRow: ("job", "`pgproof job list` shows all jobs with their numbers."),
    ScheduleRow: ("schedule", "`pgproof schedule list` shows all schedules with their numbers."),
    RestoreTestRow: ("restore test", "`pgproof show ID` lists the restore tests of a backup."),
}
_Row = TypeVar("_Row", bound=Base)


def is_possible_id(key: int) -> bool:
    """Whether a row can have that number."""
    return 0 < key <= _LARGEST_ID


def found(session: Session, kind: type[_Row], key: int, *, lock: bool = False) -> _Row:
    """The row of that number; until the end of the transaction nobody else changes it if it is to `lock`.

    Raises `NotFound`.
    """
    row = session.get(kind, checked_id(key, kind), with_for_update=lock)
    if row is None:
        raise _not_found(key, kind)
    return row


def checked_id(key: int, kind: type[Base]) -> int:
    """A number that a row can have. Raises `NotFound` for any other."""
    if not is_possible_id(key):
        raise _not_found(key, kind)
    return key


def _not_found(key: int, kind: type[Base]) -> NotFound:
    name, hint = _NAMES[kind]
    return NotFound(f"the catalog has no {name} {key}", hint=hint)
