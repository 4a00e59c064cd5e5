"""The command `pgproof`: all commands, and what happens when one fails."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pgproof import __version__
from pgproof.domain.errors import Cancelled, PgproofError
from pgproof.entrypoints.cli import (
    catalog,
    cleanup,
    databases,
    demo,
    doctor,
    download,
    failures,
    health,
    jobs,
    look,
    make,
    notify,
    restore_test,
    restores,
    schedules,
    serve,
    tokens,
    users,
    work,
)
from pgproof.entrypoints.cli.exit_codes import BAD_USAGE, DONE, UNEXPECTED, exit_code
from pgproof.entrypoints.cli.session import ReaderGone, Session

# The class above BadParameter, wherever this version of typer keeps it.
_UsageError: Any = typer.BadParameter.__base__


_AFTER_AN_INTERRUPT = {
    "backup": "`pgproof list` shows what became of the backup.",
    "restore": "`pgproof list --restores` shows how far it came, and the way back if it was done already.",
    "undo": "`pgproof list --restores` shows whether it was done already.",
    "restore-test": "The backup is as it was: a test changes nothing.",
    "download": "What a folder has whole is kept, and the same command goes on. What went into a pipe is not whole.",
    "cleanup": "What was removed is removed; the next cleanup goes on.",
    "delete": "`pgproof list` shows what became of the backup; the next command finishes a deletion that has begun.",
}


class UnexpectedError(Exception):
    """An exception that typer would take for something else than a defect."""


class _Commands(TyperGroup):
    """Keeps typer from answering for what a command raised."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            hint = _AFTER_AN_INTERRUPT.get(ctx.invoked_subcommand, "")
            raise Cancelled("interrupted before the end", hint=hint) from None
        except BrokenPipeError as error:
            if not ctx.obj.at_work:  # then it was the help that nobody read
                raise ReaderGone from None
            raise UnexpectedError(f"a pipe broke: {error}") from error
        except EOFError as error:
            raise UnexpectedError(f"an input ended early: {error}") from error


app = typer.Typer(
    cls=_Commands,
    help="PostgreSQL backups, proven by restoring them.",
    epilog="Exit status: 0 done, 2 bad usage, 3 configuration, 4 not found, 5 conflict, 6 access, "
    "10 PostgreSQL, 11 storage, 12 integrity, 13 job. Settings: docs/configuration.md",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"pgproof {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What may stand before a command."""


app.command("backup")(make.backup)
app.command("list")(look.list_backups)
app.command("show")(look.show)
app.command("verify")(make.verify)
app.command("download")(download.download)
app.command("restore-test")(restore_test.restore_test)
app.command("restore")(restores.restore)
app.command("undo")(restores.undo)
app.command("abandon")(restores.abandon)
app.command("hold")(make.hold)
app.command("release")(make.release)
app.command("delete")(make.delete)
app.command("cleanup")(cleanup.cleanup)
app.command("stats")(look.stats)
app.command("log")(look.log)
app.add_typer(databases.app, name="database")
app.add_typer(catalog.app, name="catalog")
app.add_typer(jobs.app, name="job")
app.add_typer(schedules.app, name="schedule")
app.add_typer(notify.app, name="notify")
app.add_typer(users.app, name="user")
app.add_typer(tokens.app, name="token")
app.command("serve")(serve.serve)
app.command("worker")(work.worker)
app.command("doctor")(doctor.doctor)
app.command("health")(health.health)
app.command("demo")(demo.demo)


def run(argv: Sequence[str], session: Session) -> int:
    """Run one command line and return its exit status; nothing but `SystemExit` comes out."""
    as_json = "--json" in argv
    try:
        status = app(args=list(argv), prog_name="pgproof", obj=session, standalone_mode=False)
    except _UsageError as error:
        if not as_json:
            error.show(session.stderr)
            return BAD_USAGE
        hint = f"See: {error.ctx.command_path} --help" if error.ctx else ""
        session.complain(failures.document("bad_usage", error.format_message(), hint), "", as_json=True)
        return BAD_USAGE
    except PgproofError as error:
        session.complain(failures.as_document(error), failures.as_text(error), as_json=as_json)
        return exit_code(error)
    except ReaderGone:
        return DONE
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets a message and a status
        session.complain(
            failures.unexpected_document(error, debug=session.debug),
            failures.unexpected(error, debug=session.debug),
            as_json=as_json,
        )
        return UNEXPECTED
    return status if isinstance(status, int) else DONE
