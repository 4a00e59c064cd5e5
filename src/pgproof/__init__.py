"""pgproof: PostgreSQL backups, proven by restoring them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgproof.scripting import Pgproof as Pgproof
    from pgproof.scripting import open as open  # noqa: A004 - the name promised to scripts

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`open` and `Pgproof`, imported when somebody asks: they bring everything else along."""
    if name in {"Pgproof", "open"}:
        return getattr(import_module("pgproof.scripting"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
