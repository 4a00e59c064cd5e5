"""Every setting with its default and what it must be, as the settings' own model has them."""

from datetime import tzinfo
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from pgproof.settings.model import Settings
from pgproof.settings.names import FALLBACKS, FIELDS, SECRETS

_HEAD = """# Every setting

Generated from the settings themselves by `make reference`; what they are for is told in [Settings](configuration.md).
A secret may also come from a file, whose path is given with `_FILE` at the end of the name.

| setting | default | must be |
|---|---|---|
"""


def page() -> str:
    """The page."""
    return _HEAD + "".join(f"{_row(name, field)}\n" for name, field in FIELDS.items())


def default(field: str) -> str | None:
    """A default as it would be written in `.env`; ``None`` where there is none or the platform decides."""
    found = Settings.model_fields[field].default
    return None if found is PydanticUndefined or found is None else written(found) or None


def written(value: Any) -> str:
    """A value as it would be written in `.env`."""
    match value:
        case tuple():
            return ",".join(value)
        case Enum():
            return str(value.value)
        case Path() | tzinfo():
            return str(value)
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


def _row(name: str, field: str) -> str:
    description = (Settings.model_fields[field].description or "").replace("|", "\\|")
    names = f"`{name}`" + (f", `{name}_FILE`" if name in SECRETS else "")
    known = default(field)
    shown = f"`{known}`" if known is not None else _otherwise(name)
    return f"| {names} | {shown} | {description} |"


def _otherwise(name: str) -> str:
    if name in FALLBACKS:
        return f"`{FALLBACKS[name]}`, else see [Settings](configuration.md)"
    return "see [Settings](configuration.md)"
