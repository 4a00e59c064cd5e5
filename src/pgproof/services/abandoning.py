"""Giving up on a restore whose server does not come back: what became of it, nobody can be asked any more.

As long as it is unfinished it keeps its database from being restored again, and its backups from every cleanup.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pgproof.domain.errors import Conflict, PgproofError, WorkerLost
from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus, RestoreStep
from pgproof.domain.wording import in_quotes, listed
from pgproof.services.describing import described
from pgproof.services.ports import Catalog, Clock, Lock

# Marks such a restore among the facts of its error: what is usually known of one that failed is not known of it.
GIVEN_UP = "given_up"

_UNFINISHED = frozenset({RestoreStatus.RUNNING, RestoreStatus.UNDOING})


def left_behind(catalog: Catalog) -> Sequence[Restore]:
    """Restores and undos that have not ended and that nobody works on, the oldest first."""
    return [one for one in catalog.unfinished_restores() if not catalog.is_owned(Lock.RESTORE, one.id)]


def check_abandonable(catalog: Catalog, restore_id: int) -> Restore:
    """The restore, if somebody left it behind. Raises `NotFound`, and `Conflict` if it has ended or is worked on."""
    restore = catalog.get_restore(restore_id)
    if restore.status not in _UNFINISHED:
        raise Conflict(
            f"restore {restore_id} has ended: it is {restore.status}", hint=f"See: pgproof log {restore_id} --restore"
        )
    if catalog.is_owned(Lock.RESTORE, restore_id):
        raise Conflict(
            f"a process works on restore {restore_id}",
            hint="Wait until it ends, or end that process: then the next command settles what it leaves.",
        )
    return restore


def abandon(catalog: Catalog, clock: Clock, settle: Callable[[int], str], restore_id: int, *, by: str) -> Restore:
    """Settle a restore that was left behind, or record that it failed if that cannot be done; the restore then.

    `settle` asks its server once more, and raises `PgproofError` if that does not answer. Raises as
    `check_abandonable` does. Nothing is removed from any server.
    """
    check_abandonable(catalog, restore_id)
    try:
        settle(restore_id)
    except Conflict:
        raise
    except PgproofError as error:
        return _give_up(catalog, clock, restore_id, by, error)
    return catalog.get_restore(restore_id)


def left_over(restore: Restore) -> Sequence[str]:
    """The databases beside the live one that its server may still hold."""
    if restore.options.mode is not RestoreMode.SWAP:
        return [restore.dbname] if restore.options.mode is RestoreMode.NEW_DATABASE else []
    return [restore.shadow_database, *([restore.previous_database] if restore.previous_database else [])]


def _give_up(catalog: Catalog, clock: Clock, restore_id: int, by: str, why: PgproofError) -> Restore:
    now = clock.now()
    with catalog.own(Lock.RESTORE, restore_id):
        restore = catalog.get_restore(restore_id)
        if restore.status not in _UNFINISHED:
            return restore  # somebody was quicker
        given_up = WorkerLost(
            f"given up, since {why.detail}: {_what_is_known(restore)}", hint=_advice(restore), facts={GIVEN_UP: True}
        )
        failed = replace(restore, status=RestoreStatus.FAILED, completed_at=now, **described(given_up))
        catalog.append_log(Lock.RESTORE, restore_id, [f"{by} gave it up: {given_up.detail}"], now)
        catalog.save_restore(failed, expected=restore.status)
    return failed


def _what_is_known(restore: Restore) -> str:
    if restore.status is RestoreStatus.UNDOING:
        return "whether the undo happened is not known"
    if restore.step in (RestoreStep.REPLACE, RestoreStep.SWAP):
        return "whether it happened is not known"
    if restore.options.mode is RestoreMode.IN_PLACE and restore.step is RestoreStep.ANALYZE:
        return "it had replaced the contents"
    return "the live database had not been touched"


def _advice(restore: Restore) -> str:
    names = left_over(restore)
    if not names:
        return "If that server comes back, look what the database holds."
    quoted = listed([in_quotes(name) for name in names])
    return f"If that server comes back, look whether it has {quoted}: pgproof does not drop that any more."
