"""`cleanup`: removing what the retention policy does not keep, and what is left over."""

from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from pgproof.services.expiry import CleanupPlan

_WORD = "cleanup"


def cleanup(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show every decision and change nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go ahead even if it removes a larger share than it may.")
    ] = False,
    remove_orphans: Annotated[
        bool, typer.Option("--remove-orphans", help="Also remove folders that have no manifest and no backup.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for a confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the backups that no retention rule keeps."""
    from pgproof.entrypoints.cli import cleanup_text, cleanup_views

    session: Session = ctx.obj
    done = None
    with session.app() as app:
        plan = app.expiry.plan(app.clock.now())
        policy, zone = app.expiry.policy, app.settings.timezone
        if not dry_run:
            planned = cleanup_text.planned(plan, with_orphans=remove_orphans)
            # What is too much is refused below, before anybody is asked.
            if planned and (force or not plan.too_much):
                name, asked = _to_type(plan, with_orphans=remove_orphans)
                intent = f"{planned}; `pgproof cleanup --dry-run` shows each"
                session.confirm(name, intent, asked=asked, yes=yes, as_json=as_json)
            with audited(app, "cleanup", force=force, remove_orphans=remove_orphans) as notes:
                done = app.expiry.sweep(plan, force=force, remove_orphans=remove_orphans)
                notes.update(
                    expired=[backup.id for backup in done.expired],
                    dropped=[kept.name for kept in done.dropped],
                    removed=[folder.folder for folder in done.removed],
                    failures=len(done.failures),
                )
            app.history.forget()
    message = cleanup_text.summary(plan, done, with_orphans=remove_orphans)
    session.show(
        cleanup_views.cleanup(plan, done, policy, message),
        cleanup_text.report(plan, done, policy, zone, message),
        as_json=as_json,
    )
    if done is not None and done.failures:
        raise done.failures[0].error


def _to_type(plan: "CleanupPlan", *, with_orphans: bool) -> tuple[str, str]:
    """What a person types to go ahead: the database's name if there is only one."""
    names = {decision.backup.database for decision in plan.removals}
    names |= {kept.restore.database for kept in plan.due_databases}
    if len(names) == 1 and not (with_orphans and plan.orphans.removable):
        return text.plain(names.pop()), "the name of the database"
    return _WORD, "the word"
