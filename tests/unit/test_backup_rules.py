"""Which way a backup may go, and what may be asked of it."""

import pytest

from pgproof.domain.backup import USABLE, BackupOptions, BackupStatus, check_transition
from pgproof.domain.errors import Conflict, InvalidInput

S = BackupStatus
ALLOWED = {
    (S.PENDING, S.RUNNING), (S.PENDING, S.CANCELLED), (S.PENDING, S.FAILED),
    (S.RUNNING, S.COMPLETED), (S.RUNNING, S.FAILED), (S.RUNNING, S.CANCELLED), (S.RUNNING, S.PENDING),
    (S.COMPLETED, S.RESTORED), (S.COMPLETED, S.EXPIRED), (S.COMPLETED, S.DELETED),
    (S.RESTORED, S.RESTORED), (S.RESTORED, S.EXPIRED), (S.RESTORED, S.DELETED),
    (S.FAILED, S.DELETED), (S.CANCELLED, S.DELETED), (S.EXPIRED, S.DELETED),
}  # fmt: skip


@pytest.mark.parametrize("current", list(S))
@pytest.mark.parametrize("wanted", list(S))
def test_only_the_drawn_ways_are_open(current: S, wanted: S) -> None:
    if (current, wanted) in ALLOWED:
        check_transition(current, wanted)
    else:
        with pytest.raises(Conflict):
            check_transition(current, wanted)


def test_a_restored_backup_stays_usable() -> None:
    assert {S.COMPLETED, S.RESTORED} == USABLE


@pytest.mark.parametrize("bad", [{"compression_level": 10}, {"compression_level": -1}, {"parallel_jobs": 0}])
def test_options_that_cannot_be_are_refused_when_they_are_made(bad: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        BackupOptions(**bad)  # type: ignore[arg-type]
