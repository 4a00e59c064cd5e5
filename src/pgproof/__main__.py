"""`pgproof` and `python -m pgproof`."""

import io
import os
import sys

from pgproof.entrypoints.cli.interrupts import INTERRUPTED, ending_cleanly


def main() -> None:
    """Run the command line and end the process with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name from a server must not end the program where the terminal cannot show it.
            stream.reconfigure(errors="backslashreplace")
    with ending_cleanly():
        try:
            # Inside, so that a signal during these imports ends as cleanly as one later on.
            from pgproof.entrypoints.cli.app import run
            from pgproof.entrypoints.cli.session import Session

            status = run(sys.argv[1:], Session.of_process())
            sys.stdout.flush()
        except KeyboardInterrupt:
            status = INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = 0
    sys.exit(status)


if __name__ == "__main__":
    main()
