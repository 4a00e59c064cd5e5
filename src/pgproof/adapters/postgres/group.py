"""A child and all that it starts, never signalled once the child's number may be another's.

A process id is free for others as soon as its process was reaped. So the end of a child is seen without
reaping it: as a zombie it keeps its number, and with it the number of its group, until the rest of the
group is dead too.
"""

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

_POLL_SECONDS = 0.02
_GRACE_SECONDS = 3.0


class ProcessGroup:
    """The group that a child leads, from its start with `start_new_session` until it is reaped."""

    def __init__(self, leader: "subprocess.Popen[bytes]", signal_group: Callable[[int, int], None] = os.killpg) -> None:
        self._leader = leader
        self._signal_group = signal_group
        self._reaped = False
        self._taken = False
        self._lock = threading.Lock()

    def leader_has_ended(self) -> bool:
        """Whether the child itself has ended; what it started may go on."""
        with self._lock:
            return self._look()

    def wait(self) -> int | None:
        """Wait for the child, end what it left behind, and return its exit status, negative for a signal.

        ``None`` if somebody else in this process took the status.
        """
        if not self._reaped:
            with contextlib.suppress(ChildProcessError):  # the next look finds it again
                has_ended(self._leader.pid, block=True)
        with self._lock:
            self._look()
            if not self._reaped:
                self._send(signal.SIGKILL)
                self._leader.wait()
                self._reaped = True
        return None if self._taken else self._leader.returncode

    def end(self) -> None:
        """Ask the whole group to end, and after some seconds kill it. The child stays a zombie until `wait`."""
        if self._signal(signal.SIGTERM):
            deadline = time.monotonic() + _GRACE_SECONDS
            while not self.leader_has_ended() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill whatever of the group still lives."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        with self._lock:
            self._look()
            return self._send(number)

    def _look(self) -> bool:
        if self._reaped:
            return True
        try:
            return has_ended(self._leader.pid, block=False)
        except ChildProcessError:
            self._reaped = self._taken = True
            self._leader.returncode = -1  # so that `subprocess` does not wait for this number either
            return True

    def _send(self, number: int) -> bool:
        if self._reaped:
            return False
        try:
            self._signal_group(self._leader.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            return False
        return True


_P_PID, _WNOHANG, _WEXITED = 1, 1, 4
_WNOWAIT = 0x20 if sys.platform == "darwin" else 0x0100_0000
_SIGINFO_BYTES = 128


def has_ended(pid: int, *, block: bool) -> bool:
    """Whether a child of ours has ended, without reaping it. Raises `ChildProcessError` if somebody else did."""
    if not hasattr(os, "waitid"):  # on macOS Python has it from 3.13 on
        return has_ended_by_the_c_library(pid, block=block)
    return os.waitid(os.P_PID, pid, _options(block=block)) is not None


def has_ended_by_the_c_library(pid: int, *, block: bool) -> bool:
    """The same where Python does not know waitid(2)."""
    library = ctypes.CDLL(None, use_errno=True)
    found = (ctypes.c_int * (_SIGINFO_BYTES // ctypes.sizeof(ctypes.c_int)))()
    while library.waitid(_P_PID, pid, found, _options(block=block)) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return found[0] == signal.SIGCHLD  # si_signo comes first everywhere, and stays 0 if nobody has ended


def _options(*, block: bool) -> int:
    return _WEXITED | _WNOWAIT | (0 if block else _WNOHANG)
