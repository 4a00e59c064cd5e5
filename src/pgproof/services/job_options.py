"""Options of jobs as the JSON objects that the catalog keeps."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pgproof.domain.restore import RestoreMode, RestoreOptions

_LISTS = ("tables", "schemas")


def restore_options_as_json(options: RestoreOptions) -> dict[str, Any]:
    """A JSON object with every option."""
    lists = {name: list(getattr(options, name)) for name in _LISTS}
    return {**asdict(options), "mode": options.mode.value, "role_map": dict(options.role_map), **lists}


def restore_options_from_json(stored: Mapping[str, Any]) -> RestoreOptions:
    """What was asked for. Raises `InvalidInput`."""
    lists = {name: tuple(stored[name]) for name in _LISTS}
    return RestoreOptions(**{**stored, "mode": RestoreMode(stored["mode"]), **lists})
