"""`worker`: a process that takes jobs out of the queue."""

import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from pgproof.domain.wording import counted, listed
from pgproof.entrypoints.cli.session import Session

_ASKING_TO_END = (signal.SIGINT, signal.SIGTERM)


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
        asked = threading.Event()

        def end(_number: int, _frame: FrameType | None) -> None:
            if asked.is_set():
                taking.hurry()
            asked.set()

        before = {number: signal.signal(number, end) for number in _ASKING_TO_END}
        try:
            taking.start()
            session.tell(f"taking jobs of {_groups(taking.groups)}, {counted(taking.at_once, 'job')} at a time")
            # With a limit, because a wait without one keeps Python from running the handler on some systems.
            while not asked.wait(1.0):
                pass
            session.tell("taking no more jobs; a second signal hands back those that run")
            taking.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _groups(names: tuple[str, ...]) -> str:
    return f"the group {names[0]}" if len(names) == 1 else f"the groups {listed(names)}"
