"""What one run of the command line needs of its process and of the world."""

import getpass
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from pgproof.domain.errors import Cancelled, InvalidInput
from pgproof.domain.wording import plain

if TYPE_CHECKING:  # these are slow to import, and `--help` needs none of them
    from pgproof.bootstrap import App
    from pgproof.services.health import HealthService
    from pgproof.services.ports import Clock, Observer
    from pgproof.settings import Settings


class ReaderGone(Exception):
    """Whoever read our output has closed it: no failure of ours."""


def _load_settings() -> "Settings":
    from pgproof.settings import load_settings

    return load_settings()


def _open_app(settings: "Settings") -> "AbstractContextManager[App]":
    from pgproof.bootstrap import open_app

    return open_app(settings)


def _open_health(settings: "Settings") -> "AbstractContextManager[HealthService]":
    from pgproof.bootstrap.health import open_health

    return open_health(settings)


@dataclass
class Session:
    """Streams and ways to the application; a test hands in others."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    load: "Callable[[], Settings]" = _load_settings
    open: "Callable[[Settings], AbstractContextManager[App]]" = _open_app
    ask_secret: Callable[[str, TextIO], str] = getpass.getpass
    at_work: bool = False
    debug: bool = False
    open_health: "Callable[[Settings], AbstractContextManager[HealthService]]" = _open_health

    @classmethod
    def of_process(cls) -> "Session":
        """The streams of this process."""
        return cls(sys.stdin, sys.stdout, sys.stderr)

    def settings(self) -> "Settings":
        """The settings; from now on the log is as they say."""
        import structlog

        from pgproof.logs import configure_logs
        from pgproof.settings import LogFormat, LogLevel

        self.at_work = True
        settings = self.load()
        self.debug = settings.log_level is LogLevel.DEBUG
        configure_logs(
            level=settings.log_level,
            machine_readable=None if settings.log_format is None else settings.log_format is LogFormat.JSON,
            secrets=settings.secrets,
            stream=self.stderr,
        )
        log = structlog.get_logger()
        for warning in settings.warnings:
            log.warning("unknown_setting", problem=warning)
        return settings

    @contextmanager
    def app(self) -> "Iterator[App]":
        """The application for the length of a `with` block."""
        import structlog

        from pgproof.entrypoints.keeping import keeping

        with self.open(self.settings()) as app, keeping(app.catalog):
            for line in app.settled:
                structlog.get_logger().warning("job_settled", job=line)
            yield app

    def observer(self, clock: "Clock", *, as_json: bool) -> "AbstractContextManager[Observer]":
        """Who shows the progress of a job: nobody for machines, bars on a terminal, else lines."""
        from pgproof.entrypoints.cli import progress

        if as_json:
            return progress.nobody()
        if not self.stderr.isatty():
            return progress.lines(self.stderr, clock)
        from pgproof.entrypoints.cli.bars import bars

        return bars(self.stderr)

    def tell(self, line: str) -> None:
        """Write one line of a longer story to standard output."""
        self.show({}, line, as_json=False)

    def show(self, document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
        """Write the result to standard output: one JSON document, or text for people."""
        try:
            self.stdout.write((_to_json(document, indent=2) if as_json else text) + "\n")
            self.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None

    def send(self, chunks: Iterable[bytes]) -> None:
        """Write bytes to standard output, and nothing else. Raises `ReaderGone` and `StorageError`."""
        from pgproof.entrypoints.cli.raw_output import write_all

        for chunk in chunks:
            try:
                write_all(self.stdout.fileno(), chunk)
            except BrokenPipeError:
                raise ReaderGone from None

    def complain(self, document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
        """Write an error to standard error, as one line for machines."""
        self.stderr.write((_to_json(document) if as_json else text) + "\n")
        self.stderr.flush()

    def confirm(
        self,
        name: str,
        intent: str,
        *,
        details: Sequence[str] = (),
        yes: bool,
        as_json: bool,
        asked: str = "the name of the database",
    ) -> None:
        """Go on only if the person types `name`, or said yes beforehand.

        `details` are whole sentences. Raises `InvalidInput`, and `Cancelled` for Ctrl-C.
        """
        if yes:
            return
        if as_json or not (self.stdin.isatty() and self.stderr.isatty()):
            why = "with --json nobody is asked" if as_json else "there is no terminal to ask on"
            raise InvalidInput(
                f"{intent}: that needs a confirmation, and {why}",
                hint="Add --yes to go ahead without being asked.",
            )
        shown = plain(name)
        explanation = "".join(f"{line}\n" for line in (f"{intent}.", *details))
        typed = self._answer(lambda: self._ask(f"{explanation}Type {asked} ({shown}) to go ahead: "))
        if typed.strip() not in (name.strip(), shown):
            raise InvalidInput(f"that is not {asked}; nothing was done", hint="Add --yes to skip this.")

    def read_secret(self, prompt: str) -> str:
        """A line of standard input; on a terminal it is asked for, and not shown. Raises `Cancelled`."""
        if not self.stdin.isatty():
            return self.stdin.readline().strip()
        return self.ask_without_showing(prompt).strip()

    def ask_without_showing(self, prompt: str) -> str:
        """What a person types on the terminal, without the end of the line. Raises `Cancelled`."""
        return self._answer(lambda: self.ask_secret(prompt, self.stderr)).removesuffix("\n")

    def _ask(self, question: str) -> str:
        self.stderr.write(question)
        self.stderr.flush()
        typed = self.stdin.readline()
        if not typed.endswith("\n"):
            self.stderr.write("\n")
        return typed

    def _answer(self, read: Callable[[], str]) -> str:
        try:
            return read()
        except KeyboardInterrupt:
            self.stderr.write("\n")
            raise Cancelled("interrupted at the question; nothing was done") from None
        except EOFError:
            return ""


def _to_json(document: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(document, ensure_ascii=False, indent=indent, default=str)
