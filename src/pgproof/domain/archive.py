"""Archives: their formats, their compression, and the names of the objects that a backup consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pgproof.domain.errors import InvalidInput

LEVELS = range(10)
JOBS = range(1, 65)

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
INSTRUCTIONS = "RESTORE.md"
# In the order in which they are stored: the manifest makes the folder a backup.
TEXTS = (INSTRUCTIONS, CHECKSUMS, MANIFEST)

_BEGINNING = "backup_"
_TIME, _TIME_LENGTH = "%Y%m%d_%H%M%S", 15

# Bytes: what file systems allow for one name.
LONGEST_NAME = 255


class ArchiveFormat(StrEnum):
    """Formats of pg_dump. pgproof writes `WRITTEN`, and keeps imported dumps in any of them."""

    CUSTOM = "custom"
    DIRECTORY = "directory"
    TAR = "tar"
    PLAIN = "plain"


WRITTEN = (ArchiveFormat.CUSTOM, ArchiveFormat.DIRECTORY)


class Compression(StrEnum):
    """How the stored bytes are compressed."""

    ZSTD = "zstd"
    GZIP = "gzip"
    NONE = "none"


_FORMAT_SUFFIX = {
    ArchiveFormat.CUSTOM: ".dump",
    ArchiveFormat.DIRECTORY: ".tar",
    ArchiveFormat.TAR: ".tar",
    ArchiveFormat.PLAIN: ".sql",
}
_COMPRESSION_SUFFIX = {Compression.ZSTD: ".zst", Compression.GZIP: ".gz", Compression.NONE: ""}


def check_written(form: ArchiveFormat) -> ArchiveFormat:
    """A format as it is, or `InvalidInput` for one in which pgproof takes no backups."""
    if form not in WRITTEN:
        raise InvalidInput(
            f"pgproof takes no backups in the {form} format",
            hint=f"Use {' or '.join(WRITTEN)}. Existing dumps of any format: pgproof catalog import FILE",
        )
    return form


def check_level(level: int) -> int:
    """A compression level as it is, or `InvalidInput`."""
    if level not in LEVELS:
        raise InvalidInput(
            f"compression level {level} does not exist",
            hint="Levels go from 0 (none) to 9 (smallest); 6 is the default.",
        )
    return level


def check_jobs(jobs: int) -> int:
    """A number of parallel jobs as it is, or `InvalidInput`."""
    if jobs not in JOBS:
        raise InvalidInput(
            f"{jobs} parallel jobs are not possible",
            hint=f"Use {JOBS.start} to {JOBS.stop - 1} jobs; the number of processor cores is a good start.",
        )
    return jobs


def compression_for(level: int, wanted: Compression | None) -> Compression:
    """The compression that a level and a wish amount to: level 0 means none, as in pg_dump."""
    if level == 0:
        return Compression.NONE
    return wanted or Compression.ZSTD


LONGEST_FOLDER = LONGEST_NAME


def check_object_names(names: Sequence[str]) -> None:
    """Raise `ValueError` unless a backup's objects can lie in one folder, beside the texts, under these names.

    Names that differ in case alone are one and the same on some file systems, such as that of a USB stick.
    """
    taken = {name.casefold() for name in TEXTS}
    for name in names:
        plain = name.isprintable() and not name.startswith(".") and "/" not in name and "\\" not in name
        # What cannot be written as UTF-8 is not printable either.
        if not name or not plain or len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"{name!r} cannot be the name of an object")
        if name.casefold() in taken:
            raise ValueError(f"{name!r} cannot be the name of an object, because another one has it")
        taken.add(name.casefold())


def folder_name(database: str) -> str:
    """A database's folder: safe on every file system and object store, and different for different names.

    Letters, digits, ``-``, ``_`` and inner dots stay; every other byte of the UTF-8 name becomes ``%XX``.
    """
    kept = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    encoded = "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in database.encode())
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def globals_filename(compression: Compression) -> str:
    """The object that holds roles and tablespaces."""
    return f"globals.sql{_COMPRESSION_SUFFIX[compression]}"


def time_in_name(name: str) -> datetime | None:
    """The time, in UTC, that is in the name of a backup's folder or archive; ``None`` if it is no such name."""
    try:
        return datetime.strptime(name.removeprefix(_BEGINNING)[:_TIME_LENGTH], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


@dataclass(frozen=True)
class ObjectNames:
    """The keys of one backup's objects in a storage, relative to its root."""

    folder: str
    filename: str

    @classmethod
    def make(
        cls, database: str, taken_at: datetime, backup_id: int, form: ArchiveFormat, compression: Compression
    ) -> "ObjectNames":
        """Names for a backup whose work begins at `taken_at` (written in UTC)."""
        stem = f"{_BEGINNING}{taken_at.astimezone(UTC):{_TIME}}_{backup_id}"
        return cls(
            folder=f"{folder_name(database)}/{stem}",
            filename=f"{stem}{_FORMAT_SUFFIX[form]}{_COMPRESSION_SUFFIX[compression]}",
        )

    def key(self, name: str) -> str:
        """The storage key of one of the folder's objects."""
        return f"{self.folder}/{name}"

    @property
    def archive(self) -> str:
        """The archive's key."""
        return self.key(self.filename)
