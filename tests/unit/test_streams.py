"""What compression promises: the same bytes again, in bounded memory, or a clear error; never other bytes."""

import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pgproof.adapters.streams import CompressedStreams
from pgproof.domain.archive import LEVELS, Compression
from pgproof.domain.errors import ArchiveUnreadable, InvalidInput

MIB = 1 << 20
STREAMS = CompressedStreams(threads=2)
SQUEEZING = [Compression.ZSTD, Compression.GZIP]


def compressed(chunks: Iterable[bytes], compression: Compression, level: int = 6) -> bytes:
    return b"".join(STREAMS.compress(chunks, compression, level))


def decompressed(chunks: Iterable[bytes], compression: Compression) -> bytes:
    return b"".join(STREAMS.decompress(chunks, compression))


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@pytest.fixture(scope="module")
def dump() -> bytes:
    """Rows as COPY writes them: words with natural frequencies, times, numbers, identifiers."""
    source = random.Random(18)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) for _ in range(3000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    rows = (
        f"{number}\t2024-0{number % 9 + 1}-{number % 27 + 1:02} 10:{number % 60:02}:00+00\t"
        f"{source.randint(1, 900)}.99\t"
        f"{source.getrandbits(64):016x}\t{' '.join(source.choices(words, weights, k=12))}\n"
        for number in range(12_000)
    )
    return "".join(rows).encode()


# Round trips


@pytest.mark.parametrize("level", LEVELS[1:])
@pytest.mark.parametrize("compression", Compression)
def test_what_was_compressed_comes_back(dump: bytes, compression: Compression, level: int) -> None:
    body = dump[:300_000]
    stored = compressed(in_pieces(body, 65_536), compression, level)
    assert decompressed([stored], compression) == body
    assert len(stored) < 0.6 * len(body) or compression is Compression.NONE


@given(
    body=st.binary(max_size=5_000),
    repeats=st.integers(1, 40),
    before=st.integers(1, 9_000),
    after=st.integers(1, 9_000),
    compression=st.sampled_from(Compression),
    level=st.integers(1, 7),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_come_back_however_they_are_cut(
    body: bytes, repeats: int, before: int, after: int, compression: Compression, level: int
) -> None:
    body *= repeats
    stored = compressed(in_pieces(body, before), compression, level)
    assert decompressed(in_pieces(stored, after), compression) == body


@pytest.mark.parametrize("compression", Compression)
def test_an_empty_stream_comes_back_empty(compression: Compression) -> None:
    stored = compressed([], compression)
    assert decompressed([stored], compression) == b""
    assert bool(stored) == (compression is not Compression.NONE)


@pytest.mark.parametrize("compression", Compression)
def test_empty_chunks_are_nothing(compression: Compression) -> None:
    stored = compressed([b"", b"one", b"", b"two", b""], compression)
    assert decompressed([b"", stored[:5], b"", stored[5:], b""], compression) == b"onetwo"


def test_none_passes_bytes_through() -> None:
    assert compressed([b"a", b"b"], Compression.NONE, 0) == b"ab"


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_streams_longer_than_the_window_come_back(dump: bytes, threads: int) -> None:
    streams = CompressedStreams(threads)
    chunks = in_pieces(dump, MIB) * 10
    assert len(dump) * 10 > 2 * 4 * MIB
    stored = b"".join(streams.compress(chunks, Compression.ZSTD, 6))
    assert zlib.crc32(decompressed([stored], Compression.ZSTD)) == zlib.crc32(b"".join(chunks))


# Levels


@pytest.mark.parametrize("compression", SQUEEZING)
def test_every_level_is_smaller_than_the_one_before(dump: bytes, compression: Compression) -> None:
    sizes = [len(compressed([dump], compression, level)) for level in LEVELS[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.95 * sizes[0]


@pytest.mark.parametrize("level", LEVELS[1:])
def test_zstd_is_smaller_than_gzip_at_the_same_level(dump: bytes, level: int) -> None:
    assert len(compressed([dump], Compression.ZSTD, level)) < len(compressed([dump], Compression.GZIP, level))


@pytest.mark.parametrize("level", [-1, 0, 10])
@pytest.mark.parametrize("compression", SQUEEZING)
def test_a_level_that_does_not_exist_is_refused_at_once(compression: Compression, level: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        STREAMS.compress([], compression, level)
    assert caught.value.hint


# Damage


@pytest.fixture(scope="module", params=SQUEEZING)
def small(request: pytest.FixtureRequest) -> tuple[Compression, bytes, bytes]:
    body = b"COPY public.flights (id, carrier) FROM stdin;\n1\tUA\n2\tAA\n3\tUA\n\\.\n" * 3
    return request.param, body, compressed([body], request.param)


def test_a_stream_cut_at_any_position_is_unreadable(small: tuple[Compression, bytes, bytes]) -> None:
    compression, _, stored = small
    for length in range(len(stored)):
        with pytest.raises(ArchiveUnreadable) as caught:
            decompressed([stored[:length]], compression)
        assert caught.value.hint
        with pytest.raises(ArchiveUnreadable):
            decompressed(in_pieces(stored[:length], 1), compression)


def test_a_flipped_bit_at_any_position_never_gives_other_bytes(small: tuple[Compression, bytes, bytes]) -> None:
    """Some bits of the headers mean nothing, such as gzip's time; all others must be noticed."""
    compression, body, stored = small
    unnoticed = 0
    for position in range(len(stored) * 8):
        damaged = bytearray(stored)
        damaged[position // 8] ^= 1 << position % 8
        try:
            found = decompressed([bytes(damaged)], compression)
        except ArchiveUnreadable:
            continue
        assert found == body
        unnoticed += 1
    assert unnoticed <= 7 * 8  # of gzip's ten bytes of header, six may be anything


def test_a_flipped_bit_differs_where_nothing_is_compressed() -> None:
    assert decompressed([b"\x01"], Compression.NONE) != decompressed([b"\x00"], Compression.NONE)


@pytest.mark.parametrize("garbage", [b"\0", b"\n", b"garbage", b"\0" * 1000])
def test_garbage_after_the_end_is_unreadable(small: tuple[Compression, bytes, bytes], garbage: bytes) -> None:
    compression, _, stored = small
    for chunks in ([stored + garbage], [stored, garbage], in_pieces(stored + garbage, 1)):
        with pytest.raises(ArchiveUnreadable):
            decompressed(chunks, compression)


@pytest.mark.parametrize("compression", SQUEEZING)
@pytest.mark.parametrize("content", [b"PGDMP\x01\x10\x00\x04\x08", b"\0" * 100, b"x"])
def test_something_else_is_unreadable(compression: Compression, content: bytes) -> None:
    with pytest.raises(ArchiveUnreadable):
        decompressed([content], compression)


def test_whole_streams_one_after_the_other_are_one(small: tuple[Compression, bytes, bytes]) -> None:
    compression, body, stored = small
    for size in (1, 7, 10_000):
        assert decompressed(in_pieces(stored * 3, size), compression) == body * 3


def test_the_bytes_before_the_damage_do_not_count_as_all(dump: bytes) -> None:
    """A reader that takes what comes must still hear of the damage at the end."""
    stored = compressed([dump], Compression.ZSTD)
    received = bytearray()

    def receive() -> None:
        for chunk in STREAMS.decompress([stored[:-1]], Compression.ZSTD):
            received.extend(chunk)

    with pytest.raises(ArchiveUnreadable):
        receive()
    assert len(received) > MIB // 2
    assert dump.startswith(received)


# Chains


class Broken(BaseException):
    pass


@pytest.fixture
def closed() -> list[bool]:
    return []


def noting(chunks: Iterable[bytes], closed: list[bool]) -> Iterator[bytes]:
    try:
        yield from chunks
    finally:
        closed.append(True)


@pytest.mark.parametrize("compression", Compression)
def test_an_error_in_the_source_comes_through(compression: Compression) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise Broken

    with pytest.raises(Broken):
        compressed(chunks(), compression)
    stored = compressed([b"x" * 1000], compression)

    def stored_chunks() -> Iterator[bytes]:
        yield stored[: len(stored) // 2]
        raise Broken

    with pytest.raises(Broken):
        decompressed(stored_chunks(), compression)


@pytest.mark.parametrize("compression", Compression)
def test_closing_the_stream_closes_its_source(compression: Compression, closed: list[bool]) -> None:
    endless = (bytes(1000) for _ in iter(int, 1))
    stream = STREAMS.compress(noting(endless, closed), compression, 1)
    next(stream)
    stream.close()
    assert closed == [True]


@pytest.mark.parametrize("compression", SQUEEZING)
def test_damage_closes_the_source(compression: Compression, closed: list[bool]) -> None:
    with pytest.raises(ArchiveUnreadable):
        decompressed(noting([b"not a stream", b"more"], closed), compression)
    assert closed == [True]


# Memory


@pytest.mark.parametrize("compression", SQUEEZING)
def test_what_squeezes_to_nothing_does_not_come_back_in_one_piece(compression: Compression) -> None:
    """A column of zeros shrinks 30,000-fold: a small chunk stands for gigabytes."""
    stored = compressed((bytes(MIB) for _ in range(256)), compression)
    sizes = [len(chunk) for chunk in STREAMS.decompress([stored], compression)]
    assert sum(sizes) == 256 * MIB
    assert max(sizes) <= 20 * MIB


MEASURED = """
import random, resource, sys
from pgproof.adapters.streams import CompressedStreams
from pgproof.domain.archive import Compression

def chunks():
    source = random.Random(1)
    for _ in range(int(sys.argv[2])):
        yield source.randbytes(1 << 19) * 2

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for chunk in CompressedStreams(int(sys.argv[4])).compress(chunks(), Compression(sys.argv[1]), int(sys.argv[3])):
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
@pytest.mark.parametrize(
    ("compression", "level", "threads"),
    [("zstd", 1, 2), ("zstd", 6, 2), ("zstd", 8, 2), ("zstd", 9, 2), ("zstd", 6, 64), ("gzip", 6, 2)],
)
def test_memory_grows_neither_with_the_stream_nor_with_the_machine(compression: str, level: int, threads: int) -> None:
    words = [sys.executable, "-c", MEASURED, compression, "40", str(level), str(threads)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(ran.stdout) <= 48  # MiB


# Other people's tools


@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_the_command_line_tools_read_what_we_write_and_we_read_theirs(dump: bytes, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    compression = Compression(tool)

    def run(*options: str, stdin: bytes) -> bytes:
        return subprocess.run([tool, *options], input=stdin, capture_output=True, check=True).stdout

    ours = compressed(in_pieces(dump, MIB), compression)
    assert run("-t", "-c", stdin=ours) == b""
    assert run("-d", "-c", stdin=ours) == dump
    assert decompressed([run("-c", stdin=dump)], compression) == dump


def test_zstd_frames_carry_a_checksum_of_the_content(dump: bytes) -> None:
    stored = compressed([dump], Compression.ZSTD)
    assert zstandard.get_frame_parameters(stored).has_checksum
