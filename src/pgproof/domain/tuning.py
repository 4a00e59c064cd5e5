"""Settings of the sessions that load a backup: building indexes wants memory that serving queries must not have."""

from collections.abc import Mapping
from dataclasses import dataclass

_MIB = 1 << 20
_LEAST = 64 * _MIB  # PostgreSQL's own default
_MOST = 1024 * _MIB  # beyond this, building an index gains little
_SHARE_OF_FREE = 8
_SHARE_OF_BUFFERS = 2


@dataclass(frozen=True)
class ServerMemory:
    """What is known of a server's memory, in bytes.

    `free` is what its machine has left, known only where it is this machine. `maintenance_work_mem` is what
    an administrator has set: never less is used.
    """

    shared_buffers: int
    maintenance_work_mem: int
    free: int | None = None


def restore_settings(memory: ServerMemory, jobs: int) -> Mapping[str, str]:
    """Settings for each of `jobs` sessions, so that all together stay within what the server can spare."""
    spare = memory.shared_buffers // _SHARE_OF_BUFFERS if memory.free is None else memory.free // _SHARE_OF_FREE
    each = max(memory.maintenance_work_mem, _LEAST, min(spare // jobs, _MOST))
    settings = {"maintenance_work_mem": f"{each // 1024}kB", "synchronous_commit": "off"}
    if each == memory.maintenance_work_mem:
        del settings["maintenance_work_mem"]
    return settings
