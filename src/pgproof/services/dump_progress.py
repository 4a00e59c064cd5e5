"""Progress read from what pg_dump and pg_restore say with --verbose: no more than they tell."""

from pgproof.domain.archive import ArchiveFormat
from pgproof.services.job_log import JobLog

_DUMPING = "pg_dump: dumping contents of table"
_LOADING = "pg_restore: processing data for table"


class TableProgress:
    """Tells how many tables a tool has begun: it says nothing when one is done."""

    def __init__(self, log: JobLog, tables: int) -> None:
        self._log = log
        self._tables = 0
        log.update(tables_total=tables)

    def hear(self, line: str) -> None:
        """One line of the tool's stderr."""
        if line.startswith((_DUMPING, _LOADING)):
            self._tables += 1
            self._log.update(tables_begun=self._tables)


class DumpProgress(TableProgress):
    """Of a dump, its bytes as well, where they are seen: the directory format shows none before all are there."""

    def __init__(self, log: JobLog, form: ArchiveFormat, tables: int, bytes_expected: int) -> None:
        super().__init__(log, tables)
        self._form = form
        if form is ArchiveFormat.CUSTOM:
            log.update(bytes_total=bytes_expected, estimated=True)

    def passed(self, size: int) -> None:
        """So many bytes of the archive have passed."""
        if self._form is ArchiveFormat.CUSTOM:
            self._log.update(bytes_done=size)
        else:
            self._log.update(bytes_done=size, part="pack", tables_begun=0, tables_total=None)
