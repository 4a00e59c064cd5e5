"""Two installations that share a storage by mistake, and give two backups one name: neither loses anything."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger, with_remains
from pgproof.domain.errors import Conflict, PgproofError
from pgproof.services.claiming import Claim, mark_owner, remove_left
from pgproof.services.deleting import remove_remains
from pgproof.services.ports import ObjectInfo
from pgproof.services.removing import remove_objects
from tests.command_line import MANIFEST, NOW
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.storage import MemoryStorage

FOLDER = "shop/backup_20260301_020000_17"
OURS, THEIRS = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
CALLS = 4  # of one claim, at most: look, mark, look, remove the mark


class Killed(BaseException):
    """The process ends here."""


class Counted(MemoryStorage):
    """Lets `turn` have a say before each call that a claim makes."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        super().__init__()
        if objects is not None:
            self.objects = objects

    def turn(self) -> None: ...

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        self.turn()
        return super().put(key, chunks)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self.turn()
        return super().list(prefix)

    def delete(self, key: str) -> None:
        self.turn()
        super().delete(key)


class Dying(Counted):
    """Dies before its call of that number."""

    def __init__(self, objects: dict[str, bytes], calls: int) -> None:
        super().__init__(objects)
        self.left = calls

    def turn(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1


class TakingTurns(Counted):
    """One of two that share their objects; each call waits until it is told to go on."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.left = CALLS
        self._goes_on = False

    def turn(self) -> None:
        if self._goes_on:
            self.done.release()
        self.go.acquire()
        self.left -= 1
        self._goes_on = True

    def finish(self) -> None:
        while self.left:
            self.turn()
        self.done.release()


def manifest_of(installation: str | None) -> bytes:
    return replace(MANIFEST, installation=installation).render().encode()


def marks(storage: MemoryStorage) -> list[str]:
    """The installations that have marked the folder."""
    names = [key.removeprefix(f"{FOLDER}/") for key in storage.objects]
    return [owner for owner in map(mark_owner, names) if owner]


@pytest.mark.parametrize("first", list(combinations(range(2 * CALLS), CALLS)))
def test_in_whatever_order_two_do_it_at_most_one_has_the_folder(first: tuple[int, ...]) -> None:
    objects: dict[str, bytes] = {}
    two = {OURS: TakingTurns(objects), THEIRS: TakingTurns(objects)}
    won: list[str] = []

    def live(installation: str) -> None:
        try:
            Claim(two[installation], FOLDER, installation).make()
            won.append(installation)
        except Conflict:
            pass
        finally:
            two[installation].finish()

    threads = [threading.Thread(target=live, args=[installation], daemon=True) for installation in two]
    for thread in threads:
        thread.start()
    for turn in range(2 * CALLS):
        one = two[OURS if turn in first else THEIRS]
        one.go.release()
        assert one.done.acquire(timeout=60)
    for thread in threads:
        thread.join(60)
    assert len(won) <= 1
    assert marks(two[OURS]) == won


def test_an_empty_folder_is_ours_and_the_mark_goes_again() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    claim.make()
    assert marks(storage) == [OURS]
    claim.release(pytest.fail)
    assert storage.objects == {}


@pytest.mark.parametrize("name", ["manifest.json", "backup_20260301_020000_17.dump.zst", f"taken-by-{THEIRS}.1"])
def test_a_folder_that_holds_anything_is_refused_and_stays_as_it_is(name: str) -> None:
    storage = MemoryStorage()
    storage.put(f"{FOLDER}/{name}", [b"theirs"])
    with pytest.raises(Conflict, match="has not stored") as refused:
        Claim(storage, FOLDER, OURS).make()
    assert "BACKUP_STORAGE_URL" in refused.value.hint
    assert storage.objects == {f"{FOLDER}/{name}": b"theirs"}


THEIRS_LIES_THERE = [
    {f"taken-by-{THEIRS}.1": b""},
    {f"taken-by-{THEIRS}.1": b"", "backup_20260301_020000_17.dump.zst": b"half a dump"},
    {f"taken-by-{THEIRS}.1": b"", "x.dump": b"a dump", "manifest.json": manifest_of(THEIRS)},
    {"x.dump": b"a dump", "manifest.json": manifest_of(THEIRS)},
    {"x.dump": b"a dump", "manifest.json": manifest_of(None)},
    {"x.dump": b"a dump", "manifest.json": b"{"},
]


@pytest.mark.parametrize("theirs", THEIRS_LIES_THERE)
@pytest.mark.parametrize("calls", range(CALLS + 1))
def test_whenever_we_die_recovery_takes_nothing_of_theirs(theirs: dict[str, bytes], calls: int) -> None:
    lies_there = {f"{FOLDER}/{name}": content for name, content in theirs.items()}
    objects = dict(lies_there)
    with pytest.raises((Killed, Conflict)):
        Claim(Dying(objects, calls), FOLDER, OURS).make()
    assert not remove_left(Counted(objects), FOLDER, OURS)
    assert objects == lies_there


@pytest.mark.parametrize("calls", [1, 2])
def test_theirs_stays_if_they_come_while_we_die(calls: int) -> None:
    objects: dict[str, bytes] = {}
    with pytest.raises(Killed):
        Claim(Dying(objects, calls), FOLDER, OURS).make()
    objects |= {f"{FOLDER}/taken-by-{THEIRS}.1": b"", f"{FOLDER}/x.dump": b"theirs"}
    theirs = {key: content for key, content in objects.items() if OURS not in key}
    assert not remove_left(Counted(objects), FOLDER, OURS)
    assert objects == theirs


@pytest.mark.parametrize(("with_mark", "with_manifest"), [(True, True), (True, False), (False, False)])
def test_however_often_the_removal_dies_it_comes_to_its_end(*, with_mark: bool, with_manifest: bool) -> None:
    objects = {f"{FOLDER}/{name}": b"x" for name in ("a.dump", "globals.sql", "SHA256SUMS")}
    if with_manifest:
        objects[f"{FOLDER}/manifest.json"] = manifest_of(OURS)
    if with_mark:
        objects[f"{FOLDER}/taken-by-{OURS}.1"] = b""
    deaths = 0
    while True:
        before = set(objects)
        try:
            assert remove_left(Dying(objects, 3), FOLDER, OURS)
            break
        except Killed:
            deaths += 1
            manifest_left = f"{FOLDER}/manifest.json" in objects
            assert not manifest_left or set(objects) >= before  # a manifest stands for a whole folder
            assert deaths < 20
    assert deaths
    assert objects == {}


def test_a_removal_needs_no_room() -> None:
    full = MemoryStorage(capacity=10)
    full.objects = {f"{FOLDER}/{name}": b"x" * 10 for name in (f"taken-by-{OURS}.1", "a.dump")}
    assert remove_left(full, FOLDER, OURS)
    assert full.objects == {}


def test_a_damaged_manifest_does_not_keep_what_we_marked() -> None:
    storage = MemoryStorage()
    Claim(storage, FOLDER, OURS).make()
    storage.put(f"{FOLDER}/manifest.json", [b"{"])
    assert remove_left(storage, FOLDER, OURS)
    assert storage.objects == {}


def test_what_was_stored_after_another_process_took_us_for_dead_goes_too() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    claim.make()
    assert remove_left(storage, FOLDER, OURS)
    storage.put(f"{FOLDER}/x.dump", [b"late"])
    claim.remove()
    assert storage.objects == {}


def test_who_wakes_up_beside_a_successor_takes_nothing_from_it() -> None:
    storage = MemoryStorage()
    late, successor = (Claim(storage, FOLDER, OURS) for _ in range(2))
    late.make()
    assert remove_left(storage, FOLDER, OURS)
    successor.make()
    storage.put(f"{FOLDER}/x.dump", [b"the successor's"])
    before = dict(storage.objects)
    late.remove()
    assert storage.objects == before
    with pytest.raises(Conflict):
        late.seal()
    successor.seal()
    storage.put(f"{FOLDER}/manifest.json", [manifest_of(OURS)])
    successor.release(pytest.fail)
    before = dict(storage.objects)
    late.remove()
    assert storage.objects == before


def test_a_mark_that_stays_is_told() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    claim.make()
    storage.denied = True
    told: list[str] = []
    claim.release(told.append)
    assert len(told) == 1
    assert FOLDER in told[0]


def test_what_was_whole_once_and_is_damaged_stays() -> None:
    storage = MemoryStorage()
    storage.put(f"{FOLDER}/x.dump", [b"one bit of it is wrong"])
    storage.put(f"{FOLDER}/manifest.json", [manifest_of(OURS)])
    before = dict(storage.objects)
    assert not remove_left(storage, FOLDER, OURS)
    assert storage.objects == before


def test_an_attempt_removes_the_manifest_that_it_has_stored() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    claim.make()
    claim.seal()
    storage.put(f"{FOLDER}/manifest.json", [manifest_of(OURS)])
    claim.remove()
    assert storage.objects == {}


@pytest.mark.parametrize("theirs", [*THEIRS_LIES_THERE, {"x.dump": b"?"}, {"manifest.json": manifest_of(OURS)}])
def test_an_attempt_that_was_refused_removes_nothing(theirs: dict[str, bytes]) -> None:
    storage = MemoryStorage()
    storage.objects = {f"{FOLDER}/{name}": content for name, content in theirs.items()}
    before = dict(storage.objects)
    claim = Claim(storage, FOLDER, OURS)
    with pytest.raises(Conflict):
        claim.make()
    claim.remove()
    assert storage.objects == before
    assert not claim.begun


@pytest.mark.parametrize("target", [BackupStatus.DELETED, BackupStatus.EXPIRED])
@pytest.mark.parametrize("installation", [OURS, THEIRS, None])
def test_deleting_a_backup_that_never_was_whole_takes_no_whole_one(
    target: BackupStatus, installation: str | None
) -> None:
    catalog, storage = MemoryCatalog(), MemoryStorage()
    pending = catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    failed = replace(pending, status=BackupStatus.FAILED, deletion_started_at=NOW, deletion_target=target)
    storage.put(f"{failed.folder}/manifest.json", [manifest_of(installation)])
    remove_remains(catalog, storage, failed)
    assert list(storage.objects) == [f"{failed.folder}/manifest.json"]


@pytest.mark.parametrize("target", [BackupStatus.FAILED, BackupStatus.CANCELLED])
def test_what_is_left_of_a_backup_that_was_never_whole_is_not_all_that_lies_there(target: BackupStatus) -> None:
    catalog, storage = MemoryCatalog(), MemoryStorage()
    pending = catalog.create_backup(
        "shop", storage_url=storage.url, options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    failed = with_remains(replace(pending, status=target), NOW)
    storage.put(f"{failed.folder}/manifest.json", [manifest_of(THEIRS)])
    remove_remains(catalog, storage, failed)
    assert list(storage.objects) == [f"{failed.folder}/manifest.json"]


def test_an_error_of_the_storage_is_not_taken_for_an_empty_folder() -> None:
    storage = MemoryStorage()
    storage.denied = True
    with pytest.raises(PgproofError):
        Claim(storage, FOLDER, OURS).make()
    with pytest.raises(PgproofError):
        remove_left(storage, FOLDER, OURS)


def test_the_last_key_goes_last() -> None:
    storage = Counted()
    for name in ("a", "z", "manifest.json"):
        storage.put(f"{FOLDER}/{name}", [b"x"])
    gone: list[str] = []
    remove = storage.delete

    class Noting(MemoryStorage):
        def delete(self, key: str) -> None:
            gone.append(key.rpartition("/")[2])
            remove(key)

    noting = Noting()
    noting.objects = storage.objects
    remove_objects(noting, FOLDER, last=f"{FOLDER}/a")
    assert gone == ["manifest.json", "z", "a"]
