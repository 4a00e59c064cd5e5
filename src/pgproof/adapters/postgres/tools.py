"""pg_dump, pg_dumpall and pg_restore behind the `PostgresTools` port."""

import contextlib
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pgproof.adapters.postgres import (
    autovacuum,
    commands,
    contents,
    finder,
    in_place,
    inspect,
    mapped,
    plain,
    property_changes,
    schema,
    script,
    tarball,
)
from pgproof.adapters.postgres.connect import connect, run_all
from pgproof.adapters.postgres.failures import dump_failure, restore_failure
from pgproof.adapters.postgres.process import Command, ToolProcess
from pgproof.adapters.postgres.staging import Staging, staging_errors
from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.domain.errors import ArchiveUnreadable, ClientMissing
from pgproof.domain.fingerprint import Fingerprint
from pgproof.domain.script import ScriptReader
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.services.ports import ClientTools, DumpRequest, RestoreRequest, Watch


class LocalTools:
    """The tools of this machine. `staging` is the folder for what cannot be streamed."""

    def __init__(
        self,
        *,
        configured: str | None,
        environment: Mapping[str, str],
        embedded: Mapping[int, Path],
        staging: Path,
        lock_wait_seconds: int = 60,
    ) -> None:
        self._configured = configured
        self._environment = environment
        self._embedded = embedded
        self._staging = Staging(staging)
        self._lock_wait_seconds = lock_wait_seconds

    @cached_property
    def _clients(self) -> Sequence[ClientTools]:
        return finder.find_clients(self._configured, self._environment, self._embedded)

    def clients(self) -> Sequence[ClientTools]:
        """All installations found, newest first."""
        return self._clients

    def for_server(
        self, version: ServerVersion, at_least: ServerVersion | None = None, *, tls: bool = False
    ) -> ClientTools:
        """See the port."""
        return finder.pick(self._clients, version, at_least, tls=tls)

    def dump(self, tools: ClientTools, request: DumpRequest, watch: Watch) -> Generator[bytes, None, None]:
        """See the port."""
        _check_tls(tools, request.connection)
        if request.format is ArchiveFormat.CUSTOM:
            command = commands.dump(tools, request, self._environment, into=None)
            yield from self._stream(command, request.connection, watch)
            return
        with self._staging.folder("dump") as folder:
            target = folder / "archive"
            command = commands.dump(tools, request, self._environment, into=target)
            with ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
                status = process.wait()
                if status != 0:
                    raise dump_failure(command.name, status, process.tail, request.connection, self._staging.root)
            yield from tarball.pack(target)

    def dump_globals(
        self, tools: ClientTools, connection: ConnectionInfo, watch: Watch, *, passwords: bool
    ) -> Generator[bytes, None, None]:
        """See the port."""
        _check_tls(tools, connection)
        command = commands.dump_globals(tools, connection, self._environment, passwords=passwords)
        yield from self._stream(command, connection, watch)

    def read_contents(self, tools: ClientTools, archive: Iterable[bytes], form: ArchiveFormat) -> TableOfContents:
        """See the port."""
        if form is ArchiveFormat.PLAIN:
            reader = ScriptReader()
            for _ in reader.passed(archive):
                pass
            return reader.contents
        if form is not ArchiveFormat.DIRECTORY:
            return self._list(commands.list_contents(tools, None, self._environment), iter(archive))
        with self._staging.folder("contents") as folder:
            tarball.unpack(archive, folder, only=tarball.CONTENTS)
            return self._list(commands.list_contents(tools, folder, self._environment), iter(()))

    def read_through(self, tools: ClientTools, staged: Path, form: ArchiveFormat, watch: Watch) -> None:
        """See the port."""
        if form is ArchiveFormat.TAR:
            tarball.check_whole(staged)  # of one that is not, pg_restore reads the end for ever
        command = commands.read_through(tools, staged, self._environment)
        with ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            status = process.wait()
            if status != 0:
                raise ArchiveUnreadable(
                    f"pg_restore {tools.version} cannot read the archive to its end: {' '.join(process.tail[-2:])}",
                    hint="The archive was cut short or damaged; or it is compressed in a way that these tools were "
                    "built without: then install the client package of the version that made it.",
                    facts={"exit_status": status, "stderr": process.tail},
                )

    @contextlib.contextmanager
    def stage(self, archive: Iterable[bytes], form: ArchiveFormat, stored: Path | None) -> Iterator[Path]:
        """See the port."""
        if stored is not None and form is not ArchiveFormat.DIRECTORY:
            yield stored
            return
        with self._staging.folder("restore") as folder:
            with staging_errors(self._staging.root):
                target = self._fill(archive, form, folder)
            yield target

    def restore(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> None:
        """See the port."""
        _check_tls(tools, request.connection)
        if request.script:
            plain.run(tools, commands.psql(tools, request, self._environment), request.staged, watch)
            return
        request, afterwards = self._for_roles(tools, request)
        if request.autovacuum:
            self._restore(tools, request, watch)
        else:
            self._restore_without_autovacuum(tools, request, watch)
        if afterwards:
            run_all(request.connection, afterwards)

    def _restore_without_autovacuum(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> None:
        listing = self._list(commands.list_contents(tools, request.staged, self._environment), iter(()))
        definitions = self._list(commands.list_pre_data(tools, request.staged, self._environment), iter(()))
        pre_data = frozenset(entry.dump_id for entry in definitions.entries)
        stages = autovacuum.stages(listing, pre_data, request.entries)
        self._restore(tools, replace(request, entries=stages.definitions), watch)
        with connect(request.connection) as session:
            held = autovacuum.hold(session)
        self._restore(tools, replace(request, entries=stages.most), watch)
        with connect(request.connection) as session:
            autovacuum.release(session, held)
        if stages.last:
            self._restore(tools, replace(request, entries=stages.last), watch)

    def _for_roles(self, tools: ClientTools, request: RestoreRequest) -> tuple[RestoreRequest, Sequence[str]]:
        if not request.role_map:
            return request, ()
        listing = self._list(commands.list_contents(tools, request.staged, self._environment), iter(()))
        return mapped.split(request, listing, lambda part: self._write(tools, part))

    def _write(self, tools: ClientTools, request: RestoreRequest) -> str:
        watch = Watch(on_line=lambda _line: None)
        with self._entry_list(request) as entry_list:
            command = commands.restore_script(
                tools, request, self._environment, entry_list=entry_list, one_transaction=False
            )
            with ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
                text = b"".join(process.output()).decode()
                status = process.wait()
                if status != 0:
                    raise restore_failure(command.name, status, process.tail)
                return text

    def _restore(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> None:
        with self._entry_list(request) as entry_list:
            if script.needed(tools.version, request.server_version):
                watch.on_line(
                    f"PostgreSQL {request.server_version} does not know all that pg_restore sets: one session"
                )
                script.run(
                    script=commands.restore_script(
                        tools, request, self._environment, entry_list=entry_list, one_transaction=False
                    ),
                    psql=commands.psql(tools, request, self._environment),
                    server=request.server_version,
                    watch=watch,
                )
                return
            command = commands.restore(tools, request, self._environment, entry_list=entry_list)
            with ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
                status = process.wait()
                if status != 0:
                    raise restore_failure(command.name, status, process.tail)

    def replace_contents(
        self, tools: ClientTools, request: RestoreRequest, expected: Fingerprint | None, watch: Watch
    ) -> None:
        """See the port."""
        _check_tls(tools, request.connection)
        request, afterwards = self._for_roles(tools, request)
        afterwards = [*afterwards, *_property_changes(request)]
        with self._entry_list(request) as entry_list:
            in_place.run(
                script=plain.statements(tools, request.staged, alone=True)
                if request.script
                else commands.restore_script(
                    tools, request, self._environment, entry_list=entry_list, one_transaction=True
                ),
                psql=commands.psql(tools, request, self._environment),
                expected=expected,
                request=request,
                afterwards=afterwards,
                lock_wait_seconds=self._lock_wait_seconds,
                watch=watch,
            )

    def archive_schema(self, tools: ClientTools, request: RestoreRequest, watch: Watch) -> Generator[bytes, None, None]:
        """See the port."""
        return schema.of_archive(tools, request, self._environment, watch)

    def database_schema(
        self, tools: ClientTools, request: RestoreRequest, watch: Watch
    ) -> Generator[bytes, None, None]:
        """See the port."""
        _check_tls(tools, request.connection)
        return schema.of_database(tools, request, self._environment, watch)

    @contextlib.contextmanager
    def _entry_list(self, request: RestoreRequest) -> Iterator[Path | None]:
        if request.entries is None:
            yield None
            return
        with self._staging.folder("entries") as folder:
            path = folder / "entries.list"
            path.write_text(contents.render_list(request.entries))
            yield path

    @staticmethod
    def _stream(command: Command, connection: ConnectionInfo, watch: Watch) -> Generator[bytes, None, None]:
        with ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            yield from process.output()
            status = process.wait()
            if status != 0:
                raise dump_failure(command.name, status, process.tail, connection)

    @staticmethod
    def _list(command: Command, archive: Iterator[bytes]) -> TableOfContents:
        watch = Watch(on_line=lambda _line: None)
        # A file, not a pipe: the tool may print while it still reads.
        with tempfile.TemporaryFile() as listing:
            with ToolProcess(command, watch, stdin=subprocess.PIPE, stdout=listing) as process:
                process.feed(archive)
                status = process.wait()
                if status != 0:
                    raise ArchiveUnreadable(
                        f"the archive's table of contents does not read: {' '.join(process.tail[-2:])}",
                        hint="The archive was damaged after it was taken, or was never whole. Use another backup.",
                        facts={"exit_status": status, "stderr": process.tail},
                    )
            listing.seek(0)
            return contents.parse(line.decode(errors="replace").rstrip("\n") for line in listing)

    @staticmethod
    def _fill(archive: Iterable[bytes], form: ArchiveFormat, folder: Path) -> Path:
        if form is ArchiveFormat.DIRECTORY:
            tarball.unpack(archive, folder)
            return folder
        target = folder / "archive.dump"
        with target.open("wb") as file:
            for chunk in archive:
                file.write(chunk)
        return target


def _property_changes(request: RestoreRequest) -> Sequence[str]:
    if request.properties is None:
        return ()
    with connect(request.connection) as session:
        return property_changes.script(
            request.connection.dbname,
            inspect.properties(session),
            request.properties,
            inspect.may_become(session),
            keep_owner=request.no_owner,
            keep_roles=request.no_acl,
        )


def _check_tls(tools: ClientTools, connection: ConnectionInfo) -> None:
    if tools.origin == finder.EMBEDDED and connection.needs_tls:
        raise ClientMissing(
            f"the connection asks for sslmode={connection.options['sslmode']}, "
            f"and the embedded PostgreSQL {tools.version} tools are built without TLS",
            hint=f"Install the PostgreSQL {tools.version.major} client package of your system, "
            "or name its folder in BACKUP_PG_BIN.",
        )
