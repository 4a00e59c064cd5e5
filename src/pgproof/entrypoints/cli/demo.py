"""`demo`: the whole story on a real data set, in a corner of its own."""

import shlex
import shutil
import sys
from pathlib import Path

import typer

from pgproof.entrypoints.cli.options import AsJson
from pgproof.entrypoints.cli.session import Session


def demo(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Tell the whole story on a real data set."""
    from pgproof.bootstrap import SystemClock
    from pgproof.entrypoints.demo.story import run

    session: Session = ctx.obj
    settings = session.settings()
    tell = (lambda _: None) if as_json else session.tell
    told = run(settings, session.open, SystemClock(), tell, _command())
    if as_json:
        session.show(told, "", as_json=True)


def _command() -> str:
    """How the person can call pgproof: by its name where the shell finds it, else as it was called now."""
    if shutil.which("pgproof"):
        return "pgproof"
    called = Path(sys.argv[0])
    return shlex.join([sys.executable, "-m", "pgproof"] if called.suffix == ".py" else [str(called)])
