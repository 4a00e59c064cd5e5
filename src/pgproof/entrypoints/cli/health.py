"""`health`: what a healthcheck of a container, a timer or a probe asks."""

from typing import TYPE_CHECKING, Annotated

import typer

from pgproof.domain.errors import CatalogUnreachable, JobError
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.exit_codes import EXIT_CODES
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgproof.services.doctor import Finding

UNHEALTHY = EXIT_CODES[JobError]


def health(
    ctx: typer.Context,
    *,
    alive: Annotated[
        bool, typer.Option("--alive", help="Fail only where a restart would help: for a liveness probe.")
    ] = False,
    api: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask the API there instead, such as http://127.0.0.1:8000")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the installation is at work, for probes."""
    from pgproof.services.doctor import Outcome

    session: Session = ctx.obj
    findings = _ask_api(api, alive=alive) if api is not None else _ask_catalog(session, alive=alive)
    healthy = all(finding.outcome is not Outcome.FAIL for finding in findings)
    document = {
        "healthy": healthy,
        "checks": [
            {"check": one.check, "outcome": one.outcome.value, "detail": one.detail, "hint": one.hint}
            for one in findings
        ],
    }
    rows = [f"{one.outcome.value:<4}  {one.check:<9} {text.plain(one.detail)}" for one in findings]
    verdict = "healthy" if healthy else "not healthy"
    session.show(document, "\n".join([*rows, verdict]), as_json=as_json)
    if not healthy:
        raise typer.Exit(UNHEALTHY)


def _ask_catalog(session: Session, *, alive: bool) -> "Sequence[Finding]":
    from pgproof.services.doctor import Finding, Outcome

    try:
        with session.open_health(session.settings()) as service:
            return service.alive() if alive else service.look()
    except CatalogUnreachable as error:
        if not alive:
            raise
        # No restart brings it back, and one would end a job that runs on without it.
        return [Finding("catalog", Outcome.WARN, error.detail, error.hint)]


def _ask_api(url: str, *, alive: bool) -> "Sequence[Finding]":
    from pgproof.entrypoints.cli.asking import ask
    from pgproof.services.doctor import Finding, Outcome

    answer = ask(f"{url.rstrip('/')}/health/{'live' if alive else 'ready'}")
    found = [
        Finding(str(check.get("check")), Outcome(str(check.get("outcome"))), "as the API says")
        for check in answer.checks
        # What only warns there is the workers' business.
        if check.get("outcome") in set(Outcome)
    ]
    outcome = Outcome.OK if answer.well else Outcome.FAIL
    return [Finding("api", outcome, answer.detail), *found]
