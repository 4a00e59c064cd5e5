"""The part of the catalog that counts failed attempts to sign in."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.access_models import FailureRow
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.sign_in_limit import Failures, Subject

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_FORGOTTEN_AT_ONCE = 1_000


class FailureRecords(Records):
    """See the port `FailureRecords`. A count of zero is none."""

    def change_failures(
        self,
        subjects: Collection[Subject],
        change: Callable[[Mapping[Subject, Failures]], Mapping[Subject, Failures]],
    ) -> None:
        """Give `change` what is counted for these subjects, and store what it returns instead."""
        with self._transactions() as session:
            counted = _locked(session, subjects)
            changed = change(counted)
            for subject in subjects:
                new = changed.get(subject, Failures(0, _NEVER))
                session.execute(
                    update(FailureRow)
                    .where(FailureRow.name == subject.name, FailureRow.address == subject.address)
                    .values(failures=new.number, last_at=new.last_at)
                )

    def forget_failures(self, name: str) -> None:
        """Forget what is counted for a name, from every address."""
        with self._transactions() as session:
            session.execute(delete(FailureRow).where(FailureRow.name == name))

    def forget_old_failures(self, before: datetime) -> None:
        """Forget counts whose last failure was before that time, without waiting for anybody."""
        old = (
            select(FailureRow.id)
            .where(FailureRow.last_at < before)
            .limit(_FORGOTTEN_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        with self._transactions() as session:
            session.execute(delete(FailureRow).where(FailureRow.id.in_(old)))


def _locked(session: Session, subjects: Collection[Subject]) -> Mapping[Subject, Failures]:
    """What is counted; until the end of the transaction nobody else sees or changes it."""
    values = [
        {"name": subject.name, "address": subject.address, "failures": 0, "last_at": _NEVER}
        for subject in sorted(subjects)  # in one order for all, so that nobody waits in a circle
    ]
    statement = insert(FailureRow).values(values)
    locked = statement.on_conflict_do_update(
        index_elements=["name", "address"], set_={"failures": FailureRow.failures}
    ).returning(FailureRow.name, FailureRow.address, FailureRow.failures, FailureRow.last_at)
    rows = session.execute(locked)
    return {
        Subject(name, address): Failures(failures, last_at) for name, address, failures, last_at in rows if failures
    }
