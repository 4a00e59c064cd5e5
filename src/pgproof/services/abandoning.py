"""Giving up on a restore whose server does not come back: what became of it, nobody can be asked any more.

As long as it is unfinished it keeps its database from being restored again, and its backups from every cleanup.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from pgproof.domain.errors import (
    ANSWERED,
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    DatabaseMissing,
    NotFound,
    PgproofError,
    PostgresError,
    ServerUnreachable,
    WorkerLost,
)
from pgproof.domain.restore import Restore, RestoreMode, RestoreStatus, RestoreStep
from pgproof.domain.wording import in_quotes, listed
from pgproof.services.completing import reopen
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


def abandon(
    catalog: Catalog, clock: Clock, settle: Callable[[int], str], restore_id: int, *, by: str, undo_hours: int
) -> Restore:
    """Settle a restore that was left behind, or give it up if its server is gone; the restore then.

    What is given up has failed; an undo leaves its restore completed, to be undone should the server come back, with an
    undo window of `undo_hours` from now on at least. Nothing is removed from any server. `settle` asks that once more.
    Raises as it and `check_abandonable` do if the server answers or cannot be asked, or if the catalog does not.
    """
    restore = check_abandonable(catalog, restore_id)
    try:
        settle(restore_id)
    except (ServerUnreachable, DatabaseMissing, NotFound) as error:
        if error.facts.get(ANSWERED):
            raise _answers(restore, error) from error
        return _give_up(catalog, clock, restore_id, by, f"since {error.detail}", undo_hours)
    except PostgresError as error:
        raise _answers(restore, error) from error
    except ConfigurationError as error:
        raise _refusal(restore, error, "its server cannot be asked", error.hint) from error
    return catalog.get_restore(restore_id)


def abandon_unasked(catalog: Catalog, clock: Clock, restore_id: int, *, by: str, undo_hours: int) -> Restore:
    """Give up a restore that was left behind, on the word of a person that its server is gone; the restore then.

    For one whose address is another server's by now, or that cannot be asked, since the key to its password is lost.
    Raises as `check_abandonable` does.
    """
    check_abandonable(catalog, restore_id)
    return _give_up(catalog, clock, restore_id, by, f"since {by} says that its server is gone", undo_hours)


def left_over(restore: Restore) -> Sequence[str]:
    """The databases beside the live one that its server may still hold, and that nobody will drop."""
    shadow, previous = restore.shadow_database, restore.previous_database
    if restore.status is RestoreStatus.UNDOING:
        return [shadow]
    match restore.options.mode:
        case RestoreMode.IN_PLACE:
            return []
        case RestoreMode.NEW_DATABASE:
            return [restore.dbname, shadow]
    return [shadow, *([previous] if previous else [])]


def was_given_up(restore: Restore) -> bool:
    """Whether its end, or that of its undo, was recorded without knowing it."""
    return bool(restore.error_details.get(GIVEN_UP))


def what_is_known(restore: Restore) -> str:
    """How far a restore, or its undo, has come by its record alone."""
    if restore.status is RestoreStatus.UNDOING:
        return "whether the undo happened is not known"
    if restore.step in (RestoreStep.REPLACE, RestoreStep.SWAP):
        return "whether it happened is not known"
    if restore.options.mode is RestoreMode.IN_PLACE and restore.step is RestoreStep.ANALYZE:
        return "it had replaced the contents"
    return "the live database had not been touched"


def how_to_look(restore: Restore) -> str:
    """How a person finds out on the server whether a swap that was given up had happened."""
    live, shadow = in_quotes(restore.dbname), in_quotes(restore.shadow_database)
    begin = f"See what its server has: psql --list. With {shadow} beside {live} it had not happened"
    if restore.previous_database is None:
        return f"{begin}, without it it had."
    previous = in_quotes(restore.previous_database)
    return (
        f"{begin}. With {previous} beside {live} it had: that is what was there before. To have it back, rename both "
        "by hand (ALTER DATABASE ... RENAME TO ...)."
    )


def _answers(restore: Restore, error: PgproofError) -> PgproofError:
    hint = error.hint
    if error.facts.get(ANSWERED):
        hint = "See to it that it takes sessions again; what it says tells why."
    if isinstance(error, AuthenticationFailed):
        hint = (
            "Give pgproof a role and a password that it takes: "
            f"pgproof database update {shlex.quote(restore.database)} URL, or BACKUP_POSTGRES_USER and "
            "BACKUP_POSTGRES_PASSWORD if the settings name it."
        )
    return _refusal(restore, error, "its server answers", hint)


def _refusal(restore: Restore, error: PgproofError, why: str, mend: str) -> PgproofError:
    settled = f"{mend} Then the restore" if mend else "As soon as that server can be asked, the restore"
    return type(error)(
        f"restore {restore.id} is not given up, since {why}: {error.detail}",
        hint=f"{settled} is settled by itself. If its own server is gone for good, whatever has that address by now: "
        f"pgproof abandon {restore.id} --server-gone",
        facts=error.facts,
    )


def _give_up(catalog: Catalog, clock: Clock, restore_id: int, by: str, why: str, undo_hours: int) -> Restore:
    now = clock.now()
    with catalog.own(Lock.RESTORE, restore_id):
        restore = catalog.get_restore(restore_id)
        if restore.status not in _UNFINISHED:
            return restore  # somebody was quicker
        given_up = WorkerLost(
            f"given up, {why}: {what_is_known(restore)}", hint=_advice(restore), facts={GIVEN_UP: True}
        )
        ended = replace(restore, **described(given_up))
        if restore.status is RestoreStatus.UNDOING:
            # Not failed: if the undo had not happened, it can be asked for again. Which it was, the OIDs tell then.
            ended = reopen(catalog, ended, now, undo_hours)
        else:
            ended = replace(ended, status=RestoreStatus.FAILED, completed_at=now)
        catalog.append_log(Lock.RESTORE, restore_id, [f"{by} gave it up: {given_up.detail}"], now)
        catalog.save_restore(ended, expected=restore.status)
    return ended


def _advice(restore: Restore) -> str:
    names = left_over(restore)
    if not names:
        return "If that server comes back, look what the database holds."
    quoted = listed([in_quotes(name) for name in names])
    look = f"look whether it has {quoted}: pgproof does not drop that any more."
    if restore.status is RestoreStatus.UNDOING:
        return f"If that server comes back: pgproof undo {restore.id}. If that says that it is undone already, {look}"
    return f"If that server comes back, {look}"
