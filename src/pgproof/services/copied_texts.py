"""The texts in a copy of a backup: as they are stored, or written anew where somebody lost or edited them.

Archive and manifest decide whether a backup is whole. RESTORE.md is help, and follows from the manifest.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field

from pgproof.domain.archive import CHECKSUMS, INSTRUCTIONS, MANIFEST, Compression
from pgproof.domain.errors import InvalidInput, ObjectMissing, StorageError
from pgproof.domain.manifest import Manifest, StoredObject
from pgproof.services import contents, instructions
from pgproof.services.measured import Measured
from pgproof.services.ports import Storage

_PLAIN = Compression.NONE


@dataclass(frozen=True)
class CopiedTexts:
    """What a copy gets beside the manifest's objects, in the order in which it is stored.

    `anew` holds the bytes of those that are not copied, `warnings` say why.
    """

    objects: tuple[StoredObject, ...]
    anew: Mapping[str, bytes] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def written(self, name: str) -> Generator[bytes, None, None]:
        """The bytes of a text that is not copied."""
        yield self.anew[name]


def texts_of(storage: Storage, folder: str, manifest: Manifest) -> CopiedTexts:
    """The texts for a copy; their SHA256SUMS holds for all of it. Raises `ChecksumMismatch` and `ObjectMissing`."""
    contents.check_checksums(storage, folder, manifest)
    stored = b"".join(storage.read(f"{folder}/{CHECKSUMS}"))
    listed = contents.parse_checksums(stored.decode(errors="replace"))
    anew: dict[str, bytes] = {}
    trouble = _trouble(storage, folder, listed.get(INSTRUCTIONS))
    if trouble:
        anew[INSTRUCTIONS] = instructions.render(manifest).encode()
        listed[INSTRUCTIONS] = Measured([anew[INSTRUCTIONS]]).drain().sha256
        sums = {item.name: item.sha256 for item in manifest.objects}
        sums |= {name: listed[name] for name in (INSTRUCTIONS, MANIFEST)}
        text = contents.render_checksums(sums).encode()
        if text != stored:
            anew[CHECKSUMS] = stored = text
    listed[CHECKSUMS] = Measured([stored]).drain().sha256
    return CopiedTexts(
        objects=(
            StoredObject(INSTRUCTIONS, _size(storage, folder, INSTRUCTIONS, anew), listed[INSTRUCTIONS], _PLAIN),
            StoredObject(CHECKSUMS, len(stored), listed[CHECKSUMS], _PLAIN),
            StoredObject(MANIFEST, _size(storage, folder, MANIFEST, anew), listed[MANIFEST], _PLAIN),
        ),
        anew=anew,
        warnings=tuple(_warnings(trouble, anew)),
    )


def _trouble(storage: Storage, folder: str, listed: str | None) -> str:
    """What keeps the stored RESTORE.md from being copied, or nothing."""
    try:
        found = Measured(storage.read(f"{folder}/{INSTRUCTIONS}")).drain()
    except ObjectMissing:
        return "is missing in the storage"
    except (StorageError, InvalidInput) as error:
        return f"cannot be read in the storage ({error.detail})"
    return "" if found.sha256 == listed else f"in the storage is not the one that {CHECKSUMS} there lists"


def _size(storage: Storage, folder: str, name: str, anew: Mapping[str, bytes]) -> int:
    return len(anew[name]) if name in anew else storage.stat(f"{folder}/{name}").size


def _warnings(trouble: str, anew: Mapping[str, bytes]) -> Iterator[str]:
    if trouble:
        both = f", and {CHECKSUMS} to match it" if CHECKSUMS in anew else ""
        yield f"{INSTRUCTIONS} {trouble}: in the copy it is written anew from the manifest{both}"
