"""The folder that a download makes: what lies there already, and what still has to come."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto

from pgproof.domain.archive import MANIFEST
from pgproof.domain.errors import Conflict, InvalidInput, ObjectMissing, PgproofError, StorageError, StorageFull
from pgproof.domain.manifest import StoredObject
from pgproof.domain.wording import size
from pgproof.services.measured import Measured
from pgproof.services.ports import Folders, Observer, Progress, Storage

_FULL = "Free space there or name another folder, then try again: what has arrived whole is kept."


class _Found(Enum):
    NOTHING = auto()
    THE_SAME = auto()
    SOMETHING_ELSE = auto()


class TargetFolder:
    """A folder `name` in `storage` that is to hold `objects`, of which the manifest comes last.

    Errors of the storage come with hints for whoever chose the folder.
    """

    def __init__(self, folders: Folders, storage: Storage, name: str, objects: Sequence[StoredObject]) -> None:
        self._folders = folders
        self._storage = storage
        self._name = name
        self._objects = objects

    @property
    def place(self) -> str:
        """Its path, or its URL where it has none."""
        path = self._storage.local_path(self._key(MANIFEST))
        return f"{self._storage.url}/{self._name}" if path is None else str(path.parent)

    def missing(self, observer: Observer) -> list[StoredObject]:
        """What has to be copied. Raises `Conflict` if anything lies there that is not this backup's, or not ours.

        Beside the right manifest, what does not match is a damaged copy and has to be copied again.
        """
        self._check_owner()
        found: dict[str, _Found] = {}
        for item in reversed(self._objects):  # the manifest first: it tells whose folder that is
            with _chosen_by_somebody():
                found[item.name] = self._look(item, observer)
            if found[item.name] is _Found.SOMETHING_ELSE and found[MANIFEST] is not _Found.THE_SAME:
                raise Conflict(
                    f"{self.place} holds another {item.name} than this backup's",
                    hint="Move that folder away, or name another place. Nothing there was touched.",
                )
        return [item for item in self._objects if found[item.name] is not _Found.THE_SAME]

    def prepare(self, wanted: Sequence[StoredObject]) -> None:
        """Make room for what is to come. Raises `StorageFull` before anything is written."""
        if not wanted:
            return
        with _chosen_by_somebody():
            self._storage.discard_unfinished(f"{self._name}/")
            free = self._storage.free_bytes()
            needed = sum(item.size for item in wanted)
            if free is not None and free < needed:
                raise StorageFull(
                    f"there is room for {size(free)} at {self.place}, needed are {size(needed)}",
                    facts={"free": free, "needed": needed},
                )

    def store(self, item: StoredObject, chunks: Generator[bytes, None, None]) -> None:
        """Store one object. What `chunks` raises comes out as it is, and leaves nothing under that name.

        Raises `Conflict` if the folder is another user's.
        """
        # Where others may write as well, somebody can have made it since we looked; ours stays ours. The manifest
        # comes last, so that at the latest then it is there to be looked at.
        self._check_owner()
        failures: list[PgproofError] = []
        with _chosen_by_somebody(failures):
            self._storage.put(self._key(item.name), _remembering(chunks, failures))

    def _check_owner(self) -> None:
        with _chosen_by_somebody():
            self._folders.check_owner(self._storage, self._name)

    def _key(self, name: str) -> str:
        return f"{self._name}/{name}"

    def _look(self, item: StoredObject, observer: Observer) -> _Found:
        try:
            info = self._storage.stat(self._key(item.name))
        except ObjectMissing:
            return _Found.NOTHING
        if info.size != item.size:
            return _Found.SOMETHING_ELSE
        observer.step(f"checksum of {item.name}")
        stored = self._storage.read(self._key(item.name))
        there = Measured(stored, told(observer, item)).drain()
        return _Found.THE_SAME if there.sha256 == item.sha256 else _Found.SOMETHING_ELSE


def told(observer: Observer, item: StoredObject) -> Callable[[int], None]:
    """Tells an observer how much of an object has passed."""
    return lambda size: observer.progress(Progress(bytes_done=size, bytes_total=item.size))


def _remembering(chunks: Generator[bytes, None, None], failures: list[PgproofError]) -> Generator[bytes, None, None]:
    try:
        yield from chunks
    except PgproofError as error:
        failures.append(error)
        raise


@contextmanager
def _chosen_by_somebody(others: Sequence[PgproofError] = ()) -> Iterator[None]:
    """A storage's hints speak of BACKUP_DIR; this one is a folder that somebody has just named."""
    try:
        yield
    except (StorageError, InvalidInput) as error:
        if error in others:
            raise
        match error:
            case StorageFull():
                hint = _FULL
            case InvalidInput():
                hint = "Name another folder."
            case _:
                hint = f"{error.hint} Or name another folder."
        raise type(error)(error.detail, hint=hint, facts=error.facts) from error
