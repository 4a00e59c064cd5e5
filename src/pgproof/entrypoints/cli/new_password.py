"""Asks for a new password, without showing it."""

from pgproof.domain.credentials import LONGEST_PASSWORD
from pgproof.domain.errors import InvalidInput
from pgproof.entrypoints.cli.session import Session

_HOW = "Use --password-stdin, as in: pgproof user passwd NAME --password-stdin < FILE"


def read_new_password(session: Session, *, from_stdin: bool) -> str:
    """The password that a person types twice, or the first line of standard input without its end.

    Raises `InvalidInput`, and `Cancelled` for Ctrl-C.
    """
    if from_stdin:
        return _first_line(session)
    if not session.stdin.isatty():
        raise InvalidInput("a password is needed, and there is no terminal to ask on", hint=_HOW)
    password = session.ask_without_showing("New password (it is not shown): ")
    if session.ask_without_showing("The same again: ") != password:
        raise InvalidInput("the two passwords differ; nothing was changed", hint="Try again.")
    return password


def _first_line(session: Session) -> str:
    try:
        line = session.stdin.readline(LONGEST_PASSWORD + 3)  # one too long shows as such; more need not be read
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "the password on standard input is not valid UTF-8", hint="Use another one, or convert the file."
        ) from error
    return line.removesuffix("\n").removesuffix("\r")
