"""The PostgreSQL tools, with a pg_dump that stops in the middle until it is told to go on."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

_PG_DUMP = """#!/bin/bash
case "$1" in --version) exec {real} --version ;; esac
set -o pipefail
if [ -e {folder}/broken ]; then rm {folder}/broken; {real} "$@" | head -c {bytes}; exit 1; fi
{real} "$@" | {{ head -c {bytes}; touch {folder}/begun; while [ ! -e {folder}/go ]; do sleep 0.05; done; cat; }}
"""
_BEGIN_SECONDS = 30


@dataclass(frozen=True)
class SlowTools:
    """A folder for `BACKUP_PG_BIN`."""

    folder: Path

    @property
    def begun(self) -> bool:
        """Whether a dump is in its middle, or was."""
        return (self.folder / "begun").exists()

    def wait_until_begun(self) -> None:
        """Come back when a dump is in its middle."""
        deadline = time.monotonic() + _BEGIN_SECONDS
        while not self.begun:
            assert time.monotonic() < deadline, "no dump has begun"
            time.sleep(0.05)

    def go(self) -> None:
        """Let this dump and all later ones go on to their end."""
        (self.folder / "go").touch()

    def fail_once(self) -> None:
        """Let the next dump break off in its middle."""
        (self.folder / "broken").touch()

    def again(self) -> None:
        """Let the next dump stop as well."""
        (self.folder / "begun").unlink(missing_ok=True)
        (self.folder / "go").unlink(missing_ok=True)


def slow_tools(real: Path, folder: Path, *, after_bytes: int = 20_000) -> SlowTools:
    """Tools like those in `real`; a dump stops after so many bytes."""
    folder.mkdir()
    for tool in real.iterdir():
        if tool.name != "pg_dump":
            (folder / tool.name).symlink_to(tool)
    script = folder / "pg_dump"
    script.write_text(_PG_DUMP.format(real=real / "pg_dump", bytes=after_bytes, folder=folder))
    shutil.copymode(real / "pg_dump", script)
    return SlowTools(folder)
