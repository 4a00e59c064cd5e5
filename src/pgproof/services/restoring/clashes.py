"""Whether a load may have failed only because pg_restore's jobs got into each other's way.

pg_restore knows most of what must wait for what, and not all: the state of a trigger on a partition of a partition,
two jobs that lock the same tables in another order, two that change the same row of a system catalog.
"""

import re

from pgproof.domain.errors import RestoreFailed

# The server's own words, which it separates by two spaces; what the tools themselves find wrong has one.
_SERVER = re.compile(r"ERROR:  ")
_ERROR = re.compile(r"ERROR:|FATAL:|error:")
# What one job would meet again: the server lacks something, was left, or refuses the very content.
_AGAIN = re.compile(
    r"No space left|Disk quota|could not (?:extend|write|access|load)|out of (?:shared )?memory"
    r"|terminating connection|server closed|connection to server|canceling statement|database system is"
    r"|permission denied|must be |is not available|does not support|not supported"
    r"|violates|is duplicated|invalid |out of range|syntax error|cannot attach index|definitions do not match"
)


def may_be_a_clash(error: RestoreFailed, jobs: int) -> bool:
    """Whether the same load with one job has a chance."""
    if jobs == 1:
        return False
    errors = [line for line in error.facts.get("stderr", ()) if _ERROR.search(line)]
    return any(_SERVER.search(line) for line in errors) and not any(_AGAIN.search(line) for line in errors)
