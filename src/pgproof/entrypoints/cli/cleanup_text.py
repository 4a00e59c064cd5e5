"""A cleanup as people read it: the plan with every reason, and what was done."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from pgproof.domain.backup import Backup
from pgproof.domain.retention import Action
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.entrypoints.cli import text
from pgproof.services.expiry import CleanupPlan, Sweep
from pgproof.services.orphans import StoredFolder

_RIGHT = frozenset({1})


def report(plan: CleanupPlan, done: Sweep | None, policy: RetentionPolicy, zone: tzinfo, message: str) -> str:
    """All decisions for a dry run (`done` is ``None``), else only what goes; `message` at the end."""
    tables = [
        _backups(plan, zone, everything=done is None),
        _databases(plan, zone, everything=done is None),
        _folders(plan, done),
    ]
    return "\n\n".join(
        [f"policy: {policy}", *(table for table in tables if table), "\n".join([*_ends(plan, done), message])]
    )


def summary(plan: CleanupPlan, done: Sweep | None, *, with_orphans: bool) -> str:
    """One line about all of it."""
    kept = sum(decision.backup.usable for decision in plan.with_action(Action.KEEP))
    stay = f"{text.count(kept, 'usable backup')} {'stays' if kept == 1 else 'stay'}"
    if done is None:
        return f"{planned(plan, with_orphans=with_orphans) or 'nothing is to be removed'}; {stay}"
    parts = list(_amounts(done.expired, len(done.forgotten), len(done.dropped), done.removed))
    removed = f"removed: {', '.join(parts)}" if parts else "nothing was removed"
    failed = f"; {text.count(len(done.failures), 'removal')} failed" if done.failures else ""
    return f"{removed}{failed}; {stay}"


def planned(plan: CleanupPlan, *, with_orphans: bool) -> str:
    """What is to be removed; empty if that is nothing."""
    expiring = [decision.backup for decision in plan.with_action(Action.EXPIRE)]
    forgotten = len(plan.with_action(Action.FORGET))
    folders = plan.orphans.removable if with_orphans else ()
    parts = list(_amounts(expiring, forgotten, len(plan.due_databases), folders))
    return f"to be removed for good: {', '.join(parts)}" if parts else ""


def _amounts(backups: Sequence[Backup], records: int, databases: int, folders: Sequence[StoredFolder]) -> Iterator[str]:
    if backups:
        size = sum(backup.file_size or 0 for backup in backups)
        yield f"{text.count(len(backups), 'backup')} ({text.size(size)})"
    if records:
        yield f"{text.count(records, 'record')} of failed backups"
    if databases:
        yield f"{text.count(databases, 'database')} of past undo windows"
    if folders:
        size = sum(folder.size for folder in folders)
        yield f"{text.count(len(folders), 'folder')} without a manifest ({text.size(size)})"


def _backups(plan: CleanupPlan, zone: tzinfo, *, everything: bool) -> str:
    shown = [
        decision
        for decided in plan.decisions.values()
        for decision in decided
        if everything or decision.action is not Action.KEEP
    ]
    rows = [
        (
            text.plain(decision.backup.database),
            str(decision.backup.id),
            text.moment(decision.backup.taken_at, zone),
            text.size(decision.backup.file_size),
            text.plain(str(decision)),
        )
        for decision in shown
    ]
    headings = ("DATABASE", "ID", "TAKEN", "SIZE", "DECISION")
    return text.columns(headings, rows, right=frozenset({1, 3})) if rows else ""


def _databases(plan: CleanupPlan, zone: tzinfo, *, everything: bool) -> str:
    rows = [
        (
            text.plain(kept.name),
            str(kept.restore.id),
            text.moment(kept.until, zone),
            f"{'dropped' if kept.due else 'kept'}: {kept.reason}",
        )
        for kept in plan.kept_databases
        if everything or kept.due
    ]
    return text.columns(("KEPT DATABASE", "RESTORE", "UNDO UNTIL", "DECISION"), rows, right=_RIGHT) if rows else ""


def _folders(plan: CleanupPlan, done: Sweep | None) -> str:
    removed = set() if done is None else {found.folder for found in done.removed}
    rows = [
        *(
            _folder(found, "removed" if found.folder in removed else "no manifest: removed with --remove-orphans only")
            for found in plan.orphans.removable
        ),
        *(_folder(found, "whole, but unknown to the catalog: never removed") for found in plan.orphans.importable),
        *(_folder(found, "another installation's: never removed") for found in plan.orphans.claimed),
    ]
    headings = ("FOLDER WITHOUT A BACKUP", "OBJECTS", "SIZE", "DECISION")
    return text.columns(headings, rows, right=frozenset({1, 2})) if rows else ""


def _folder(found: StoredFolder, decision: str) -> tuple[str, str, str, str]:
    return text.plain(found.folder), str(found.objects), text.size(found.size), decision


def _ends(plan: CleanupPlan, done: Sweep | None) -> Sequence[str]:
    if done is None:
        beyond = "; ".join(text.plain(str(one)) for one in plan.too_much)
        return (
            [f"a cleanup stops here unless --force is given, because it would remove too much: {beyond}"]
            if beyond
            else []
        )
    failed = [f"failed: {text.plain(f'{one.what}: {one.error.detail}')}" for one in done.failures]
    return [*(f"left alone: {text.plain(line)}" for line in done.left_alone), *failed]
