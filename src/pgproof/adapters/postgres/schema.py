"""Definitions as scripts that can be compared: those that an archive holds, those that a database has now."""

import subprocess
from collections.abc import Generator, Mapping

from pgproof.adapters.postgres import commands
from pgproof.adapters.postgres.failures import dump_failure, restore_failure
from pgproof.adapters.postgres.process import Command, ToolProcess
from pgproof.services.ports import ClientTools, RestoreRequest, Watch


def of_archive(
    tools: ClientTools, request: RestoreRequest, base: Mapping[str, str], watch: Watch
) -> Generator[bytes, None, None]:
    """What pg_restore would run beside the rows. Raises `RestoreFailed`."""
    argv = (str(tools.folder / "pg_restore"), "--schema-only", "--file=-", *_left_out(request), str(request.staged))
    with _running(Command(argv, commands.environment(base, None)), watch) as process:
        yield from process.output()
        status = process.wait()
        if status != 0:
            raise restore_failure("pg_restore", status, process.tail)


def of_database(
    tools: ClientTools, request: RestoreRequest, base: Mapping[str, str], watch: Watch
) -> Generator[bytes, None, None]:
    """What pg_dump makes of the database that the request restored to. Raises `DumpFailed`."""
    place = request.connection
    target = f"--dbname={commands.conninfo(place, with_password=False)}"
    argv = (str(tools.folder / "pg_dump"), "--schema-only", "--no-password", *_left_out(request), target)
    secrets = (place.password,) if place.password is not None else ()
    with _running(Command(argv, commands.environment(base, place), secrets), watch) as process:
        yield from process.output()
        status = process.wait()
        if status != 0:
            raise dump_failure("pg_dump", status, process.tail, place)


def _left_out(request: RestoreRequest) -> list[str]:
    flags = {
        "--no-owner": request.no_owner,
        "--no-privileges": request.no_acl,
        "--no-tablespaces": request.no_tablespaces,
    }
    return [flag for flag, wanted in flags.items() if wanted]


def _running(command: Command, watch: Watch) -> ToolProcess:
    return ToolProcess(command, watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
