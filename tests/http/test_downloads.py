"""Downloads: whole, in part, again, and not at all."""

import hashlib
import os
import time

import httpx
import psutil
import pytest

from pgproof.domain.backup import Backup, BackupStatus
from tests.http.world import Api, problem

SIZE = 3_000_000
BODY = bytes(range(256)) * (SIZE // 256) + b"end"


@pytest.fixture
def stored(api: Api) -> Backup:
    """A backup whose archive lies in the storage."""
    return store(api, BODY)


def store(api: Api, body: bytes) -> Backup:
    row = api.row(file_size=len(body), checksum_sha256=hashlib.sha256(body).hexdigest())
    api.app.storage.put(row.file_path, [body])
    return row


def path_of(backup: Backup) -> str:
    return f"/api/admin/backups/{backup.id}/download"


def test_a_download_is_the_archive_as_it_is_stored(api: Api, stored: Backup) -> None:
    answer = api.get(path_of(stored))
    assert answer.status_code == 200
    assert answer.content == BODY
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{stored.filename}"'
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{stored.checksum_sha256}"'


def test_a_look_at_a_download_tells_length_and_name_and_sends_nothing(api: Api, stored: Backup) -> None:
    answer = api.call("HEAD", path_of(stored))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["content-disposition"] == f'attachment; filename="{stored.filename}"'


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-1023", 0, 1024),
        ("bytes=1048570-1048590", 1_048_570, 1_048_591),  # over the border of two chunks
        (f"bytes={len(BODY) - 1}-", len(BODY) - 1, len(BODY)),
        ("bytes=-3", len(BODY) - 3, len(BODY)),
        (f"bytes=-{10 * len(BODY)}", 0, len(BODY)),
        (f"bytes=5-{10 * len(BODY)}", 5, len(BODY)),
        ("BYTES=5-9", 5, 10),
    ],
)
def test_a_range_is_answered_with_those_bytes(api: Api, stored: Backup, asked: str, first: int, stop: int) -> None:
    answer = api.get(path_of(stored), headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == BODY[first:stop]
    assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(BODY)}"
    assert answer.headers["content-length"] == str(stop - first)


@pytest.mark.parametrize("asked", [f"bytes={len(BODY)}-", f"bytes={10 * len(BODY)}-{11 * len(BODY)}", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_length(api: Api, stored: Backup, asked: str) -> None:
    answer = api.get(path_of(stored), headers={"Range": asked})
    problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(BODY)}"


@pytest.mark.parametrize(
    "asked", ["bytes=9-5", "bytes=-", "bytes=a-b", "bytes", "lines=1-2", "bytes=0-1,5-9", "bytes=--5"]
)
def test_a_range_that_is_not_understood_is_answered_with_the_whole(api: Api, stored: Backup, asked: str) -> None:
    answer = api.get(path_of(stored), headers={"Range": asked})
    assert answer.status_code == 200
    assert answer.content == BODY


def test_a_broken_download_goes_on_only_if_the_archive_is_the_same(api: Api, stored: Backup) -> None:
    etag = api.call("HEAD", path_of(stored)).headers["etag"]
    same = api.get(path_of(stored), headers={"Range": "bytes=100-", "If-Range": etag})
    assert (same.status_code, same.content) == (206, BODY[100:])
    for other in ('"another"', f"W/{etag}", "Sun, 01 Mar 2026 12:30:00 GMT"):
        whole = api.get(path_of(stored), headers={"Range": "bytes=100-", "If-Range": other})
        assert (whole.status_code, whole.content) == (200, BODY)


def test_who_has_the_archive_is_told_so(api: Api, stored: Backup) -> None:
    etag = api.call("HEAD", path_of(stored)).headers["etag"]
    for given in (etag, f'"x", {etag}', "*", f"W/{etag}"):
        answer = api.get(path_of(stored), headers={"If-None-Match": given})
        assert (answer.status_code, answer.content) == (304, b"")
    assert api.get(path_of(stored), headers={"If-None-Match": '"x"'}).status_code == 200


def test_every_download_is_in_the_audit_trail_with_what_was_taken(api: Api, stored: Backup) -> None:
    api.get(path_of(stored))
    api.get(path_of(stored), headers={"Range": "bytes=5-9"})
    api.call("HEAD", path_of(stored))
    entries = api.get("/api/admin/audit", params={"action": "backup.download"}).json()["entries"]
    assert [(one["actor"], one["object"], one["details"]["bytes"]) for one in entries] == [
        ("admin", str(stored.id), 5),
        ("admin", str(stored.id), len(BODY)),
    ]


@pytest.mark.parametrize(
    "status", [status for status in BackupStatus if status not in {BackupStatus.COMPLETED, BackupStatus.RESTORED}]
)
def test_what_is_not_a_whole_backup_cannot_be_downloaded(api: Api, status: BackupStatus) -> None:
    row = api.row(status=status)
    found = problem(api.get(path_of(row)), 409, "conflict")
    assert status.value in found["detail"]
    problem(api.get(f"/api/admin/backups/{row.id}/manifest"), 409, "conflict")


def test_an_archive_that_is_gone_or_has_another_length_is_the_storages_fault(api: Api, stored: Backup) -> None:
    api.app.storage.put(stored.file_path, [BODY[:-1]])
    problem(api.get(path_of(stored)), 502, "checksum_mismatch")
    api.app.storage.delete(stored.file_path)
    problem(api.get(path_of(stored)), 502, "object_missing")
    problem(api.get(f"/api/admin/backups/{stored.id}/manifest"), 502, "manifest_invalid")


def test_an_archive_that_ends_early_breaks_the_connection(api: Api) -> None:
    """Half an archive must not look like a whole one."""
    big = store(api, b"x" * 40_000_000)
    location = api.app.storage.local_path(big.file_path)
    assert location is not None
    with api.client.stream("GET", path_of(big), headers=api.as_admin()) as answer:
        assert answer.status_code == 200
        os.truncate(location, 100)
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


def test_a_reader_who_goes_away_leaves_no_file_open(api: Api) -> None:
    big = store(api, b"x" * 40_000_000)
    for _ in range(5):
        with api.client.stream("GET", path_of(big), headers=api.as_admin()) as answer:
            next(answer.iter_raw(1000))
    # One more that comes to its end, behind which those before are over.
    deadline = time.monotonic() + 30
    while open_files(api) and time.monotonic() < deadline:
        assert api.get(path_of(big), headers={"Range": "bytes=-5"}).content == b"xxxxx"
    assert open_files(api) == []


def open_files(api: Api) -> list[str]:
    folder = str(api.app.settings.dir)
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(folder)]
