"""Two installations that share a storage by mistake, and give two backups one name: neither loses anything."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger, with_remains
from pgproof.domain.errors import Conflict, PgproofError
from pgproof.domain.manifest import Manifest
from pgproof.services.claiming import Claim
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
    return [key.removeprefix(f"{FOLDER}/taken-by-") for key in storage.objects if "/taken-by-" in key]


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
    claim.release()
    assert storage.objects == {}


@pytest.mark.parametrize("name", ["manifest.json", "backup_20260301_020000_17.dump.zst", f"taken-by-{THEIRS}"])
def test_a_folder_that_holds_anything_is_refused_and_stays_as_it_is(name: str) -> None:
    storage = MemoryStorage()
    storage.put(f"{FOLDER}/{name}", [b"theirs"])
    with pytest.raises(Conflict, match="already") as refused:
        Claim(storage, FOLDER, OURS).make()
    assert "BACKUP_STORAGE_URL" in refused.value.hint
    assert storage.objects == {f"{FOLDER}/{name}": b"theirs"}


@pytest.mark.parametrize(
    "theirs",
    [
        {f"taken-by-{THEIRS}": b""},
        {f"taken-by-{THEIRS}": b"", "backup_20260301_020000_17.dump.zst": b"half a dump"},
        {f"taken-by-{THEIRS}": b"", "x.dump": b"a dump", "manifest.json": manifest_of(THEIRS)},
        {"x.dump": b"a dump", "manifest.json": manifest_of(THEIRS)},
        {"x.dump": b"a dump", "manifest.json": manifest_of(None)},
    ],
)
@pytest.mark.parametrize("calls", range(CALLS + 1))
def test_whenever_we_die_recovery_takes_nothing_of_theirs(theirs: dict[str, bytes], calls: int) -> None:
    lies_there = {f"{FOLDER}/{name}": content for name, content in theirs.items()}
    objects = dict(lies_there)
    with pytest.raises((Killed, Conflict)):
        Claim(Dying(objects, calls), FOLDER, OURS).make()
    Claim(Counted(objects), FOLDER, OURS).remove_objects()
    assert objects == lies_there


@pytest.mark.parametrize("calls", [1, 2])
def test_theirs_stays_if_they_come_while_we_die(calls: int) -> None:
    objects: dict[str, bytes] = {}
    with pytest.raises(Killed):
        Claim(Dying(objects, calls), FOLDER, OURS).make()
    objects |= {f"{FOLDER}/taken-by-{THEIRS}": b"", f"{FOLDER}/x.dump": b"theirs"}
    theirs = {key: content for key, content in objects.items() if OURS not in key}
    Claim(Counted(objects), FOLDER, OURS).remove_objects()
    assert objects == theirs


@pytest.mark.parametrize("with_mark", [True, False])
def test_however_often_the_removal_dies_it_comes_to_its_end(*, with_mark: bool) -> None:
    objects = {f"{FOLDER}/{name}": b"x" for name in ("a.dump", "globals.sql", "SHA256SUMS")}
    objects[f"{FOLDER}/manifest.json"] = manifest_of(OURS)
    if with_mark:
        objects[f"{FOLDER}/taken-by-{OURS}"] = b""
    deaths = 0
    while True:
        before = set(objects)
        try:
            Claim(Dying(objects, 4), FOLDER, OURS).remove_objects()
            break
        except Killed:
            deaths += 1
            manifest_left = f"{FOLDER}/manifest.json" in objects
            assert not manifest_left or set(objects) >= before  # a manifest stands for a whole folder
            assert deaths < 20
    assert deaths
    assert objects == {}


def test_who_made_the_claim_removes_what_it_stored_after_another_process_took_it_for_dead() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    claim.make()
    Claim(storage, FOLDER, OURS).remove_objects()
    storage.put(f"{FOLDER}/x.dump", [b"late"])
    Claim(storage, FOLDER, OURS).remove_objects()
    assert list(storage.objects) == [f"{FOLDER}/x.dump"]
    claim.remove_objects()
    assert storage.objects == {}


def test_a_damaged_manifest_of_ours_does_not_keep_what_we_marked() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    claim.make()
    storage.put(f"{FOLDER}/manifest.json", [b"{"])
    claim.remove_objects()
    assert storage.objects == {}


def test_the_manifest_tells_whose_the_backup_is() -> None:
    storage = MemoryStorage()
    claim = Claim(storage, FOLDER, OURS)
    for installation, is_ours in ((OURS, True), (THEIRS, False), (None, False)):
        storage.put(f"{FOLDER}/manifest.json", [manifest_of(installation)])
        assert claim.holds_manifest() is is_ours
        assert Manifest.parse(storage.objects[f"{FOLDER}/manifest.json"]).installation == installation


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
        Claim(storage, FOLDER, OURS).remove_objects()


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
