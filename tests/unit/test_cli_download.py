"""`pgproof download`: what it prints, refuses, and writes to standard output."""

import fcntl
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pgproof.domain.backup import Backup
from pgproof.domain.errors import StorageFull, StorageUnreachable
from pgproof.entrypoints.cli.raw_output import write_all
from pgproof.services.ports.access import AuditFilter
from tests.command_line import CommandLine, Terminal
from tests.stored_backup import ARCHIVE, stored_whole


class Output(io.StringIO):
    """Standard output with a file behind it; whatever is written as text is in `getvalue`."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file

    def fileno(self) -> int:
        return self._file


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    yield CommandLine(tmp_path)
    structlog.reset_defaults()


@pytest.fixture
def backup(pgproof: CommandLine) -> Backup:
    return stored_whole(pgproof.catalog, pgproof.storage)


def entries(pgproof: CommandLine) -> list[tuple[str, str, object]]:
    return [
        (entry.object, entry.outcome, dict(entry.details))
        for entry in pgproof.audit.list(AuditFilter(limit=10, action="backup.download"))
    ]


def test_it_says_where_the_backup_lies_now_and_how_to_check_it(
    pgproof: CommandLine, backup: Backup, tmp_path: Path
) -> None:
    done = pgproof("download", str(backup.id), "--to", str(tmp_path / "usb stick"))
    there = (tmp_path / "usb stick").resolve() / backup.folder.rpartition("/")[2]
    assert done.status == 0
    assert done.out.startswith(f"backup {backup.id} of shop is copied to {there}: 5 objects, ")
    assert f"check it there with: cd '{there}' && sha256sum --check SHA256SUMS\n" in done.out
    assert "copy manifest.json" in done.err
    assert sum(1 for _ in there.iterdir()) == 5

    (there / "globals.sql.zst").unlink()
    assert ": 5 objects, " in (mended := pgproof("download", str(backup.id), "--to", str(there.parent))).out
    assert "(4 objects there before)" in mended.out
    again = pgproof("download", str(backup.id), "--to", str(there.parent))
    assert (again.status, "already: 5 objects" in again.out) == (0, True)


def test_its_json_tells_what_was_copied(pgproof: CommandLine, backup: Backup, tmp_path: Path) -> None:
    first = pgproof("download", str(backup.id), "--to", str(tmp_path), "--json")
    assert first.err == ""
    assert first.json["id"] == backup.id
    assert first.json["objects"] == first.json["copied"]
    assert first.json["objects"][0] == backup.filename
    assert first.json["bytes"] == first.json["bytes_copied"] > len(ARCHIVE)
    second = pgproof("download", str(backup.id), "--to", str(tmp_path), "--json").json
    assert (second["copied"], second["bytes_copied"], second["folder"]) == ([], 0, first.json["folder"])


def test_instructions_that_were_written_anew_are_told(pgproof: CommandLine, backup: Backup, tmp_path: Path) -> None:
    assert pgproof("download", str(backup.id), "--to", str(tmp_path / "before"), "--json").json["warnings"] == []
    pgproof.storage.delete(f"{backup.folder}/RESTORE.md")
    done = pgproof("download", str(backup.id), "--to", str(tmp_path))
    said = "RESTORE.md is missing in the storage: in the copy it is written anew from the manifest"
    assert done.status == 0
    assert done.out.splitlines()[1] == f"WARNING: {said}"
    assert pgproof("download", str(backup.id), "--to", str(tmp_path), "--json").json["warnings"] == [said]


def test_every_download_is_in_the_audit_trail_and_every_failure(
    pgproof: CommandLine, backup: Backup, tmp_path: Path
) -> None:
    done = pgproof("download", str(backup.id), "--to", str(tmp_path), "--json").json
    pgproof("download", str(backup.id), "--to", str(tmp_path))
    pgproof("download", "4711", "--to", str(tmp_path))
    pgproof.storage.objects[backup.file_path] = b"?" * len(ARCHIVE)
    pgproof("download", str(backup.id), "--to", str(tmp_path / "other"))
    assert entries(pgproof) == [
        (str(backup.id), "checksum_mismatch", {"to": str(tmp_path / "other")}),
        ("4711", "not_found", {"to": str(tmp_path)}),
        (str(backup.id), "done", {"to": done["folder"], "bytes": 0, "of": done["bytes"]}),
        (str(backup.id), "done", {"to": done["folder"], "bytes": done["bytes"], "of": done["bytes"]}),
    ]


def test_standard_output_gets_the_archive_and_nothing_else(
    pgproof: CommandLine, backup: Backup, tmp_path: Path
) -> None:
    with (tmp_path / "archive").open("wb", buffering=0) as file:
        out = Output(file.fileno())
        done = pgproof("download", str(backup.id), "--stdout", stdout=out)
    assert (done.status, out.getvalue()) == (0, "")
    assert (tmp_path / "archive").read_bytes() == ARCHIVE
    assert f"copy {backup.filename}" in done.err
    details = {"to": "standard output", "bytes": len(ARCHIVE), "of": len(ARCHIVE)}
    assert entries(pgproof) == [(str(backup.id), "done", details)]


def test_a_damaged_archive_on_standard_output_ends_with_12(
    pgproof: CommandLine, backup: Backup, tmp_path: Path
) -> None:
    pgproof.storage.objects[backup.file_path] = ARCHIVE[:-1] + b"?"
    with (tmp_path / "archive").open("wb", buffering=0) as file:
        done = pgproof("download", str(backup.id), "--stdout", stdout=Output(file.fileno()))
    assert done.status == 12
    assert "another SHA-256 than recorded" in done.err
    assert "Throw away what has arrived" in done.err
    assert entries(pgproof)[0][1] == "checksum_mismatch"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--stdout"], "an archive is not for a terminal"),
        (["--stdout", "--json"], "nothing for --json to do"),
        (["--stdout", "--to", "x"], "nothing for --to to do"),
    ],
)
def test_what_standard_output_cannot_be_is_refused_before_anything_is_opened(
    pgproof: CommandLine, backup: Backup, argv: list[str], said: str
) -> None:
    done = pgproof("download", str(backup.id), *argv, stdout=Terminal())
    assert (done.status, said in done.err, done.out) == (2, True, "")
    assert pgproof.opened == 0


def test_a_reader_who_has_enough_is_no_error_and_is_in_the_audit_trail(pgproof: CommandLine, backup: Backup) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = pgproof("download", str(backup.id), "--stdout", stdout=Output(writer))
    os.close(writer)
    assert done.status == 0
    assert "error" not in done.err
    (entry,) = entries(pgproof)
    assert entry[1] == "cancelled"


def test_a_full_disk_behind_standard_output_is_told(pgproof: CommandLine, backup: Backup) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        done = pgproof("download", str(backup.id), "--stdout", stdout=Output(full.fileno()))
    assert done.status == 11
    assert "unable to write to standard output: No space left on device" in done.err
    assert entries(pgproof)[0][1] == StorageFull.code


def test_a_pipe_that_does_not_block_gets_every_byte(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, fcntl.fcntl(writer, fcntl.F_GETFL) | os.O_NONBLOCK)
    body = os.urandom(3 << 20)
    got = bytearray()

    def read() -> None:
        while chunk := os.read(reader, 50_000):
            got.extend(chunk)

    thread = threading.Thread(target=read)
    thread.start()
    write_all(writer, body)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert bytes(got) == body


def test_an_output_that_is_broken_is_no_defect_of_ours() -> None:
    with Path("/dev/null").open("rb") as unwritable, pytest.raises(StorageUnreachable, match="standard output"):
        write_all(unwritable.fileno(), b"x")
