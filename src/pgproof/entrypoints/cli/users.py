"""`user`: who may sign in, and with which role."""

from typing import Annotated, Any

import typer

from pgproof.domain.access import Role
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.new_password import read_new_password
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

app = typer.Typer(
    help="Add, change, list and remove users.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name; upper and lower case do not count.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]


@app.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 100 printable characters without a colon.")],
    *,
    role: Annotated[Role, typer.Option(help="What the user may do: see docs/access.md.")],
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    from pgproof.domain.credentials import check_user_name
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    check_user_name(name)  # before anybody types a password for it
    password = read_new_password(session, from_stdin=password_stdin)
    with session.app() as application, audited(application, "user.add", name, role=role.value):
        added = application.users.add(name, role, password)
        managed = any(user.is_active_admin for user in application.users.list())
    message = f"{text.plain(added.name)} is a user now, with the role {added.role}"
    if not managed:
        message += "; nobody is an admin yet: pgproof user add NAME --role admin"
    session.show({**access_views.user_row(added), "message": message}, message, as_json=as_json)


@app.command("list")
def list_users(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List the users."""
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    with session.app() as application:
        found, zone = application.users.list(), application.settings.timezone
    rows = [
        (text.plain(user.name), user.role, "yes" if user.active else "no", text.moment(user.last_sign_in_at, zone))
        for user in found
    ]
    listed = text.columns(("NAME", "ROLE", "ACTIVE", "LAST SIGN-IN"), rows)
    session.show(
        {"users": [access_views.user_row(user) for user in found]},
        listed if rows else "there is no user; add one with: pgproof user add NAME --role admin",
        as_json=as_json,
    )


@app.command()
def passwd(ctx: typer.Context, name: Name, *, password_stdin: PasswordStdin = False, as_json: AsJson = False) -> None:
    """Store a new password of a user."""
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    password = read_new_password(session, from_stdin=password_stdin)
    with session.app() as application, audited(application, "user.password", name) as notes:
        changed = application.users.set_password(name, password)
        notes["subject"] = changed.name
    message = (
        f"{text.plain(changed.name)} has a new password and has to sign in again; API tokens stay as they are "
        "(`pgproof token list`)"
    )
    session.show({**access_views.user_row(changed), "message": message}, message, as_json=as_json)


@app.command()
def change(
    ctx: typer.Context,
    name: Name,
    *,
    role: Annotated[Role | None, typer.Option(help="The new role.")] = None,
    active: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether the user may sign in and use API tokens.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the role of a user, or let the user in or not. The user's sessions end."""
    from pgproof.entrypoints.cli import access_views

    session: Session = ctx.obj
    wanted = {"role": None if role is None else role.value, "active": active}
    given: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    with session.app() as application, audited(application, "user.change", name, **given) as notes:
        changed = application.users.change(name, role=role, active=active)
        notes["subject"] = changed.name
    message = f"{text.plain(changed.name)} has the role {changed.role}" + ("" if changed.active else " and is disabled")
    session.show({**access_views.user_row(changed), "message": message}, message, as_json=as_json)


@app.command()
def remove(
    ctx: typer.Context,
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the user's name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a user with all sessions and API tokens. The audit trail keeps the name."""
    session: Session = ctx.obj
    with session.app() as application:
        doomed = application.users.get(name)
        tokens = len([token for token in application.api_tokens.list(doomed.name) if token.revoked_at is None])
        details = [f"With it go its API tokens: {tokens}."] if tokens else []
        intent = f"the user {text.plain(doomed.name)} ({doomed.role}) is to be removed"
        session.confirm(doomed.name, intent, details=details, yes=yes, as_json=as_json, asked="the name of the user")
        with audited(application, "user.remove", doomed.name):
            removed = application.users.remove(doomed.name)
    message = f"{text.plain(removed.name)} is no longer a user"
    session.show({"id": removed.id, "name": removed.name, "message": message}, message, as_json=as_json)
