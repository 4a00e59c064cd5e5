"""`notify`: who is told of what is wrong."""

from typing import Annotated, Any

import typer

from pgproof.domain.alert import AlertKind
from pgproof.entrypoints.cli import text
from pgproof.entrypoints.cli.auditing import audited
from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session

_ALL = "all others"

app = typer.Typer(
    help="See what is wrong, and say who is told of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Urls = Annotated[
    list[str] | None,
    typer.Option("--url", metavar="URL", help="Told as well; may be given often. - reads it from stdin."),
]
DatabaseName = Annotated[
    str | None, typer.Argument(metavar="[DATABASE]", help="Else for all that have no rule of their own.")
]


@app.command("test")
def send_test(
    ctx: typer.Context,
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Apprise URLs; else BACKUP_NOTIFY_URLS. - reads one from stdin."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send a test message."""
    from pgproof.domain.errors import ConfigurationError, NotificationFailed
    from pgproof.domain.secret import Secret
    from pgproof.entrypoints.cli.databases import read_url

    session: Session = ctx.obj
    given = [Secret(read_url(session, url)) for url in urls or ()]
    with session.app() as application:
        done = application.alerts.test(given)
    if not done:
        raise ConfigurationError(
            "there is nobody to tell", hint="Set BACKUP_NOTIFY_URLS, or give a URL: pgproof notify test URL"
        )
    failed = [one for one in done if one.problem is not None]
    lines = [f"{one.target}: {'sent' if one.problem is None else one.problem.detail}" for one in done]
    rows = [{"target": one.target, "problem": None if one.problem is None else one.problem.detail} for one in done]
    session.show({"deliveries": rows}, "\n".join(lines), as_json=as_json)
    if failed:
        raise NotificationFailed(
            f"{text.count(len(failed), 'message')} of {len(done)} did not arrive",
            hint="https://github.com/caronc/apprise/wiki tells the form of every URL.",
        )


@app.command("list")
def list_alerts(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List what is wrong, as the last check saw it."""
    session: Session = ctx.obj
    with session.app() as application:
        found, zone = application.alerts.list_open(), application.settings.timezone
    rows = [
        (
            alert.key.kind.value,
            text.plain(alert.key.database),
            text.moment(alert.opened_at, zone),
            text.plain(alert.summary),
        )
        for alert in found
    ]
    document = [
        {
            "kind": alert.key.kind.value,
            "database": alert.key.database or None,
            "about": alert.key.about or None,
            "summary": alert.summary,
            "hint": alert.hint,
            "opened_at": alert.opened_at.isoformat(),
        }
        for alert in found
    ]
    listed = text.columns(("KIND", "DATABASE", "SINCE", "WHAT"), rows) if rows else "nothing is wrong"
    session.show({"alerts": document}, listed, as_json=as_json)


@app.command()
def check(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Look now, and tell whoever is to be told. Workers do so every minute."""
    session: Session = ctx.obj
    with session.app() as application:
        news = application.alerts.check()
        sent = application.alerts.deliver()
        found = len(application.alerts.list_open())
        somebody = application.alerts.tells_somebody()
    message = f"{text.count(found, 'open alert')}, {news} new to tell; {text.count(sent, 'notice')} told"
    if not somebody:
        message += "\nnobody is told of anything: set BACKUP_NOTIFY_URLS, then try it: pgproof notify test"
    session.show({"open": found, "news": news, "told": sent, "message": message}, message, as_json=as_json)


@app.command()
def rules(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List the rules."""
    session: Session = ctx.obj
    with session.app() as application:
        found = application.alerts.rules()
    rows = [
        (
            text.plain(rule.database) if rule.database else _ALL,
            "all" if rule.kinds == frozenset(AlertKind) else ", ".join(sorted(rule.kinds)),
            str(len(rule.urls)),
            "by the schedule" if rule.late_after_hours is None else f"{rule.late_after_hours:g} h",
            f"{rule.unproven_after_days} d",
            f"{rule.shrunken_below:.0%}",
        )
        for rule in found
    ]
    headings = ("DATABASE", "KINDS", "URLS", "LATE AFTER", "UNPROVEN AFTER", "SHRUNKEN BELOW")
    listed = (
        text.columns(headings, rows) if rows else "there are no rules: everybody in BACKUP_NOTIFY_URLS is told of all"
    )
    session.show({"rules": [_row(rule) for rule in found]}, listed, as_json=as_json)


@app.command("set-rule")
def set_rule(
    ctx: typer.Context,
    database: DatabaseName = None,
    *,
    kinds: Annotated[
        list[AlertKind] | None,
        typer.Option("--kind", help="Told of this, and of other kinds that are given; else of all."),
    ] = None,
    urls: Urls = None,
    late_after_hours: Annotated[
        float | None, typer.Option(help="Late without a backup for so long; else when a scheduled one has not come.")
    ] = None,
    unproven_after_days: Annotated[int | None, typer.Option(help="Without a passed restore test for so long.")] = None,
    shrunken_below: Annotated[float | None, typer.Option(help="Share of the usual size or rows, such as 0.5.")] = None,
    as_json: AsJson = False,
) -> None:
    """Store a rule; it replaces the one of the same database."""
    from pgproof.domain.alert_rule import AlertRule
    from pgproof.domain.secret import Secret
    from pgproof.entrypoints.cli.databases import read_url

    session: Session = ctx.obj
    limits: dict[str, Any] = {
        "late_after_hours": late_after_hours,
        "unproven_after_days": unproven_after_days,
        "shrunken_below": shrunken_below,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    rule = AlertRule(
        database,
        frozenset(kinds) if kinds else frozenset(AlertKind),
        tuple(Secret(read_url(session, url)) for url in urls or ()),
        **given,
    )
    with session.app() as application, audited(application, "alert_rule_set", database or _ALL, **given):
        application.alerts.set_rule(rule)
    message = f"the rule for {text.plain(database or _ALL)} is kept"
    session.show({**_row(rule), "message": message}, message, as_json=as_json)


@app.command("remove-rule")
def remove_rule(ctx: typer.Context, database: DatabaseName = None, *, as_json: AsJson = False) -> None:
    """Forget a rule."""
    session: Session = ctx.obj
    with session.app() as application, audited(application, "alert_rule_remove", database or _ALL):
        application.alerts.remove_rule(database)
    message = f"the rule for {text.plain(database or _ALL)} is removed"
    session.show({"database": database, "message": message}, message, as_json=as_json)


def _row(rule: Any) -> dict[str, Any]:
    """A rule; of its URLs only how many there are, because they hold secrets."""
    return {
        "database": rule.database,
        "kinds": sorted(kind.value for kind in rule.kinds),
        "urls": len(rule.urls),
        "late_after_hours": rule.late_after_hours,
        "unproven_after_days": rule.unproven_after_days,
        "shrunken_below": rule.shrunken_below,
    }
