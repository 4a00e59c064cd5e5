"""What every storage promises, the fake included."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pgproof.adapters.storage.keys import is_part_name
from pgproof.adapters.storage.local import LocalStorage
from pgproof.adapters.storage.part_file import PartFile
from pgproof.domain.errors import InvalidInput, ObjectMissing
from pgproof.services.ports import ObjectInfo, Storage
from tests.fakes.storage import MemoryStorage


@dataclass(frozen=True)
class Place:
    """A storage, and how to leave an interrupted write in it and to look for such."""

    storage: Storage
    strand: Callable[[str], None]
    stranded: Callable[[], bool]


def _memory(_: Path) -> Place:
    storage = MemoryStorage()
    return Place(storage, storage.unfinished.add, lambda: bool(storage.unfinished))


def _local(folder: Path) -> Place:
    root = folder / "backups"

    def strand(key: str) -> None:
        PartFile(root / key).write(b"the process died after this")

    return Place(LocalStorage(root), strand, lambda: any(is_part_name(found.name) for found in root.rglob("*")))


@pytest.fixture(params=[_memory, _local], ids=["memory", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made: Place = request.param(tmp_path)
    return made


@pytest.fixture
def storage(place: Place) -> Storage:
    return place.storage


def content(storage: Storage, key: str, start: int = 0) -> bytes:
    return b"".join(storage.read(key, start))


class Interrupted(BaseException):
    """Not an `Exception`: what ends a stream is often none, such as KeyboardInterrupt."""


def breaking(error: BaseException, *chunks: bytes) -> Iterator[bytes]:
    yield from chunks
    raise error


BAD_KEYS = [
    "", "/", "/etc/passwd", "../other", "app/../../etc/passwd", "app/..", "./app", "app/.", "app//x", "app/",
    "app\\x", "a\0b", "app/.x.part", ".x.part/manifest.json", "x" * 256, "ä" * 128, "/".join(["x" * 100] * 11),
    "\ud800",
]  # fmt: skip


def test_what_was_put_reads_back(storage: Storage) -> None:
    assert storage.put("app/backup_1/a.dump", [b"one", b"", b"two"]) == 6
    assert content(storage, "app/backup_1/a.dump") == b"onetwo"


def test_an_empty_stream_is_an_empty_object(storage: Storage) -> None:
    assert storage.put("app/empty", []) == 0
    assert content(storage, "app/empty") == b""
    assert storage.stat("app/empty") == ObjectInfo("app/empty", 0)


def test_large_objects_come_back_in_several_chunks(storage: Storage) -> None:
    body = bytes(range(256)) * 16_000
    storage.put("app/large", iter([body[:1_500_000], body[1_500_000:]]))
    chunks = list(storage.read("app/large"))
    assert len(chunks) > 1
    assert b"".join(chunks) == body


@pytest.mark.parametrize(("start", "expected"), [(0, b"0123456789"), (3, b"3456789"), (10, b""), (99, b"")])
def test_reading_starts_where_it_is_told_to(storage: Storage, start: int, expected: bytes) -> None:
    storage.put("app/digits", [b"0123456789"])
    assert content(storage, "app/digits", start) == expected


def test_reading_from_before_the_start_is_refused(storage: Storage) -> None:
    storage.put("app/digits", [b"0123456789"])
    with pytest.raises(InvalidInput):
        content(storage, "app/digits", -1)


def test_a_reader_may_stop_early(storage: Storage) -> None:
    storage.put("app/a", [b"x" * 5_000_000])
    reader = storage.read("app/a")
    assert next(reader)
    del reader
    storage.delete("app/a")
    assert list(storage.list()) == []


def test_stat_tells_the_length(storage: Storage) -> None:
    storage.put("app/a", [b"12345"])
    assert storage.stat("app/a") == ObjectInfo("app/a", 5)


def test_a_missing_object_is_missing_before_the_first_chunk(storage: Storage) -> None:
    storage.put("app/backup_1/a", [b"x"])
    for key in ("nothing", "app/nothing", "app/backup_1", "app/backup_1/a/b"):
        with pytest.raises(ObjectMissing) as caught:
            storage.stat(key)
        assert caught.value.hint
        with pytest.raises(ObjectMissing):
            next(storage.read(key))


def test_put_replaces_what_was_there(storage: Storage) -> None:
    storage.put("app/a", [b"old and longer"])
    storage.put("app/a", [b"new"])
    assert content(storage, "app/a") == b"new"
    assert list(storage.list()) == [ObjectInfo("app/a", 3)]


def test_an_object_does_not_appear_before_its_last_chunk(storage: Storage) -> None:
    seen: list[ObjectInfo] = []

    def chunks() -> Iterator[bytes]:
        yield b"first"
        seen.extend(storage.list())
        yield b"last"

    storage.put("app/a", chunks())
    assert seen == []
    assert [found.key for found in storage.list()] == ["app/a"]


@pytest.mark.parametrize("error", [ValueError("dump failed"), OSError(28, "not the storage's"), KeyboardInterrupt()])
def test_an_error_in_the_stream_leaves_nothing(storage: Storage, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        storage.put("app/backup_1/a.dump", breaking(error, b"half", b"of it"))
    assert caught.value is error
    assert list(storage.list()) == []
    with pytest.raises(ObjectMissing):
        storage.stat("app/backup_1/a.dump")


def test_an_error_in_the_stream_keeps_the_object_that_was_there(storage: Storage) -> None:
    storage.put("app/a", [b"the good one"])
    with pytest.raises(Interrupted):
        storage.put("app/a", breaking(Interrupted(), b"half"))
    assert content(storage, "app/a") == b"the good one"
    assert list(storage.list()) == [ObjectInfo("app/a", 12)]


def test_a_stream_that_breaks_leaves_no_unfinished_write(place: Place) -> None:
    with pytest.raises(Interrupted):
        place.storage.put("app/a", breaking(Interrupted(), b"half"))
    assert not place.stranded()


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_is_no_plain_path_is_refused_everywhere(storage: Storage, key: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: storage.put(key, [b"x"]),
        lambda: storage.read(key),
        lambda: storage.stat(key),
        lambda: storage.delete(key),
        lambda: storage.local_path(key),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.hint
    assert list(storage.list()) == []


@pytest.mark.parametrize("prefix", ["/", "../", "/etc/", "app//", "app/../", "a\0b/"])
def test_a_prefix_that_leaves_the_storage_is_refused(storage: Storage, prefix: str) -> None:
    with pytest.raises(InvalidInput):
        list(storage.list(prefix))
    with pytest.raises(InvalidInput):
        storage.discard_unfinished(prefix)


def test_list_gives_all_objects_by_key(storage: Storage) -> None:
    keys = ["b/x", "a/y/2", "a/y/10", "a-b/x", "a/y.txt", "Ä/x", "z"]
    for key in keys:
        storage.put(key, [key.encode()])
    assert [found.key for found in storage.list()] == sorted(keys)
    assert all(found.size == len(found.key.encode()) for found in storage.list())


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("app", ["app-prod/a", "app/b/1", "app/b/2"]),
        ("app/", ["app/b/1", "app/b/2"]),
        ("app/b", ["app/b/1", "app/b/2"]),
        ("app/b/2", ["app/b/2"]),
        ("app/c/", []),
        ("nothing/at/all", []),
        ("", ["app-prod/a", "app/b/1", "app/b/2"]),
    ],
)
def test_list_takes_any_prefix(storage: Storage, prefix: str, expected: list[str]) -> None:
    for key in ("app/b/1", "app/b/2", "app-prod/a"):
        storage.put(key, [b"x"])
    assert [found.key for found in storage.list(prefix)] == expected


def test_an_unused_storage_is_empty(storage: Storage) -> None:
    assert list(storage.list()) == []


def test_delete_removes_one_object(storage: Storage) -> None:
    storage.put("app/1/a", [b"x"])
    storage.put("app/1/b", [b"y"])
    storage.delete("app/1/a")
    assert [found.key for found in storage.list()] == ["app/1/b"]


def test_deleting_what_is_not_there_is_no_error(storage: Storage) -> None:
    storage.put("app/1/a", [b"x"])
    for key in ("nothing", "app/1/nothing", "app/1", "app", "app/1/a/b"):
        storage.delete(key)
    assert [found.key for found in storage.list()] == ["app/1/a"]


def test_an_object_can_come_again_after_it_was_deleted(storage: Storage) -> None:
    storage.put("app/1/a", [b"old"])
    storage.delete("app/1/a")
    storage.put("app/1/a", [b"new"])
    assert content(storage, "app/1/a") == b"new"


def test_an_interrupted_write_is_no_object(place: Place) -> None:
    place.strand("app/1/a")
    assert place.stranded()
    assert list(place.storage.list()) == []
    with pytest.raises(ObjectMissing):
        place.storage.stat("app/1/a")


def test_interrupted_writes_are_discarded_under_the_prefix_only(place: Place) -> None:
    place.storage.put("app/1/a", [b"kept"])
    place.strand("app/1/b")
    place.storage.discard_unfinished("app-prod/")
    place.storage.discard_unfinished("app/2")
    assert place.stranded()
    place.storage.discard_unfinished("app/1/")
    assert not place.stranded()
    assert [found.key for found in place.storage.list()] == ["app/1/a"]


def test_discarding_in_an_unused_storage_is_no_error(storage: Storage) -> None:
    storage.discard_unfinished("")
    storage.discard_unfinished("app/1/")


def test_check_leaves_nothing_behind(place: Place) -> None:
    place.storage.check()
    assert list(place.storage.list()) == []
    assert not place.stranded()


def test_a_local_path_leads_to_the_object(storage: Storage) -> None:
    storage.put("app/a", [b"for pg_restore"])
    path = storage.local_path("app/a")
    assert path is None or path.read_bytes() == b"for pg_restore"


def test_free_space_is_a_number_where_it_is_known(storage: Storage) -> None:
    free = storage.free_bytes()
    assert free is None or free > 0


def test_the_url_names_the_storage(storage: Storage) -> None:
    assert "://" in storage.url


SEGMENTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"), min_size=1, max_size=40
).filter(lambda name: name not in {".", ".."} and not is_part_name(name))
KEYS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=KEYS, chunks=st.lists(st.binary(max_size=300), max_size=5))
def test_any_plain_key_holds_any_content(place: Place, key: str, chunks: list[bytes]) -> None:
    storage = place.storage
    assert storage.put(key, chunks) == len(b"".join(chunks))
    assert content(storage, key) == b"".join(chunks)
    assert [found.key for found in storage.list()] == [key]
    storage.delete(key)
    assert list(storage.list()) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.sampled_from("a.\\/\0 ~é"), max_size=12))
def test_every_key_is_either_refused_or_stays_inside(place: Place, tmp_path: Path, key: str) -> None:
    try:
        place.storage.put(key, [b"x"])
    except InvalidInput:
        return
    assert [found.key for found in place.storage.list()] == [key]
    path = place.storage.local_path(key)
    assert path is None or tmp_path in path.resolve().parents
    place.storage.delete(key)
