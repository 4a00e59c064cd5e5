"""Structured logs on standard error: lines for people, JSON for machines.

An event is a static name; everything that varies is a field. Secrets are masked on the way out.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pgproof.domain.secret import Secret, without_secrets, without_url_passwords
from pgproof.domain.wording import plain

_SECRET_WORDS = frozenset(
    {
        "password",
        "passwd",
        "passphrase",
        "pgpassword",
        "token",
        "secret",
        "credential",
        "key",
        "authorization",
    }
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


class Masking:
    """A processor that masks known secrets, fields that sound secret, and passwords in URLs."""

    def __init__(self, secrets: Sequence[Secret] = ()) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """The event without what must not be shown."""
        return {name: self._masked(name, value) for name, value in event.items()}

    def _masked(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if _sounds_secret(name):
            return "***"
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {key: self._masked(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._masked(name, item) for item in value]
        return _steerless(without_url_passwords(without_secrets(str(value), *self._secrets)))


def _steerless(text: str) -> str:
    """Text without characters that could steer a terminal; line ends stay, since a traceback has some."""
    return text if text.isprintable() else "".join(char if char in "\n\t" else plain(char) for char in text)


def _sounds_secret(name: str) -> bool:
    return any(word.lower().removesuffix("s") in _SECRET_WORDS for word in _WORD.findall(name))


def use_standard_logging() -> None:
    """Hand events to the standard library's logger `pgproof`, whose handlers and level are the application's.

    Only where nobody has configured structlog: else events go where that says.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            Masking(),
            structlog.processors.KeyValueRenderer(key_order=["event"], drop_missing=True),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *_: logging.getLogger("pgproof"),
        cache_logger_on_first_use=False,
    )


def configure_logs(
    *,
    level: str,
    machine_readable: bool | None = None,
    secrets: Sequence[Secret] = (),
    stream: TextIO | None = None,
) -> None:
    """Send everything of `level` and above to `stream` (standard error).

    `machine_readable` ``None`` means: JSON unless the stream is a terminal. Libraries that log through the
    standard library end up in the same place and form.
    """
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if machine_readable is None else machine_readable
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        Masking(secrets),
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty()),
    ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
