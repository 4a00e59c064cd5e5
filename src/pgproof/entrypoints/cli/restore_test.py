"""`restore-test`: proving a backup by restoring it where nobody uses it."""

import typer

from pgproof.domain.errors import Conflict, IntegrityError
from pgproof.domain.restore_test import RestoreTestOutcome
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.exit_codes import DONE, EXIT_CODES
from pgproof.entrypoints.cli.options import AsJson, BackupId
from pgproof.entrypoints.cli.session import Session

# What a script must be able to tell apart: proven, not what was there, and a question that is open.
STATUSES = {
    RestoreTestOutcome.PASSED: DONE,
    RestoreTestOutcome.FAILED: EXIT_CODES[IntegrityError],
    RestoreTestOutcome.NOT_TESTABLE: EXIT_CODES[Conflict],
}


def restore_test(ctx: typer.Context, backup_id: BackupId, *, as_json: AsJson = False) -> None:
    """Prove a backup: restore it to a spare server, compare."""
    from pgproof.entrypoints.cli import restore_test_text, restore_test_views

    session: Session = ctx.obj
    with (
        session.app() as app,
        audited(app, "backup.restore_test", backup_id) as notes,
        session.observer(app.clock, as_json=as_json) as observer,
    ):
        test = app.restore_tests.test(backup_id, observer)
        notes["verdict"] = test.outcome
    document = {**restore_test_views.row(test), "message": restore_test_text.summary(test)}
    session.show(document, restore_test_text.report(test), as_json=as_json)
    status = STATUSES[test.outcome or RestoreTestOutcome.NOT_TESTABLE]
    if status != DONE:
        raise typer.Exit(status)
