"""What `make test-deploy` needs of a machine, asked before anything is installed for it: run with any Python."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

# A program, and the Debian package that has it.
PROGRAMS = {
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "flock": "util-linux",
    "strace": "strace",
    "systemd-analyze": "systemd",
    "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
}


def lacking(programs: Mapping[str, str], user: int) -> Sequence[str]:
    """What keeps the tests from running, a line each; nothing if they can."""
    packages = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    lines = [f"not installed, by their names in Debian: {' '.join(packages)}"] if packages else []
    if packages:
        lines.append(f"install them: apt-get install --no-install-recommends {' '.join(packages)}")
    if user != 0:
        lines.append("building a root file system and entering namespaces needs root: run it as root")
    return lines


def main() -> int:
    """Say what is missing on standard error. Status 1: something is."""
    lines = lacking(PROGRAMS, os.geteuid())
    sys.stderr.writelines(f"make test-deploy: {line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
