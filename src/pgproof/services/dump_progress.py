"""Progress read from what pg_dump and pg_restore say with --verbose."""

from collections.abc import Callable

_DUMPING = "pg_dump: dumping contents of table"
_LOADING = "pg_restore: processing data for table"


class TableCounter:
    """Counts the tables that a tool has begun and tells each new number."""

    def __init__(self, reached: Callable[[int], None]) -> None:
        self._reached = reached
        self._tables = 0

    def hear(self, line: str) -> None:
        """One line of the tool's stderr."""
        if line.startswith((_DUMPING, _LOADING)):
            self._tables += 1
            self._reached(self._tables)
