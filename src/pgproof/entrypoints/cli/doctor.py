"""`doctor`: is everything there that a backup and a restore need?"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.errors import ConfigurationError, PgproofError
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.exit_codes import UNEXPECTED, exit_code
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from pgproof.bootstrap import App
    from pgproof.services.doctor import Finding
    from pgproof.settings import Settings

_LITTLE_SPACE = 256 * 1024**2


def doctor(
    ctx: typer.Context,
    database: Annotated[
        str | None,
        typer.Argument(
            metavar="DATABASE",
            help="A registered name or a URL; else the database of the settings, or all that are registered.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check everything that a backup or a restore needs."""
    from pgproof.services.doctor import Outcome

    session: Session = ctx.obj
    findings = list(_examine(session, database))
    failures = [finding for finding in findings if finding.outcome is Outcome.FAIL]
    rows = [f"{finding.outcome.value:<4}  {finding.check:<9} {_lines(finding)}" for finding in findings]
    document = {
        "healthy": not failures,
        "checks": [
            {
                "check": finding.check,
                "outcome": finding.outcome.value,
                "detail": finding.detail,
                "hint": finding.hint,
            }
            for finding in findings
        ],
    }
    verdict = "nothing stands in the way" if not failures else f"{text.count(len(failures), 'problem')} to solve"
    session.show(document, "\n".join([*rows, verdict]), as_json=as_json)
    if failures:
        error = failures[0].error
        raise typer.Exit(UNEXPECTED if error is None else exit_code(error))


def _lines(finding: "Finding") -> str:
    detail = text.plain(finding.detail)
    return f"{detail}\n{' ' * 16}{finding.hint}" if finding.hint else detail


def _examine(session: Session, database: str | None) -> "Iterator[Finding]":
    from pgproof.services.doctor import examine, failed

    try:
        settings = session.settings()
    except ConfigurationError as error:
        yield failed("settings", error)
        return
    yield from _look_at_settings(settings)
    yield from examine("home", lambda: _look_at_home(settings.home))
    with ExitStack() as stack:
        try:
            app = stack.enter_context(session.open(settings))
        except PgproofError as error:
            yield failed("catalog", error)
            yield from _look_without_catalog(settings)
            return
        yield from _look_at_app(app, database)


def _look_at_settings(settings: "Settings") -> "Iterator[Finding]":
    from pgproof.services.doctor import Finding, Outcome

    for warning in settings.warnings:
        yield Finding("settings", Outcome.WARN, warning, "Correct the name, or remove the variable.")
    if not settings.warnings:
        yield Finding("settings", Outcome.OK, "all of them are valid")


def _look_at_home(home: Path) -> "Iterator[Finding]":
    from pgproof.services.doctor import Finding, Outcome

    folder = home
    try:
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ConfigurationError(
            f"unable to write to {folder}: {error.strerror}", hint="Set BACKUP_HOME to a folder that you can write to."
        ) from error
    if free < _LITTLE_SPACE:
        yield Finding("home", Outcome.WARN, f"{home} has only {text.size(free)} left", "Make room there.")
    else:
        yield Finding("home", Outcome.OK, f"{home} can be written to, {text.size(free)} are free")


def _look_without_catalog(settings: "Settings") -> "Iterator[Finding]":
    from pgproof.bootstrap import make_storage, make_tools
    from pgproof.services import doctor as service

    max_size = settings.max_size_gb * 1024**3
    yield from service.examine("storage", lambda: service.look_at_storage(make_storage(settings), None, max_size))
    yield from service.examine("tools", lambda: service.look_at_tools(make_tools(settings)))


def _look_at_app(app: "App", database: str | None) -> "Iterator[Finding]":
    from pgproof.services import doctor as service

    yield from service.examine("catalog", lambda: service.look_at_catalog(app.catalog))
    max_size = app.settings.max_size_gb * 1024**3
    yield from service.examine("storage", lambda: service.look_at_storage(app.storage, app.catalog, max_size))
    yield from service.examine("tools", lambda: service.look_at_tools(app.tools))
    for name in app.databases.to_examine(database):
        yield from service.examine("database", partial(service.look_at_database, app.databases, name))
    yield from service.examine("jobs", lambda: service.look_for_lost_jobs(app.recovery))
