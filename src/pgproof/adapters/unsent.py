"""Why something did not reach its target, in words that cannot hold a part of its URL.

What an error says is never quoted: its words may hold the URL, and with that a password. Its kind and numbers do not.
"""

import errno
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence

_DEEPEST = 12
_ANSWERED = re.compile(r"\berror=(\d{3})\b")
# The first that fits counts: a certificate that was refused is an SSL error as well.
_KINDS: Sequence[tuple[type[BaseException], str]] = (
    (smtplib.SMTPServerDisconnected, "the mail server ended the connection"),
    (smtplib.SMTPNotSupportedError, "the mail server does not offer what the URL asks for"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionError, "the connection was broken off"),
    (socket.gaierror, "the name of its host is not known"),
    (ssl.SSLCertVerificationError, "its certificate was not accepted"),
    (ssl.SSLError, "no encrypted connection came about"),
    (TimeoutError, "it did not answer in time"),
)
_REFUSED_MAIL = ("Sending email to ", "SMTP recipient ")
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


def reason(error: BaseException | None) -> str | None:
    """What kept something from arriving, from the innermost error that is known; ``None`` if none is."""
    known = [said for one in _chain(error) if (said := _said(one)) is not None]
    return known[-1] if known else None


def answered(line: str) -> str | None:
    """What a service has answered, as the sending library logs it; of its words none but these are known."""
    found = _ANSWERED.search(line)
    if found is not None:
        return f"it answered {found[1]}"
    return "the mail server refused the mail" if line.startswith(_REFUSED_MAIL) else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from, which libraries keep in different places."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _DEEPEST:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        held = [*one.args[:1], getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting += [inner for inner in held if isinstance(inner, BaseException)]


def _said(error: BaseException) -> str | None:
    for kind, said in _KINDS:
        if isinstance(error, kind):
            return said
    if isinstance(error, smtplib.SMTPException):
        return _said_of_mail(error)
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return "its host cannot be reached"
    return None


def _said_of_mail(error: smtplib.SMTPException) -> str | None:
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"the mail server refused user or password ({error.smtp_code})"
        case smtplib.SMTPResponseException():
            return f"the mail server answered {error.smtp_code}"
    return None
