"""`database`: which databases are protected."""

from typing import Annotated

import typer

from pgproof.domain.database import DEFAULT_GROUP
from pgproof.domain.errors import InvalidInput
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

_MISSING = "warning: its server has no such database; a restore makes it (`pgproof list` shows the backups)"

app = typer.Typer(
    help="Register, change, check and forget databases.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name under which the database is registered.")]
Url = Annotated[
    str,
    typer.Argument(
        metavar="URL", help="postgresql://user:password@host:port/database; - asks for it, or reads it from stdin."
    ),
]


@app.command()
def add(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name for it; its backups lie in a folder of that name.")
    ],
    url: Url,
    *,
    group: Annotated[str, typer.Option(help="The worker group that does its jobs.")] = DEFAULT_GROUP,
    as_json: AsJson = False,
) -> None:
    """Register a database. Its password is stored encrypted."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    address = read_url(session, url)
    with session.app() as application:
        with audited(application, "database.add", name, group=group):
            added = application.databases.add(name, address, group)
        exists = application.databases.is_there(added)
    session.show(
        {**views.database_row(added), "exists": exists},
        f"{text.plain(added.name)} is registered: {added.connection}\n"
        + (f"back it up with: pgproof backup {text.quoted(added.name)}" if exists else _MISSING),
        as_json=as_json,
    )


def read_url(session: Session, given: str) -> str:
    """The URL that was given; for ``-`` a line of standard input, which a terminal does not show."""
    return session.read_secret("URL (it is not shown): ") if given == "-" else given


@app.command()
def update(
    ctx: typer.Context,
    name: Name,
    url: Annotated[
        str | None,
        typer.Argument(metavar="URL", help="Another address or password; - asks for it, or reads it from stdin."),
    ] = None,
    *,
    group: Annotated[str | None, typer.Option(help="The worker group that does its jobs from now on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Store another URL, password or worker group of a database."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    if url is None and group is None:
        raise InvalidInput(
            "there is nothing to store anew", hint=f"Give a URL, or --group NAME: pgproof database update {name} URL"
        )
    address = None if url is None else read_url(session, url)
    with session.app() as application:
        with audited(application, "database.change", name, url_changed=address is not None, group=group):
            updated = application.databases.update(name, address, group)
        exists = application.databases.is_there(updated)
    session.show(
        {**views.database_row(updated), "exists": exists},
        f"{text.plain(updated.name)} is registered anew: {updated.connection}" + ("" if exists else f"\n{_MISSING}"),
        as_json=as_json,
    )


@app.command("list")
def list_databases(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List the registered databases."""
    from pgproof.entrypoints.cli import views

    session: Session = ctx.obj
    with session.app() as application:
        found = application.databases.list()
    rows = [
        (
            text.plain(item.name),
            text.plain(item.connection.dbname),
            item.connection.address,
            text.plain(item.connection.user),
            item.group,
        )
        for item in found
    ]
    listed = text.columns(("NAME", "DATABASE", "SERVER", "ROLE", "GROUP"), rows)
    session.show(
        {"databases": [views.database_row(item) for item in found]},
        listed if rows else "no database is registered; register one with: pgproof database add NAME URL",
        as_json=as_json,
    )


@app.command()
def check(ctx: typer.Context, name: Name, *, as_json: AsJson = False) -> None:
    """Connect to a database and see what a backup would need."""
    session: Session = ctx.obj
    with session.app() as application:
        found = application.databases.check(name)
    server, facts, tools = found.server, found.facts, found.tools
    rows = [
        ("database", f"{text.plain(found.database.name)}: {found.database.connection}"),
        ("server", f"PostgreSQL {server.version}"),
        ("role", text.plain(server.role) + (", superuser" if server.is_superuser else "")),
        ("size", f"{text.size(facts.size)}, {text.count(len(facts.tables), 'table')}"),
        ("pg_dump", f"{tools.version} in {tools.folder}"),
        ("unreadable", ", ".join(map(text.plain, facts.unreadable)) or "nothing"),
    ]
    document = {
        "name": found.database.name,
        "server_version": str(server.version),
        "system_identifier": server.system_identifier,
        "role": server.role,
        "is_superuser": server.is_superuser,
        "can_create_databases": server.can_create_databases,
        "database_size_bytes": facts.size,
        "tables_count": len(facts.tables),
        "unreadable": list(facts.unreadable),
        "client_version": str(tools.version),
        "client_folder": str(tools.folder),
    }
    session.show(document, text.pairs(rows), as_json=as_json)


@app.command()
def remove(ctx: typer.Context, name: Name, *, as_json: AsJson = False) -> None:
    """Forget a database. Its backups stay."""
    session: Session = ctx.obj
    with session.app() as application, audited(application, "database.remove", name):
        application.databases.remove(name)
    message = f"{text.plain(name)} is no longer registered; its backups stay"
    session.show({"name": name, "message": message}, message, as_json=as_json)
