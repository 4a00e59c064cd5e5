"""What a schedule says about the backups that it asks for."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pgproof.domain.archive import WRITTEN, Compression
from pgproof.domain.backup import BackupOptions
from pgproof.domain.errors import InvalidInput
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.schedule import Task
from pgproof.domain.wording import in_quotes, listed

_CHOICES: Mapping[str, Mapping[str, StrEnum]] = {
    "format": {form.value: form for form in WRITTEN},
    "compression": {one.value: one for one in Compression},
    "fingerprint": {one.value: one for one in FingerprintLevel},
}
_TYPES: Mapping[str, type] = {
    "include_logs": bool,
    "include_cache": bool,
    "compression_level": int,
    "parallel_jobs": int,
    "description": str,
    "format": str,
    "compression": str,
    "fingerprint": str,
}


def check_options(task: Task, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a schedule as they are stored, or `InvalidInput`."""
    if options and task is not Task.BACKUP:
        raise InvalidInput(f"a schedule for {task.value} takes no options", hint="Leave them out.")
    backup_options(BackupOptions(), options)
    return dict(options)


def backup_options(defaults: BackupOptions, options: Mapping[str, Any]) -> BackupOptions:
    """`defaults` with what a schedule says otherwise. Raises `InvalidInput`."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _TYPES:
            raise InvalidInput(f"a backup has no option {in_quotes(name)}", hint=f"It has: {', '.join(_TYPES)}.")
        if type(value) is not _TYPES[name]:
            kind = _TYPES[name].__name__
            raise InvalidInput(f"the option {name} cannot be {value!r}", hint=f"Give a value of type {kind}.")
        values[name] = _chosen(name, str(value)) if name in _CHOICES else value
    return replace(defaults, **values)


def _chosen(name: str, value: str) -> Any:
    choices = _CHOICES[name]
    if value not in choices:
        hint = f"It may be {listed(list(choices))}."
        raise InvalidInput(f"the option {name} cannot be {in_quotes(value)}", hint=hint)
    return choices[value]
