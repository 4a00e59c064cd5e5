"""Run a service as an engine would: namespaces, a read-only root, an ordinary user, no capabilities."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.roots import Image

_START_LIMIT = 120  # seconds
_PREPARING = {"unshare", "sh", "mount", "chroot", "setpriv", "env"}


@dataclass(frozen=True)
class Network:
    """A network namespace with nothing but a loopback; every service of a compose file is at 127.0.0.1 in it."""

    holder: "subprocess.Popen[bytes]"

    @property
    def enter(self) -> list[str]:
        """What begins the command line of a program that runs in it."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]


@contextmanager
def network() -> Iterator[Network]:
    """A network for the length of a `with` block."""
    argv = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        try:
            yield Network(holder)
        finally:
            holder.kill()


@dataclass(frozen=True)
class Container:
    """A service to run: what the compose file adds to the image."""

    image: Image
    network: Network
    command: Sequence[str]
    env: Mapping[str, str]
    mounts: Mapping[str, Path]
    read_only_mounts: Mapping[str, Path]
    tmpfs: Sequence[str]
    healthcheck: Sequence[str]

    def run(self, *argv: str, limit: float = 120, under: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Run the image once with another command, as `docker compose run` does.

        `limit` is in seconds; `under` is a program out here that runs all of it.
        """
        words = [*under, *self._argv(), *self.image.entrypoint, *argv]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                out, err = process.communicate(timeout=limit)
            finally:
                end_all(process)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    @contextmanager
    def running(self, log: Path) -> Iterator["Running"]:
        """Run the service's command for the length of a `with` block; what has not ended by then is killed."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self._argv(), *self.image.entrypoint, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            running = Running(self, process, log)
            running.wait_until_started()
            yield running
        finally:
            end_all(process)

    def _argv(self) -> list[str]:
        root = self.image.root
        lines = ["set -e", f"mount --bind {root} {root}", f"mount -t proc proc {root}/proc"]
        for target, source in {**self.mounts, **self.read_only_mounts}.items():
            inside = root / target.lstrip("/")
            _make_target(inside, source)
            lines.append(f"mount --bind {source} {inside}")
            if target in self.read_only_mounts:
                lines.append(f"mount -o remount,bind,ro {inside}")
        for target in self.tmpfs:
            (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
        # Before the tmpfs: they are mounts of their own and stay writable.
        lines.append(f"mount -o remount,bind,ro {root}")
        lines += [f"mount -t tmpfs -o mode=1777 tmpfs {root}/{target.lstrip('/')}" for target in self.tmpfs]
        lines.append(f'exec chroot {root} sh -c \'cd "$0" && exec "$@"\' {self.image.folder} "$@"')
        namespaces = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        return [*self.network.enter, *namespaces, "sh", "-c", "\n".join(lines), "container", *self.as_user()]

    def as_user(self) -> list[str]:
        """What begins a command line inside: the image's user without capabilities, and nothing of our environment."""
        user, _, group = self.image.user.partition(":")
        become = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        become += ["--bounding-set=-all", "--inh-caps=-all"]
        return [*become, "env", "-i", *(f"{name}={value}" for name, value in self.env.items())]


@dataclass(frozen=True)
class Running:
    """A running service."""

    container: Container
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def first_pid(self) -> int:
        """The process that is the first one inside, as it is known outside."""
        (first,) = children(self.process.pid)
        return first

    def wait_until_started(self) -> None:
        """Until the first process is the service's own, and not what prepares its place."""
        deadline = time.monotonic() + _START_LIMIT
        while not any(_name(pid) not in _PREPARING for pid in children(self.process.pid)):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def exec(self, *argv: str, limit: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, as the healthcheck does."""
        assert self.process.poll() is None, self.log.read_text()
        space = ["nsenter", f"--target={self.first_pid}", "--mount", "--pid", "--net", "--ipc", "--uts", "--root"]
        space += [f"--wd={self.container.image.root}{self.container.image.folder}"]
        words = [*space, *self.container.as_user(), *argv]
        return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=limit)

    def health(self) -> "subprocess.CompletedProcess[str]":
        """What the healthcheck says."""
        return self.exec(*self.container.healthcheck)

    def wait_until_healthy(self) -> None:
        """Ask until the healthcheck agrees, as an engine does."""
        deadline = time.monotonic() + _START_LIMIT
        while (last := self.health()).returncode != 0:
            assert time.monotonic() < deadline, last.stdout + last.stderr + self.log.read_text()
            time.sleep(0.5)

    def end(self) -> int:
        """Tell it to end as the engine would, and return its exit status."""
        os.kill(self.first_pid, getattr(signal, self.container.image.stop_signal))
        return self.process.wait(timeout=_START_LIMIT)


def end_all(process: "subprocess.Popen[Any]") -> None:
    """Kill a process and all that it has started, if it has not ended by itself.

    `unshare --kill-child` does not: the kernel forgets that wish when a process becomes another user.
    """
    if process.poll() is None:
        for pid in [*_descendants(process.pid), process.pid]:
            with suppress(ProcessLookupError):  # it has ended with the one before
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _descendants(pid: int) -> list[int]:
    """The youngest generation first."""
    return [found for child in children(pid) for found in (*_descendants(child), child)]


def children(pid: int) -> list[int]:
    """The processes that one has started, as they are known outside; none if it has ended."""
    try:
        return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "sh"  # it is gone already


def _make_target(inside: Path, source: Path) -> None:
    if source.is_dir():
        inside.mkdir(parents=True, exist_ok=True)
    else:
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch()
