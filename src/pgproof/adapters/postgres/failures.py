"""What a tool's exit status and last words mean."""

import re
import signal
from collections.abc import Sequence
from pathlib import Path

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import DumpFailed, PgproofError, PrivilegeMissing, RestoreFailed, StorageFull

# As the tools write it, and psql for the server: "pg_dump: error: ...", "psql:<stdin>:7: ERROR:  ...".
_ERROR = re.compile(r"(?i)(?:error|fatal): +(?:error: +)?(.*)")


def dump_failure(
    tool: str, status: int, tail: Sequence[str], connection: ConnectionInfo, staging: Path | None = None
) -> PgproofError:
    """The error for a dump that ended with `status`; `staging` is the folder that it wrote to, if any."""
    words = _last_error(tail)
    facts = {"exit_status": status, "stderr": list(tail)}
    detail = f"{tool} of {connection} {_ending(status)}{words and ': ' + words}"
    if "No space left on device" in words or "Disk quota exceeded" in words:
        return StorageFull(
            detail,
            hint=f"Make room in the staging folder {staging or ''}, or name another in BACKUP_STAGING_DIR.",
            facts=facts,
        )
    if "permission denied" in words or "row-level security" in words:
        return PrivilegeMissing(
            detail,
            hint="Grant the role the right to read everything: GRANT pg_read_all_data TO the_role "
            "(and BYPASSRLS where tables have row security).",
            facts=facts,
        )
    return DumpFailed(detail, hint=_dump_hint(words, status), facts=facts)


def restore_failure(tool: str, status: int, tail: Sequence[str]) -> RestoreFailed:
    """The error for a restore that ended with `status`."""
    words = _last_error(tail)
    return RestoreFailed(
        f"{tool} {_ending(status)}{words and ': ' + words}",
        hint=_restore_hint(words),
        facts={"exit_status": status, "stderr": list(tail)},
    )


def _ending(status: int) -> str:
    if status < 0:
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
    return f"ended with exit status {status}"


def _last_error(tail: Sequence[str]) -> str:
    """The first error among the last words, with the server's detail where it gave one."""
    for number, line in enumerate(tail):
        if found := _ERROR.search(line):
            detail = [follower.strip() for follower in tail[number + 1 : number + 2] if "DETAIL:" in follower]
            return " ".join([found[1].strip(), *detail])
    return ""


def _dump_hint(words: str, status: int) -> str:
    if status < 0:
        return "Somebody or the kernel's out-of-memory killer ended it. See the system's log, then try again."
    if "lock timeout" in words or "canceling statement due to lock" in words:
        return (
            "Another session holds an exclusive lock on a table. End it or wait, then try again; "
            "BACKUP_LOCK_WAIT_SECONDS sets how long a dump waits."
        )
    if "no encryption" in words or "SSL" in words:
        return "The embedded tools have no TLS: install your system's PostgreSQL client and try again."
    return "See the job's log for what the tool said, and the server's log for its reasons."


def _restore_hint(words: str) -> str:
    if "role" in words and "does not exist" in words:
        return "Create the role on the target server (globals.sql of the backup holds its definition), then try again."
    if "is not available" in words and "extension" in words:
        return "Install the extension on the target server, then try again."
    if "depend on it" in words:
        return "Name what depends on it as well, drop that first, or restore into a new database. Nothing was changed."
    if "lock timeout" in words:
        return (
            "Another session uses a table. End it or wait; BACKUP_LOCK_WAIT_SECONDS sets how long. Nothing was changed."
        )
    return "See the restore's log for what pg_restore said. The live database was not touched."
