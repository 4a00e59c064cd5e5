"""What the operating system says about files, in the words of the error tree."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgproof.domain.errors import (
    InvalidInput,
    ObjectMissing,
    PgproofError,
    StorageDenied,
    StorageFull,
    StorageUnreachable,
)

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISSING = {errno.ENOENT, errno.ENOTDIR}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Translate failures to read `path`: what is not there is `ObjectMissing`."""
    try:
        yield
    except OSError as error:
        if error.errno in _MISSING:
            raise missing(path) from error
        raise _translated("read", path, error) from error


@contextmanager
def writing(path: Path, written: int = 0) -> Iterator[None]:
    """Translate failures to write `path`, of which `written` bytes are there so far."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path, written, error) from error
        raise _translated("write", path, error) from error


def missing(path: Path) -> ObjectMissing:
    """There is no object at `path`."""
    return ObjectMissing(
        f"there is no stored object {path}",
        hint="It was removed or moved by somebody else. Use another backup, or bring the file back.",
    )


def _full(path: Path, written: int, error: OSError) -> StorageFull:
    quota = error.errno == errno.EDQUOT
    return StorageFull(
        f"{'the quota is used up' if quota else 'no space is left'} for {path} after {written} bytes",
        hint=(
            f"Free space on that file system{', raise the quota' if quota else ''}, "
            "or keep backups elsewhere (BACKUP_DIR). Nothing was stored."
        ),
        facts={"path": str(path), "written": written},
    )


def _translated(deed: str, path: Path, error: OSError) -> PgproofError:
    reason = error.strerror or str(error)
    detail = f"unable to {deed} {path}: {reason}"
    facts = {"path": str(path), "errno": error.errno}
    if error.errno in _DENIED:
        return StorageDenied(
            detail,
            hint="Check who owns the folder, its permissions, and whether it is mounted read-only.",
            facts=facts,
        )
    if error.errno == errno.EFBIG:
        return StorageDenied(
            detail,
            hint="The file system, or `ulimit -f`, allows no file of that size. Use another folder.",
            facts=facts,
        )
    if error.errno == errno.ENAMETOOLONG:
        return InvalidInput(detail, hint="Keep backups in a folder with a shorter path.", facts=facts)
    if error.errno in {errno.ENOTDIR, errno.EISDIR, errno.EEXIST}:
        hint = "A file stands where a folder is needed, or the reverse. Move it away, or use another folder."
    else:
        hint = "Check that the disk or network share is mounted and healthy."
    return StorageUnreachable(detail, hint=hint, facts=facts)
