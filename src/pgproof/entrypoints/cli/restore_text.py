"""Restores as people read them: what is about to happen, and what happened."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import FAILED_LOAD, Restore, RestoreMode, RestoreOptions, RestoreStatus
from pgproof.domain.wording import in_quotes, listed
from pgproof.entrypoints.cli import text
from pgproof.services.abandoning import left_over, was_given_up
from pgproof.services.forecast import Forecast, UndoForecast, come_back_empty

_COMPARED = {
    FingerprintLevel.NONE: "its tables are all there; their rows were not counted when the backup was taken",
    FingerprintLevel.COUNTS: "every table has exactly as many rows as the backup recorded",
    FingerprintLevel.CONTENT: "every row of every table is as the backup recorded it",
}

_IMPORTED = "nothing was compared, since nobody recorded what the database held when this imported dump was made"


def intent(forecast: Forecast, options: RestoreOptions, zone: tzinfo) -> str:
    """What a restore is about to take the place of; the person confirms it."""
    backup = f"backup {forecast.backup.id} of {text.moment(forecast.backup.taken_at, zone)}"
    place = forecast.place.with_role
    if not forecast.exists:
        return f"the database {place} does not exist and is to be made from {backup}"
    if options.mode is RestoreMode.SWAP:
        return f"the database {place} is to be replaced by {backup}"
    return f"{_whole_or_part(options)} of the database {place} {_are(options)} to be replaced in place by {backup}"


def details(forecast: Forecast, options: RestoreOptions, undo_hours: int) -> Sequence[str]:
    """What else a person wants to know before saying yes; whole sentences."""
    lines = []
    if forecast.from_elsewhere:
        lines.append("The backup was taken on another server than this one.")
    if forecast.exists:
        lines.append(_before_and_after(options, undo_hours))
        lines.append(_sessions(options.mode, forecast.sessions))
    if not forecast.manifest.comparable:
        lines.append("It is an imported dump: there is nothing to compare the result with.")
    empty = come_back_empty(forecast.manifest, options)
    if empty:
        lines.append(f"{_empty(empty)}: the backup was taken without these rows.")
    return lines


def undo_intent(forecast: UndoForecast, zone: tzinfo) -> str:
    """What an undo is about to take the place of."""
    restore = forecast.restore
    return (
        f"restore {restore.id} of {text.moment(restore.created_at, zone)} is to be undone: "
        f"the database {forecast.place.with_role} becomes again what it was before"
    )


def undo_details(forecast: UndoForecast) -> Sequence[str]:
    """Where that comes from, and what becomes of the present database."""
    return [
        f"It comes back from {in_quotes(forecast.previous)}. {_sessions(RestoreMode.SWAP, forecast.sessions)}",
        f"What is there now, with all that was written since, stays as {in_quotes(forecast.restore.shadow_database)}.",
    ]


def report(done: Restore, forecast: Forecast, now: datetime, zone: tzinfo) -> str:
    """What a restore has done, how long each step took, and the way back."""
    return "\n".join([summary(done, forecast), *_facts(done, forecast.manifest), *_way_back(done, now, zone)])


def summary(done: Restore, forecast: Forecast) -> str:
    """One line: what came back, where, and what it was compared with."""
    what = "chosen tables of " if done.options.selective else ""
    compared = _COMPARED[forecast.manifest.fingerprint.level] if forecast.manifest.comparable else _IMPORTED
    place = f"{in_quotes(done.dbname)} on {forecast.place.address}"
    return (
        f"{what}backup {done.backup_id} {'are' if what else 'is'} restored to {place} "
        f"({text.duration(done.duration_seconds)}): {compared}"
    )


def undone(done: Restore, forecast: UndoForecast) -> str:
    """What an undo has done, and what it left."""
    place = f"{in_quotes(done.dbname)} on {forecast.place.address}"
    return f"restore {done.id} is undone: {place} is what it was before the restore"


def abandon_intent(found: Restore, *, server_gone: bool) -> str:
    """What giving up on a restore means, in one sentence."""
    what = "the undo of restore" if found.status is RestoreStatus.UNDOING else "restore"
    when = "without asking its server" if server_gone else "should its server still not answer"
    return f"{what} {found.id} of {in_quotes(found.database)} is to be given up, {when}"


def abandon_details(found: Restore, *, server_gone: bool) -> Sequence[str]:
    """What nobody will look after any more."""
    return [
        "A restore is settled by itself as soon as its server answers: give up only on a server that is gone for good.",
        *(["One that refuses the password is not gone, unless another server has its address."] if server_gone else []),
        *(
            [f"If it comes back and the undo had not happened, pgproof undo {found.id} does it."]
            if found.status is RestoreStatus.UNDOING
            else []
        ),
        *(f"If it comes back, {in_quotes(name)} may be there; it is never dropped." for name in left_over(found)),
    ]


def abandoned(done: Restore) -> str:
    """What giving up has come to: it may have been settled after all."""
    if was_given_up(done) and done.status is RestoreStatus.COMPLETED:
        return f"the undo of restore {done.id} is recorded as failed: {done.error_message}"
    if was_given_up(done):
        return f"restore {done.id} is recorded as failed: {done.error_message}"
    return f"its server answered, so restore {done.id} is settled: it is {done.status.value}"


def abandon_advice(done: Restore) -> Sequence[str]:
    """What to do with it now."""
    hint = str(done.error_details.get("hint", ""))
    return [hint] if hint else []


def unsettled(found: Sequence[Restore]) -> str:
    """What to do about restores that were left behind."""
    return "\n".join(
        f"restore {one.id} was left behind by a process that died; it is settled as soon as its server answers. "
        f"If that is gone for good: pgproof abandon {one.id}"
        for one in found
    )


def table(found: Sequence[Restore], everything: Sequence[Restore], now: datetime, zone: tzinfo) -> str:
    """Restores with what they kept and until when they can be undone; `everything` tells what came after each."""
    if not found:
        return "there are no such restores yet; make one with: pgproof restore ID"
    last: dict[str, int] = {}
    for restore in everything:
        if restore.status in (RestoreStatus.COMPLETED, RestoreStatus.UNDOING):
            last[restore.database] = max(restore.id, last.get(restore.database, 0))
    rows = [
        (
            str(restore.id),
            str(restore.backup_id),
            text.plain(restore.dbname),
            restore.options.mode.value.replace("_", " "),
            text.moment(restore.created_at, zone),
            state(restore),
            text.plain(restore.kept_database),
            _undo(restore, last.get(restore.database, 0), now, zone),
        )
        for restore in found
    ]
    headings = ("RESTORE", "BACKUP", "DATABASE", "MODE", "BEGUN", "STATE", "KEEPS", "WAY BACK")
    return text.columns(headings, rows, right=frozenset({0, 1}))


def state(restore: Restore) -> str:
    """Where a restore stands; an unfinished or failed one with its step."""
    if restore.status in (RestoreStatus.RUNNING, RestoreStatus.FAILED):
        return f"{restore.status.value} ({restore.step.value.replace('_', ' ')})"
    return restore.status.value


def _whole_or_part(options: RestoreOptions) -> str:
    if not options.selective:
        return "the contents"
    parts = [text.plain(name) for name in options.tables]
    parts += [f"everything in schema {text.plain(name)}" for name in options.schemas]
    return "tables " + listed(parts) if options.tables else listed(parts)


def _are(options: RestoreOptions) -> str:
    return "are" if options.tables or not options.selective else "is"


def _before_and_after(options: RestoreOptions, undo_hours: int) -> str:
    first = "It is backed up first" if options.create_safety_backup else "It is NOT backed up first"
    if options.mode is RestoreMode.SWAP:
        kept = (
            f"kept beside the new one for an undo for {text.count(undo_hours, 'hour')}"
            if undo_hours
            else "kept beside the new one until the next cleanup"
        )
        return f"{first}, and {kept}."
    if options.create_safety_backup:
        return (
            f"{first}; that backup is the only way back: in place there is no undo. "
            "What is written after it has begun is lost, so stop the application first."
        )
    return f"{first}, and in place there is no undo: there is NO way back."


def _sessions(mode: RestoreMode, sessions: int) -> str:
    clients = f"{text.count(sessions, 'session')} {'is' if sessions == 1 else 'are'} connected now"
    if mode is RestoreMode.SWAP:
        return f"{clients}; whoever is connected at the swap is cut off."
    return f"{clients}; whoever uses these tables waits until it is done."


def _empty(names: Sequence[str]) -> str:
    return f"{listed([text.plain(name) for name in names])} {'comes' if len(names) == 1 else 'come'} back empty"


def _facts(done: Restore, manifest: Manifest) -> Iterator[str]:
    empty = come_back_empty(manifest, done.options)
    if empty:
        yield f"{_empty(empty)}: the backup was taken without these rows"
    timings = dict(done.timings)
    refused = timings.pop("refused", None)
    if FAILED_LOAD in timings:
        yield f"pgproof log {done.id} --restore tells why the first load failed, and was done again with one job"
    if timings:
        steps = ", ".join(f"{step.replace('_', ' ')} {seconds:.2f} s" for step, seconds in timings.items())
        yield f"steps: {steps}"
    if refused is not None and done.previous_database is not None:
        yield f"the live database refused connections for {refused:.2f} s"


def _way_back(done: Restore, now: datetime, zone: tzinfo) -> Iterator[str]:
    places = [f"in backup {done.safety_backup_id}"] if done.safety_backup_id is not None else []
    places += [f"in the database {in_quotes(done.previous_database)}"] if done.previous_database is not None else []
    if places:
        yield f"what was there before is safe {' and '.join(places)}"
    if done.undo_until is not None:
        yield (
            f"until {text.moment(done.undo_until, zone)} undo it with: pgproof undo {done.id}"
            if done.undo_until > now
            else f"until the next cleanup undo it with: pgproof undo {done.id}"
        )


def _undo(restore: Restore, last: int, now: datetime, zone: tzinfo) -> str:
    if restore.status is not RestoreStatus.COMPLETED:
        return text.NOTHING
    if restore.kept_database is not None and restore.undo_until is not None:
        until = text.moment(restore.undo_until, zone) if restore.undo_until > now else "the next cleanup"
        return f"until {until}: pgproof undo {restore.id}" + (f", after {last}" if last > restore.id else "")
    if restore.safety_backup_id is None:
        return text.NOTHING
    in_place = " --mode in-place" if restore.options.mode is RestoreMode.IN_PLACE else ""
    return f"pgproof restore {restore.safety_backup_id}{in_place}"
