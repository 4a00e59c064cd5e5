"""What a rebuild tells of the databases, schedules, rules and users of an export, and of other installations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgproof.domain.wording import listed
from pgproof.entrypoints.cli import text
from pgproof.services.cataloguing.adopting import Adopted
from pgproof.services.cataloguing.rebuilding import HELD_FOR, OtherInstallation, Rebuilding


def others_document(done: Rebuilding) -> Sequence[Mapping[str, Any]]:
    """What a machine is told of the installations that took the backups."""
    return [
        {
            "installation": one.installation,
            "backups": one.backups,
            "databases": list(one.databases),
            "warning": warning(one),
        }
        for one in done.others
    ]


def warning(other: OtherInstallation) -> str:
    """What becomes of the backups that another installation took, and what to do if that is still at work."""
    one = other.backups == 1
    names = listed([text.plain(name) for name in other.databases])
    whose = "by an installation that the manifests do not name" if other.installation is None else "by another one"
    named = "" if other.installation is None else f", {text.plain(other.installation)}"
    return (
        f"{text.count(other.backups, 'backup')} ({names}) {'was' if one else 'were'} not taken by this installation, "
        f"but {whose}{named}. After {HELD_FOR.days} days the cleanup of this one removes from the storage what its own "
        "rules do not keep, and does not know what the other one holds. If that is gone, all is well. If it is still "
        "at work: let this one use a copy of the storage (BACKUP_DIR or BACKUP_STORAGE_URL), or at least keep "
        "everything (BACKUP_RETENTION_DAYS=36500; `pgproof hold` for single backups)"
    )


def adopted_document(adopted: Adopted | None) -> Mapping[str, Any]:
    """What a machine is told; empty lists where no export was given."""
    if adopted is None:
        return {"schedules": [], "rules": [], "rules_without_urls": [], "users_to_add": [], "problems": []}
    return {
        "schedules": [
            {"database": one.database, "task": one.task.value, "cron": one.cron, "timezone": one.zone}
            for one in adopted.schedules
        ],
        "rules": [rule.database for rule in adopted.rules],
        "rules_without_urls": list(adopted.silent),
        "users_to_add": [{"name": name, "role": role.value} for name, role in adopted.users.items()],
        "problems": list(adopted.problems),
    }


def adopted_lines(adopted: Adopted | None, *, dry_run: bool) -> Iterator[str]:
    """What a person is told, with what is left to do."""
    if adopted is None:
        return
    would = "would be" if dry_run else "were"
    schedules = text.count(len(adopted.schedules), "schedule")
    yield f"{schedules} and {text.count(len(adopted.rules), 'notification rule')} {would} brought back"
    for name in adopted.silent:
        rule = "pgproof notify set-rule" if name is None else f"pgproof notify set-rule {text.quoted(name)}"
        yield f"an export holds no URLs; give the rule its own again, with all its options: {rule}"
    for name, role in adopted.users.items():
        yield f"an export holds no passwords; add the user again: pgproof user add {text.quoted(name)} --role {role}"
    for problem in adopted.problems:
        yield f"not brought back: {text.plain(problem)}"
