"""Which keys name an object, the same for every storage.

A key that one storage takes is a key for all of them, so that a backup can be copied from any storage
to any other.
"""

from typing import NoReturn

from pgproof.domain.errors import InvalidInput

LONGEST_KEY = 1024  # bytes; what S3 allows
LONGEST_SEGMENT = 255  # bytes; what file systems allow

_PART_PREFIX, _PART_SUFFIX = ".", ".part"


def is_part_name(name: str) -> bool:
    """Whether a file of that name is an unfinished write rather than an object."""
    return name.startswith(_PART_PREFIX) and name.endswith(_PART_SUFFIX)


def part_name(name: str, token: str) -> str:
    """The temporary name under which `name` is written; short enough wherever `name` itself is."""
    tail = f".{token}{_PART_SUFFIX}"
    room = LONGEST_SEGMENT - len(_PART_PREFIX) - len(tail)
    return _PART_PREFIX + name.encode()[:room].decode(errors="ignore") + tail


def check_key(key: str) -> tuple[str, ...]:
    """The segments of a key, or `InvalidInput` for one that is no plain path below the storage's root."""
    encoded = _encode(key)
    segments = tuple(key.split("/"))
    if not key or len(encoded) > LONGEST_KEY or "\0" in key or "\\" in key:
        _refuse(key)
    for segment in segments:
        if segment in {"", ".", ".."} or len(segment.encode()) > LONGEST_SEGMENT or is_part_name(segment):
            _refuse(key)
    return segments


def check_prefix(prefix: str) -> tuple[str, ...]:
    """The whole folders that a prefix of keys begins with, or `InvalidInput` where no key can match."""
    folder, slash, _ = prefix.rpartition("/")
    if not slash:
        _encode(prefix)
        return ()
    return check_key(folder)


def _encode(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError:
        _refuse(key)


def _refuse(key: str) -> NoReturn:
    raise InvalidInput(
        f"{key!r} cannot be the key of a stored object",
        hint=(
            "A key is a relative path: segments joined by '/', none of them empty, '.', '..' or a temporary "
            f"name like '.x.part', without backslash and NUL, at most {LONGEST_SEGMENT} bytes each and "
            f"{LONGEST_KEY} in all."
        ),
    )
