"""Whole processes, timed from outside."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_IDLE_PERCENT = 5.0
_LONGEST_WAIT = 60  # seconds, after which a busy machine is measured as it is


class ToolFailed(Exception):
    """A command that is measured ended with an error."""


@dataclass(frozen=True)
class Run:
    """One process: wall-clock seconds, its largest resident size in bytes, what it printed."""

    seconds: float
    peak_memory: int
    stdout: bytes


def timed(argv: Sequence[str], environment: Mapping[str, str], folder: Path, *, discard: bool = False) -> Run:
    """Run a command to its end. Raises `ToolFailed`.

    With `discard` its output goes to /dev/null without passing through us.
    """
    out, err = folder / "stdout", folder / "stderr"
    with (Path(os.devnull) if discard else out).open("wb") as stdout, err.open("wb") as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        # wait4 tells what this one child used; Popen would reap it and forget.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise ToolFailed(f"{' '.join(argv)} ended with {process.returncode}:\n{err.read_text(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * unit, b"" if discard else out.read_bytes())


def wait_until_idle() -> None:
    """Let whatever else runs on the machine come to its end, and the work that the last command left behind."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while psutil.cpu_percent(interval=1) > _IDLE_PERCENT and time.monotonic() < deadline:
        pass


def median(values: Sequence[float]) -> float:
    """The middle of several measurements."""
    return statistics.median(values)
