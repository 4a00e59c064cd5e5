"""`token`: what stands for a user in scripts."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from pgproof.domain.access import ApiToken, Role
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

_DEFAULT_DAYS = 90
_MOST_DAYS = 3_650

app = typer.Typer(
    help="Create, list and revoke API tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for, such as nightly-check.")],
    *,
    user: Annotated[str, typer.Option(help="The user for whom it stands.")],
    role: Annotated[Role | None, typer.Option(help="At most the user's role, which is the default.")] = None,
    days: Annotated[
        int, typer.Option(min=0, max=_MOST_DAYS, help="For so many days; 0 is until it is revoked.")
    ] = _DEFAULT_DAYS,
    as_json: AsJson = False,
) -> None:
    """Create an API token. Its text is shown this once, on a line of its own."""
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    with session.app() as application:
        expires_at = application.clock.now() + timedelta(days=days) if days else None
        with audited(application, "token.create", name, user=user, days=days) as notes:
            made, secret = application.api_tokens.create(user, name, role, expires_at)
            notes.update(token_id=made.id, role=made.role.value)
        until = (
            f"until {text.moment(made.expires_at, application.settings.timezone)}" if days else "until it is revoked"
        )
    message = (
        f"token {made.id} ({text.plain(made.name)}) stands for {text.plain(made.user_name)} as {made.role}, {until}; "
        "keep it well: it is not shown again"
    )
    document = {**access_views.token_row(made), "token": secret.reveal(), "message": message}
    session.show(document, f"{message}\n{secret.reveal()}", as_json=as_json)


@app.command("list")
def list_tokens(
    ctx: typer.Context,
    *,
    user: Annotated[str | None, typer.Option(help="Only those of this user.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the API tokens, without their texts."""
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    with session.app() as application:
        found, zone, now = application.api_tokens.list(user), application.settings.timezone, application.clock.now()
    rows = [
        (
            str(token.id),
            text.plain(token.user_name),
            text.plain(token.name),
            token.role,
            _state(token, now),
            text.moment(token.expires_at, zone),
            text.moment(token.last_used_at, zone),
        )
        for token in found
    ]
    listed = text.columns(("ID", "USER", "NAME", "ROLE", "STATE", "EXPIRES", "LAST USED"), rows, right=frozenset({0}))
    session.show(
        {"tokens": [access_views.token_row(token) for token in found]},
        listed if rows else "there is no API token; create one with: pgproof token create NAME --user USER",
        as_json=as_json,
    )


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.is_valid(now) else "expired"


@app.command()
def revoke(
    ctx: typer.Context,
    token_id: Annotated[
        int, typer.Argument(metavar="ID", help="The token's number, as `pgproof token list` shows it.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Void an API token at once and for ever."""
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    with session.app() as application, audited(application, "token.revoke", token_id):
        revoked = application.api_tokens.revoke(token_id)
    message = f"token {revoked.id} ({text.plain(revoked.name)}) of {text.plain(revoked.user_name)} is revoked"
    session.show({**access_views.token_row(revoked), "message": message}, message, as_json=as_json)
