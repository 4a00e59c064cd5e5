"""Child processes: in a group of their own, with their stderr heard, and never left behind."""

import contextlib
import fcntl
import os
import selectors
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pgproof.adapters.postgres.group import ProcessGroup
from pgproof.domain.errors import Cancelled, ClientMissing, ConfigurationError, TimedOut
from pgproof.domain.secret import Secret, without_secrets, without_url_passwords
from pgproof.services.ports import Watch

_CHUNK = 1 << 20
_WORDS = 1 << 16
_POLL_SECONDS = 0.2
_TAIL_LINES = 30
_F_SETPIPE_SZ = 1031  # Linux; fcntl names it from Python 3.10 on, but on no other platform


@dataclass(frozen=True)
class Command:
    """What to run. `environment` is all that the child gets; `secrets` are masked in what it says."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The tool's name."""
        return Path(self.argv[0]).name


class ToolProcess:
    """A running tool. Leaving its `with` block ends the whole group, however far it was."""

    def __init__(self, command: Command, watch: Watch, *, stdin: int | IO[bytes], stdout: int | IO[bytes]) -> None:
        self.command = command
        self._watch = watch
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._deaf: Exception | None = None
        self._ended_by: type[Cancelled | TimedOut] | None = None
        self._heard_all = threading.Event()
        self._hung_up = threading.Event()
        try:
            self._child = subprocess.Popen(
                command.argv,
                env=dict(command.environment),
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ClientMissing(
                f"unable to start {command.argv[0]}: {error.strerror}",
                hint="Run `pgproof doctor` for the tools found.",
            ) from error
        self._group = ProcessGroup(self._child)
        self._threads = [
            threading.Thread(target=self._hear, name=f"{command.name} stderr", daemon=True),
            threading.Thread(target=self._guard, name=f"{command.name} guard", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "ToolProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._group.end()
        self._group.wait()
        self._hung_up.set()
        for thread in self._threads:
            thread.join()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def output(self) -> Iterator[bytes]:
        """The tool's stdout in chunks."""
        pipe = self._child.stdout
        if pipe is None:
            raise ValueError(f"{self.command.name} was started without a pipe for its output")
        _enlarge(pipe)
        while chunk := os.read(pipe.fileno(), _CHUNK):
            yield chunk

    def feed(self, chunks: Iterator[bytes]) -> None:
        """Write to the tool's stdin until it stops reading or the chunks end."""
        pipe = self._child.stdin
        if pipe is None:
            raise ValueError(f"{self.command.name} was started without a pipe for its input")
        with contextlib.suppress(BrokenPipeError):
            for chunk in chunks:
                pipe.write(chunk)
            pipe.flush()
        with contextlib.suppress(BrokenPipeError):
            pipe.close()

    def send(self, data: bytes) -> bool:
        """Write to the tool's stdin; whether it still reads. Nothing tells the tool that the input has ended."""
        pipe = self._child.stdin
        if pipe is None:
            raise ValueError(f"{self.command.name} was started without a pipe for its input")
        try:
            pipe.write(data)
            pipe.flush()
        except BrokenPipeError:
            return False
        return True

    def wait(self) -> int:
        """The exit status, negative for a signal. Raises `Cancelled` or `TimedOut` if we ended it."""
        status = self._group.wait()
        for thread in self._threads:
            thread.join()
        if self._deaf is not None:
            raise self._deaf
        if status is None:
            raise ConfigurationError(
                f"how {self.command.name} ended is not known: somebody else in this process waited for it",
                hint="Start pgproof with SIGCHLD at its default, and beside nothing that waits for every child.",
            )
        if self._ended_by is not None and status != 0:
            raise self._ended_by(f"{self.command.name} was ended: {_REASONS[self._ended_by]}")
        return status

    @property
    def tail(self) -> list[str]:
        """The last lines of stderr, without secrets."""
        return list(self._tail)

    def _hear(self) -> None:
        pipe = self._child.stderr
        if pipe is None:
            raise ValueError(f"{self.command.name} was started without a pipe for its errors")
        try:
            rest = b""
            for chunk in self._words(pipe.fileno()):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._note(line)
            if rest:
                self._note(rest)
        finally:
            self._heard_all.set()

    def _words(self, pipe: int) -> Iterator[bytes]:
        """What arrives until everybody has closed the pipe, or until nobody is left whose words count."""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if selector.select(_POLL_SECONDS):
                    chunk = os.read(pipe, _WORDS)
                    if not chunk:
                        return
                    yield chunk
                elif self._hung_up.is_set():
                    return

    def _note(self, raw: bytes) -> None:
        # Tools quote the statement that failed, and some statements hold passwords for other servers.
        line = without_url_passwords(without_secrets(raw.decode(errors="replace").rstrip(), *self.command.secrets))
        self._tail.append(line)
        if self._deaf is None:
            self._tell(line)

    def _tell(self, line: str) -> None:
        try:
            self._watch.on_line(line)
        except Exception as error:  # noqa: BLE001 - `wait` raises it; the tool must not block on a full pipe
            self._deaf = error

    def _guard(self) -> None:
        deadline = None if self._watch.timeout is None else time.monotonic() + self._watch.timeout
        while not self._heard_all.wait(_POLL_SECONDS):
            reason = self._reason_to_end(deadline)
            if self._group.leader_has_ended():
                # Its workers have lost their leader, and would keep us waiting for their last words.
                self._group.kill()
                if reason:
                    self._hung_up.set()
            elif reason:
                self._ended_by = reason
                self._group.end()

    def _reason_to_end(self, deadline: float | None) -> "type[Cancelled | TimedOut] | None":
        if self._watch.cancelled.is_set():
            return Cancelled
        return TimedOut if deadline is not None and time.monotonic() > deadline else None


_REASONS = {Cancelled: "the job was cancelled", TimedOut: "the job took longer than it may"}


def _enlarge(pipe: IO[bytes]) -> None:
    """A pipe of 64 KiB makes a dump switch tasks 16 times as often as one of 1 MiB."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _CHUNK)
