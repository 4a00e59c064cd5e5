"""Errors as the person or the program at the command line sees them."""

import traceback
from collections.abc import Iterator
from typing import Any

from pgproof.domain.errors import PgproofError

_SHOWN_LINES = 20


def as_document(error: PgproofError) -> dict[str, Any]:
    """The JSON object of an error."""
    return document(error.code, error.detail, error.hint, error.facts)


def document(code: str, detail: str, hint: str = "", facts: dict[str, Any] | None = None) -> dict[str, Any]:
    """The JSON object of any failure."""
    return {"error": {"code": code, "detail": detail, "hint": hint, "facts": facts or {}}}


def as_text(error: PgproofError) -> str:
    """What happened, the details line by line, and what to do."""
    return "\n".join([*_details(error), *([f"hint: {error.hint}"] if error.hint else [])])


def _details(error: PgproofError) -> Iterator[str]:
    problems = error.facts.get("problems")
    if problems:
        yield from (f"error: {problem}" for problem in problems)
        return
    yield f"error: {error.detail}"
    for lines in error.facts.values():
        if isinstance(lines, list | tuple):
            yield from (f"  {line}" for line in lines[-_SHOWN_LINES:])
            if len(lines) > _SHOWN_LINES:
                yield f"  (the last {_SHOWN_LINES} of {len(lines)})"


def unexpected(error: BaseException, *, debug: bool) -> str:
    """A defect of ours: one line, or the whole traceback for those who asked for it."""
    if debug:
        return "".join(traceback.format_exception(error)).rstrip()
    line = " ".join(str(error).split())
    return (
        f"error: unexpected {type(error).__name__}: {line}\n"
        "hint: This is a defect of pgproof. BACKUP_LOG_LEVEL=debug shows where it happened; please report it."
    )
