"""What this process writes to the audit trail: as `cli:`, or `python:`, and the user of the operating system."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pgproof.domain.audit import DONE
from pgproof.domain.errors import Cancelled, PgproofError
from pgproof.entrypoints.cli.session import ReaderGone

if TYPE_CHECKING:
    from pgproof.bootstrap import App

_UNEXPECTED = "unexpected"


def actor(face: str = "cli") -> str:
    """Who runs this process, and how. Not from the environment, where anybody may write anything."""
    number = os.getuid()
    try:
        return f"{face}:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"{face}:{number}"


@contextmanager
def audited(
    app: "App", action: str, subject: object = "", face: str = "cli", /, **details: Any
) -> Iterator[dict[str, Any]]:
    """Write to the audit trail how a `with` block ends; what is put into the dict becomes part of it.

    Its key ``subject`` replaces `subject`, where that is known only afterwards.
    """
    notes: dict[str, Any] = dict(details)
    try:
        yield notes
    except BaseException as error:
        _record_failure(app, actor(face), action, str(notes.pop("subject", subject)), notes, error)
        raise
    app.audit.record(actor(face), action, object=str(notes.pop("subject", subject)), outcome=DONE, details=notes)


def _record_failure(
    app: "App", by: str, action: str, subject: str, notes: dict[str, Any], error: BaseException
) -> None:
    match error:
        case PgproofError():
            outcome = error.code
        case KeyboardInterrupt() | ReaderGone():
            outcome = Cancelled.code
        case _:
            outcome = _UNEXPECTED
    try:
        app.audit.record(by, action, object=subject, outcome=outcome, details=notes)
    except PgproofError as lost:
        # The first error is what the person has to know of: it is often the catalog that is gone.
        error.add_note(f"the audit trail has no entry of this: {lost.detail}")
