"""The system user that the embedded server runs as: ourselves, or `pgproof` when we are root."""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgproof.domain.errors import ConfigurationError

NAME = "pgproof"

# All that the server may know of our environment. It outlives us, and whoever is superuser there can read what
# it was given: so no password, no key, and nothing that libpq or the C library would take for an order.
_KEPT = ("PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_USERADD = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]


@dataclass(frozen=True)
class Account:
    """A system user; `foreign` is one that we must become before we run something."""

    uid: int
    gid: int
    foreign: bool

    def popen_options(self) -> Mapping[str, Any]:
        """What `subprocess` needs to run a program as this user, in a folder that it can enter."""
        become = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.foreign else {}
        return {"cwd": "/", "env": environment(os.environ), "start_new_session": True, **become}

    def run(self, argv: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end and keep what it wrote; never raises for its exit status."""
        return subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **self.popen_options(),
        )

    def give(self, path: Path) -> None:
        """Make this user the owner of a path that we made."""
        if self.foreign:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_run(self, *programs: Path) -> bool:
        """Whether this user can execute all these PostgreSQL programs where they lie."""
        try:
            return all(self.run([program, "--version"]).returncode == 0 for program in programs)
        except PermissionError:
            return False

    def check_reach(self, folder: Path) -> None:
        """Raise `ConfigurationError` unless this user can enter `folder`."""
        if not self.foreign:
            return
        for step in [*reversed(folder.parents), folder]:
            if self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", step]).returncode != 0:
                raise ConfigurationError(
                    f"the system user {NAME!r}, who runs PostgreSQL for root, cannot enter {step}",
                    hint="Set BACKUP_HOME to a folder that others can traverse, such as /var/lib/pgproof.",
                )


def server_account() -> Account:
    """Who runs the embedded server: PostgreSQL refuses root. Raises `ConfigurationError`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), foreign=False)
    entry = _find() or _create()
    return Account(entry.pw_uid, entry.pw_gid, foreign=True)


def _find() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd:
    try:
        said = subprocess.run(_USERADD, check=False, capture_output=True, text=True).stderr.strip()
    except OSError as error:
        said = str(error)
    # Another process may have been quicker: what counts is whether the user exists now.
    entry = _find()
    if entry is None:
        raise ConfigurationError(
            f"unable to create the system user {NAME!r}, who runs PostgreSQL for root: {said}",
            hint=f"Create a system user named {NAME}, or run pgproof as a user other than root,"
            " or set BACKUP_CATALOG_URL to a PostgreSQL server that runs already.",
        )
    return entry


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a server's programs get of our environment."""
    return {name: ours[name] for name in _KEPT if name in ours} | {"LC_ALL": "C"}
