"""`pgproof download` on a real database: what was taken away restores without pgproof, and with it elsewhere."""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pgproof as product
from pgproof.scripting import Download
from tests.e2e.command_line import CommandLine
from tests.servers import Server, to_url

pytestmark = pytest.mark.usefixtures("_logs_as_before")

PATIENCE = 60


@pytest.fixture
def taken(pgproof: CommandLine) -> dict[str, Any]:
    """A backup that is larger than a pipe, and that gzip unpacks."""
    pgproof.server.sql(
        pgproof.database,
        "CREATE TABLE noise AS SELECT md5(i::text) || md5((-i)::text) AS line FROM generate_series(1, 40000) AS i",
    )
    done = pgproof("backup", "--compression", "gzip", "--json")
    assert done.status == 0, done.err
    return dict(done.json)


def stored(pgproof: CommandLine, taken: dict[str, Any]) -> Path:
    return pgproof.storage / Path(taken["file_path"]).parent


def audited(pgproof: CommandLine) -> list[tuple[str, int]]:
    """Outcome and bytes of each download, in their order."""
    found = pgproof.server.sql(
        pgproof.server.connection.to_database(pgproof.environ["BACKUP_CATALOG_URL"].rpartition("/")[2]),
        "SELECT outcome, coalesce((details->>'bytes')::bigint, 0) FROM pgproof.audit_trail "
        "WHERE action = 'backup.download' ORDER BY id",
    )
    return [(str(outcome), int(count)) for outcome, count in found]


def process(pgproof: CommandLine, *argv: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "pgproof", *argv],
        env={**os.environ, **pgproof.environ},
        cwd=pgproof.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def commands_of(guide: str) -> list[str]:
    """What RESTORE.md tells to type, step by step."""
    return [line.strip() for line in guide.splitlines() if line.startswith("       ") and line.strip()]


def test_a_downloaded_folder_is_private_checks_itself_and_restores_as_its_instructions_say(
    pgproof: CommandLine, taken: dict[str, Any], tmp_path: Path
) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum belongs to GNU coreutils")
    done = pgproof("download", str(taken["id"]), "--to", str(tmp_path / "away"), "--json")
    assert done.status == 0, done.err
    folder = Path(done.json["folder"])
    assert folder == tmp_path / "away" / stored(pgproof, taken).name
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in stored(pgproof, taken).iterdir()
    }
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, tmp_path / "away")} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)

    shutil.rmtree(pgproof.storage)  # from here on nothing but the copy is there
    place = pgproof.database
    environ = {
        "PATH": os.pathsep.join([str(pgproof.server.bin), os.environ["PATH"]]),
        "PGHOST": place.host,
        "PGPORT": str(place.port),
        "PGUSER": place.user,
        "PGPASSWORD": place.password.reveal() if place.password else "",
    }
    check, _globals, *restore = commands_of((folder / "RESTORE.md").read_text())
    for command in (check, *restore):
        typed = subprocess.run(["sh", "-e", "-c", command], cwd=folder, env=environ, capture_output=True, text=True)
        assert typed.returncode == 0, f"{command}\n{typed.stderr}"
    restored = place.to_database(f"{place.dbname}_restored")
    assert pgproof.server.sql(restored, "SELECT count(*), max(name) FROM items") == [(1000, "item 999")]


def test_a_second_download_finds_it_there_and_mends_what_was_damaged(
    pgproof: CommandLine, taken: dict[str, Any], tmp_path: Path
) -> None:
    away = str(tmp_path / "away")
    first = pgproof("download", str(taken["id"]), "--to", away, "--json").json
    before = {path: path.stat().st_mtime_ns for path in Path(first["folder"]).iterdir()}
    second = pgproof("download", str(taken["id"]), "--to", away, "--json")
    assert (second.status, second.json["copied"]) == (0, [])
    assert {path: path.stat().st_mtime_ns for path in Path(first["folder"]).iterdir()} == before

    archive = Path(first["folder"]) / taken["filename"]
    archive.write_bytes(archive.read_bytes()[:-1])
    (archive.parent / f".{archive.name}.0123.part").write_bytes(b"what a kill -9 leaves")
    assert pgproof("download", str(taken["id"]), "--to", away, "--json").json["copied"] == [taken["filename"]]
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == taken["checksum_sha256"]
    assert set(archive.parent.iterdir()) == set(before)


@pytest.mark.parametrize("name", ["archive", "globals.sql.gz", "RESTORE.md", "SHA256SUMS", "manifest.json"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_dies_leaves_no_backup_and_the_next_one_goes_on(
    pgproof: CommandLine, taken: dict[str, Any], tmp_path: Path, name: str, number: signal.Signals
) -> None:
    dying = taken["filename"] if name == "archive" else name
    program = f"""
import os, pgproof
def watch(step, progress):
    if step == {f"copy {dying}"!r} and progress.bytes_done:
        os.kill(os.getpid(), {number:d})
with pgproof.open() as opened:
    opened.download({taken["id"]}, "away", progress=watch)
"""
    died = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **pgproof.environ}, cwd=tmp_path, capture_output=True
    )
    assert died.returncode == -number, died.stderr
    folder = tmp_path / "away" / stored(pgproof, taken).name
    left = {path.name for path in folder.iterdir()} if folder.exists() else set()
    whole = {one for one in left if not one.endswith(".part")}
    assert not {dying, "manifest.json"} & whole
    assert (left == whole) == (number is not signal.SIGKILL)

    done = pgproof("download", str(taken["id"]), "--to", str(tmp_path / "away"), "--json")
    assert done.status == 0, done.err
    assert set(done.json["objects"]) - set(done.json["copied"]) == whole
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in stored(pgproof, taken).iterdir()
    }


def test_another_backup_is_never_written_over(pgproof: CommandLine, taken: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "away" / stored(pgproof, taken).name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"format_version": 1}')
    done = pgproof.fails(5, "download", str(taken["id"]), "--to", str(tmp_path / "away"))
    assert "another manifest.json" in done.error["detail"]
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert (folder / "manifest.json").read_text() == '{"format_version": 1}'


def test_what_cannot_be_downloaded_says_why_and_leaves_nothing(
    pgproof: CommandLine, taken: dict[str, Any], tmp_path: Path
) -> None:
    away = tmp_path / "away"
    number = str(taken["id"])
    pgproof.fails(4, "download", "4711", "--to", str(away))
    pgproof.fails(2, "download", number, "--to", str(pgproof.storage / "shop"))
    pgproof.fails(3, "download", number, "--to", str(away), BACKUP_DIR=str(tmp_path / "elsewhere"))
    (tmp_path / "file").touch()
    full = pgproof.fails(11, "download", number, "--to", str(tmp_path / "file"))
    assert "Or name another folder" in full.error["hint"]
    archive = stored(pgproof, taken) / taken["filename"]
    body = archive.read_bytes()
    archive.write_bytes(body[:-1] + b"?")
    pgproof.fails(12, "download", number, "--to", str(away))
    assert not away.exists()
    archive.write_bytes(body)
    assert pgproof("delete", number, "--yes").status == 0
    pgproof.fails(5, "download", number, "--to", str(away))
    assert not away.exists()
    assert {outcome for outcome, _ in audited(pgproof)} == {
        "not_found", "invalid_input", "configuration", "storage_unreachable", "checksum_mismatch", "conflict",
    }  # fmt: skip


def test_standard_output_feeds_pg_restore(pgproof: CommandLine, taken: dict[str, Any]) -> None:
    target = pgproof.server.create_database()
    pg_restore = [str(pgproof.server.bin / "pg_restore"), "--exit-on-error", f"--dbname={to_url(target)}"]
    download = [sys.executable, "-m", "pgproof", "download", str(taken["id"]), "--stdout"]
    subprocess.run(
        ["sh", "-e", "-c", f"{shlex.join(download)} | gzip -dc | {shlex.join(pg_restore)}"],
        env={**os.environ, **pgproof.environ},
        cwd=pgproof.folder,
        check=True,
    )
    assert pgproof.server.sql(target, "SELECT count(*) FROM items") == [(1000,)]
    size = (stored(pgproof, taken) / taken["filename"]).stat().st_size
    assert audited(pgproof) == [("done", size)]


def test_a_damaged_archive_on_standard_output_is_told_at_its_end(pgproof: CommandLine, taken: dict[str, Any]) -> None:
    archive = stored(pgproof, taken) / taken["filename"]
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")
    out, err = (streaming := process(pgproof, "download", str(taken["id"]), "--stdout")).communicate(timeout=PATIENCE)
    assert streaming.returncode == 12
    assert out == archive.read_bytes()
    assert b"Throw away what has arrived" in err


def test_a_reader_who_leaves_ends_it_quietly(pgproof: CommandLine, taken: dict[str, Any]) -> None:
    streaming = process(pgproof, "download", str(taken["id"]), "--stdout")
    assert streaming.stdout is not None
    assert streaming.stderr is not None
    assert len(streaming.stdout.read(1)) == 1
    streaming.stdout.close()
    with streaming.stderr as errors:
        err = errors.read().decode()
    assert streaming.wait(PATIENCE) == 0
    assert "error" not in err
    assert "Exception" not in err
    assert [outcome for outcome, _ in audited(pgproof)] == ["cancelled"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_stream_ends_with_13_and_is_in_the_audit_trail(
    pgproof: CommandLine, taken: dict[str, Any], number: signal.Signals
) -> None:
    streaming = process(pgproof, "download", str(taken["id"]), "--stdout")
    assert streaming.stdout is not None
    assert len(streaming.stdout.read(1)) == 1  # it has begun, and the pipe is smaller than the archive
    streaming.send_signal(number)
    _, err = streaming.communicate(timeout=PATIENCE)
    assert streaming.returncode == 13
    assert b"interrupted before the end" in err
    assert [outcome for outcome, _ in audited(pgproof)] == ["cancelled"]


def test_a_download_into_a_new_storage_is_a_backup_for_another_installation(
    pgproof: CommandLine, server18: Server, taken: dict[str, Any], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    database = Path(taken["file_path"]).parts[0]
    assert pgproof("download", str(taken["id"]), "--to", str(elsewhere / database)).status == 0
    new = {"BACKUP_CATALOG_URL": to_url(server18.create_database()), "BACKUP_DIR": str(elsewhere)}
    rebuilt = pgproof("catalog", "rebuild", "--json", **new)
    assert rebuilt.status == 0, rebuilt.err
    assert [row["id"] for row in json.loads(rebuilt.out)["rebuilt"]] == [taken["id"]]
    assert pgproof("verify", str(taken["id"]), **new).status == 0


def test_a_program_downloads_as_well(pgproof: CommandLine, taken: dict[str, Any], tmp_path: Path) -> None:
    steps: list[str] = []
    with product.open(environ=pgproof.environ) as opened:
        done = opened.download(taken["id"], tmp_path / "away", progress=lambda step, _: steps.append(step))
        assert isinstance(done, Download)
        assert opened.download(taken["id"], str(tmp_path / "away")).copied == []
    assert (
        Path(done.folder, taken["filename"]).read_bytes() == (stored(pgproof, taken) / taken["filename"]).read_bytes()
    )
    assert f"copy {taken['filename']}" in steps
    assert audited(pgproof) == [("done", done.size), ("done", 0)]
