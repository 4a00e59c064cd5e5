"""Errors as the person or the program at the command line sees them."""

import traceback
from collections.abc import Iterator
from typing import Any

from pgproof.domain.errors import PgproofError

_SHOWN_LINES = 20
# Who was killed had no last words: what its stderr ends in is its work, not what was wrong.
_SHOWN_OF_THE_KILLED = 3
_REPORT = "This is a defect of pgproof; please report it."
_REPORT_WITH = "This is a defect of pgproof. BACKUP_LOG_LEVEL=debug shows where it happened; please report it."


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
    status = error.facts.get("exit_status")
    shown = _SHOWN_OF_THE_KILLED if isinstance(status, int) and status < 0 else _SHOWN_LINES
    for lines in error.facts.values():
        if isinstance(lines, list | tuple):
            yield from (f"  {line}" for line in lines[-shown:])
            if len(lines) > shown:
                yield f"  (the last {shown} of {len(lines)})"


def unexpected(error: BaseException, *, debug: bool) -> str:
    """A defect of ours: one line, or the whole traceback for those who asked for it."""
    if debug:
        return "".join(traceback.format_exception(error)).rstrip()
    return f"error: {_in_one_line(error)}\nhint: {_REPORT_WITH}"


def unexpected_document(error: BaseException, *, debug: bool) -> dict[str, Any]:
    """The same for machines; the traceback is a fact."""
    facts = {"traceback": traceback.format_exception(error)} if debug else {}
    return document("unexpected", _in_one_line(error), _REPORT if debug else _REPORT_WITH, facts)


def _in_one_line(error: BaseException) -> str:
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
