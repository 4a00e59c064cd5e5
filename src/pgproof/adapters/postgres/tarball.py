"""The directory format as one stream: a tar of pg_dump's files, its table of contents first."""

import errno
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from pgproof.domain.errors import ArchiveUnreadable

CONTENTS = "toc.dat"
_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_HINT = "The archive was damaged after it was taken. Use another backup, or another copy."


def pack(folder: Path, *, keep: bool = False) -> Iterator[bytes]:
    """Tar the files of a folder; each is removed once it has been read, to give its space back, unless to `keep`."""
    names = sorted((entry.name for entry in folder.iterdir()), key=lambda name: (name != CONTENTS, name))
    for name in names:
        path = folder / name
        member = tarfile.TarInfo(name)
        member.size = path.stat().st_size
        member.mode = 0o600
        member.mtime = int(path.stat().st_mtime)
        yield member.tobuf(tarfile.PAX_FORMAT)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
        yield bytes(-member.size % _BLOCK)
        if not keep:
            path.unlink()
    yield bytes(2 * _BLOCK)


def unpack(stream: Iterable[bytes], folder: Path, only: str | None = None) -> None:
    """Write the members of a tar stream as files of `folder`; with `only`, just that one.

    Raises `ArchiveUnreadable` for what is not such a tar, and `OSError` where writing fails.
    """
    source = _Source(iter(stream))
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|") as tar:
            for member in tar:
                if only is None or member.name == only:
                    _write(tar, member, folder)
                if member.name == only:
                    return
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveUnreadable(f"the archive is not a whole tar file: {error}", hint=_HINT) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ArchiveUnreadable(f"the archive is not a whole tar file: {error}", hint=_HINT) from error
    if only is None:
        source.drain()
    if only is not None or not (folder / CONTENTS).exists():
        raise ArchiveUnreadable(f"the archive holds no {only or CONTENTS}", hint=_HINT)


def check_whole(path: Path) -> None:
    """Follow a tar file from header to header to its end. Raises `ArchiveUnreadable` where there is none."""
    length = path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if not block.strip(b"\0"):
                return
            try:
                member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                raise ArchiveUnreadable(f"the archive is not a whole tar file: {error}", hint=_HINT) from error
            if file.seek(member.size + -member.size % _BLOCK, os.SEEK_CUR) > length:
                break
    raise ArchiveUnreadable("the archive is not a whole tar file: its end is missing", hint=_HINT)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    # By hand: TarFile.extract knows its safe filters from Python 3.11.4 on only, and Debian 12 has 3.11.2.
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or member.name in {"", ".", ".."} or "/" in member.name:
        raise ArchiveUnreadable(f"the archive holds something that is no file of a dump: {member.name!r}", hint=_HINT)
    with content, (folder / member.name).open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)


class _Source:
    """Just enough of a file for tarfile to read a stream of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts = []
        wanted = size
        while wanted:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part, self._rest = self._rest[:wanted], self._rest[wanted:]
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def drain(self) -> None:
        """Read to the end, so that a check at the end of the stream is made."""
        for _ in self._chunks:
            pass
