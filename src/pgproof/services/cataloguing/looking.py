"""Looking at a dump that somebody else made: what it is, whether all of it is there, and by which tools it reads."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.dump_kind import HEAD, compression_of, format_of
from pgproof.domain.errors import ArchiveUnreadable, ClientMissing, InvalidInput, PgproofError
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.services.measured import Measured
from pgproof.services.ports import ClientTools, DumpFiles, FoundDump, Observer, PostgresTools, Streams, Watch

# A file whose time is so near to the archive's own clock was written when the dump ended, and knows its zone.
_SAME_RUN = timedelta(days=1)


@dataclass(frozen=True)
class LookedAt:
    """What a first pass over the dump has found. `size` in bytes; `client` are tools that can read it."""

    dump: FoundDump
    form: ArchiveFormat
    compression: Compression
    size: int
    sha256: str
    contents: TableOfContents
    client: ClientTools

    @property
    def taken_at(self) -> datetime:
        """When the dump was made, as far as can be known."""
        said = self.contents.origin.created_at
        if said is None or abs(self.dump.modified_at - said) <= _SAME_RUN:
            return self.dump.modified_at
        return said


class Looking:
    """The first pass over a dump. It changes nothing."""

    def __init__(self, *, streams: Streams, tools: PostgresTools, files: DumpFiles) -> None:
        self._streams = streams
        self._tools = tools
        self._files = files

    def look(self, dump: FoundDump, observer: Observer) -> LookedAt:
        """Know its kind, measure it, and read it to its end. Raises `InvalidInput` and `ArchiveUnreadable`."""
        head = self._head(dump, Compression.NONE)
        compression = Compression.NONE if dump.is_folder else compression_of(head)
        if compression is not Compression.NONE:
            head = self._head(dump, compression)
        form = ArchiveFormat.DIRECTORY if dump.is_folder else format_of(head)
        measured = Measured(self._files.read(dump)).drain()
        found, client = self._read(dump, form, compression, observer)
        return LookedAt(dump, form, compression, measured.size, measured.sha256, found, client)

    def _read(
        self, dump: FoundDump, form: ArchiveFormat, compression: Compression, observer: Observer
    ) -> tuple[TableOfContents, ClientTools]:
        """The table of contents, by the newest tools that can read all of the dump: not all know each compression."""
        failures: list[PgproofError] = []
        for client in self._tools.clients():
            try:
                return self._read_with(client, dump, form, compression, observer), client
            except ArchiveUnreadable as error:
                if form is ArchiveFormat.PLAIN:
                    raise
                failures.append(error)
        if failures:
            raise failures[0]
        raise ClientMissing(
            "no pg_restore was found to read the dump with",
            hint="Install the PostgreSQL client tools, or name their folder in BACKUP_PG_BIN.",
        )

    def _read_with(
        self, client: ClientTools, dump: FoundDump, form: ArchiveFormat, compression: Compression, observer: Observer
    ) -> TableOfContents:
        with closing(self._opened(dump, compression)) as archive:
            found = self._tools.read_contents(client, archive, form)
        if form is ArchiveFormat.PLAIN:
            return found  # that has read all of it
        watch = Watch(on_line=observer.log)
        if compression is Compression.NONE:
            self._tools.read_through(client, dump.path, form, watch)
            return found
        with (
            closing(self._opened(dump, compression)) as archive,
            self._tools.stage(archive, form, None) as staged,
        ):
            self._tools.read_through(client, staged, form, watch)
        return found

    def _opened(self, dump: FoundDump, compression: Compression) -> Generator[bytes, None, None]:
        """The dump without the compression around it."""
        with closing(self._files.read(dump)) as source:
            yield from self._streams.decompress(source, compression)

    def _head(self, dump: FoundDump, compression: Compression) -> bytes:
        head = b""
        with closing(self._opened(dump, compression)) as opened:
            for chunk in opened:
                head += chunk
                if len(head) >= HEAD:
                    break
        if not head:
            raise InvalidInput(f"{dump.path} is empty", hint="Use another dump.")
        return head
