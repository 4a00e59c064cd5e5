"""What lies in a backup's folder: reading the manifest, proving the stored bytes."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing

from pgproof.domain.archive import CHECKSUMS, MANIFEST
from pgproof.domain.backup import Backup
from pgproof.domain.errors import ArchiveUnreadable, ChecksumMismatch, ManifestInvalid, ObjectMissing
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.domain.wording import counted, listed
from pgproof.services.deleting import check_here
from pgproof.services.measured import Measured
from pgproof.services.ports import ClientTools, PostgresTools, Storage, Streams

_DAMAGED = "The backup was damaged after it was taken. Use another backup, and see what the storage's disk says."


def read_manifest(storage: Storage, backup: Backup) -> Manifest:
    """The manifest of a backup. Raises `ManifestInvalid` if it is missing, damaged, newer, or another's.

    One that is not here because the backup lies in another storage is a `ConfigurationError`.
    """
    key = f"{backup.folder}/{MANIFEST}"
    try:
        text = b"".join(storage.read(key))
    except ObjectMissing as error:
        check_here(storage, backup)
        raise ManifestInvalid(
            f"backup {backup.id} has no manifest at {key}",
            hint="Somebody removed it, or the storage was replaced. Without a manifest a folder is not a backup.",
        ) from error
    manifest = Manifest.parse(text)
    # The number may be another one: a catalog that was rebuilt from several others had to give some anew.
    if manifest.archive.name != backup.filename:
        raise ManifestInvalid(
            f"the manifest at {key} belongs to {manifest.archive.name}, not to {backup.filename}", hint=_DAMAGED
        )
    if backup.checksum_sha256 not in (None, manifest.archive.sha256):
        raise ManifestInvalid(
            f"the manifest at {key} tells another SHA-256 of the archive than the catalog",
            hint="Somebody replaced the backup in the storage. Do not restore it; see who can write there.",
            facts={"object": key, "sha256": manifest.archive.sha256, "expected_sha256": backup.checksum_sha256},
        )
    return manifest


def check_object(
    storage: Storage, folder: str, expected: StoredObject, passed: Callable[[int], None] | None = None
) -> None:
    """Hold the stored bytes to length and SHA-256; `passed` hears how many were read, and may raise.

    Raises `ChecksumMismatch` or `ObjectMissing`.
    """
    key = f"{folder}/{expected.name}"
    found = Measured(storage.read(key), passed).drain()
    compare(key, expected, found)


def read_checked(
    storage: Storage, folder: str, expected: StoredObject, passed: Callable[[int], None] | None = None
) -> Generator[bytes, None, None]:
    """The stored bytes, for a copy. Raises `ChecksumMismatch` before the first or after the last of them.

    A `Storage.put` that reads them publishes nothing then.
    """
    key = f"{folder}/{expected.name}"
    _compare_length(key, expected, storage.stat(key).size)
    found = Measured(storage.read(key), passed)
    yield from found
    compare(key, expected, found)


def compare(key: str, expected: StoredObject, found: Measured) -> None:
    """Raise `ChecksumMismatch` unless what was read is what was recorded."""
    _compare_length(key, expected, found.size)
    if found.sha256 != expected.sha256:
        raise ChecksumMismatch(
            f"{key} has another SHA-256 than recorded",
            hint=_DAMAGED,
            facts={"object": key, "sha256": found.sha256, "expected_sha256": expected.sha256},
        )


def _compare_length(key: str, expected: StoredObject, size: int) -> None:
    if size != expected.size:
        raise ChecksumMismatch(
            f"{key} has {size} bytes, recorded are {expected.size}",
            hint=_DAMAGED,
            facts={"object": key, "size": size, "expected_size": expected.size},
        )


def check_checksums(storage: Storage, folder: str, manifest: Manifest) -> None:
    """Hold SHA256SUMS to the manifest and to the stored manifest itself."""
    key = f"{folder}/{CHECKSUMS}"
    listed = parse_checksums(b"".join(storage.read(key)).decode(errors="replace"))
    wanted = {item.name: item.sha256 for item in manifest.objects}
    wanted[MANIFEST] = Measured(storage.read(f"{folder}/{MANIFEST}")).drain().sha256
    for name, sha256 in wanted.items():
        if listed.get(name) != sha256:
            raise ChecksumMismatch(
                f"{key} and the manifest disagree about {name}", hint=_DAMAGED, facts={"object": f"{folder}/{name}"}
            )


def render_checksums(checksums: Mapping[str, str]) -> str:
    """SHA256SUMS as sha256sum writes it in binary mode."""
    return "".join(f"{sha256} *{name}\n" for name, sha256 in checksums.items())


def parse_checksums(text: str) -> dict[str, str]:
    """Names and hex digests of a SHA256SUMS file; lines of another shape are passed over."""
    lines = (line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {name[1:]: sha256 for sha256, name in lines}


def read_contents(
    storage: Storage, streams: Streams, tools: PostgresTools, client: ClientTools, folder: str, manifest: Manifest
) -> TableOfContents:
    """The archive's table of contents, from the stored bytes. Raises `ArchiveUnreadable`."""
    with closing(archive_stream(storage, streams, folder, manifest)) as archive:
        return tools.read_contents(client, archive, manifest.options.format)


def archive_stream(storage: Storage, streams: Streams, folder: str, manifest: Manifest) -> Generator[bytes, None, None]:
    """The archive, decompressed."""
    stored = storage.read(f"{folder}/{manifest.archive.name}")
    yield from streams.decompress(stored, manifest.archive.compression)


def check_complete(contents: TableOfContents, oids: Mapping[int, str]) -> None:
    """Raise `ArchiveUnreadable` unless the archive carries the rows of every one of these tables."""
    missing = sorted(name for oid, name in oids.items() if oid not in contents.tables)
    if missing:
        raise ArchiveUnreadable(
            f"the archive lacks the rows of {counted(len(missing), 'table')}: {listed(missing)}",
            hint="The dump is not whole, so it was not kept. Try again, and see the job's log.",
            facts={"tables": missing},
        )


def check_left_out(contents: TableOfContents, oids: Mapping[int, str]) -> None:
    """Raise `ArchiveUnreadable` if the archive carries rows that were to stay behind: it would not compare."""
    present = sorted(name for oid, name in oids.items() if oid in contents.tables)
    if present:
        raise ArchiveUnreadable(
            f"the archive holds the rows of {listed(present)}, which were to be left out",
            hint="Take the backup with these rows: --include-logs --include-cache.",
            facts={"tables": present},
        )
