"""What is told of the databases, schedules, rules and users of an export."""

from collections.abc import Iterator, Mapping
from typing import Any

from pgproof.entrypoints.cli import text
from pgproof.services.cataloguing.adopting import Adopted


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
