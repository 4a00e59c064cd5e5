"""`worker`: a process that takes jobs out of the queue."""

from typing import Annotated

import typer

from pgproof.domain.wording import counted, listed
from pgproof.entrypoints.cli.interrupts import asked_to_end
from pgproof.entrypoints.cli.session import Session


def worker(
    ctx: typer.Context,
    *,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Take the jobs of this worker group; may be repeated.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=64, help="How many jobs at a time.")] = None,
) -> None:
    """Take jobs out of the queue until SIGTERM or Ctrl-C."""
    from pgproof.entrypoints.worker import Worker

    session: Session = ctx.obj
    with session.app() as app:
        taking = Worker(app, groups=group or (), at_once=jobs)
        with asked_to_end(hurry=taking.hurry) as wait:
            taking.start()
            session.tell(f"taking jobs of {_groups(taking.groups)}, {counted(taking.at_once, 'job')} at a time")
            wait()
            session.tell("taking no more jobs; a second signal hands back those that run")
            taking.stop()


def _groups(names: tuple[str, ...]) -> str:
    return f"the group {names[0]}" if len(names) == 1 else f"the groups {listed(names)}"
