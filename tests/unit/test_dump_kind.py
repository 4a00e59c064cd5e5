"""A dump is known by its first bytes, never by its name."""

import gzip
import io
import tarfile

import pytest
import zstandard

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.dump_kind import compression_of, format_of
from pgproof.domain.errors import InvalidInput

SCRIPT = b"--\n-- PostgreSQL database dump\n--\n\n"


def packed(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"PGDMP\x01\x0e\x00\x04\x08\x01", ArchiveFormat.CUSTOM),
        (packed("toc.dat", b"PGDMP\x01\x0e\x00\x04\x08\x03\x00"), ArchiveFormat.TAR),
        (SCRIPT, ArchiveFormat.PLAIN),
    ],
)
def test_every_format_is_recognised(head: bytes, form: ArchiveFormat) -> None:
    assert format_of(head) is form


@pytest.mark.parametrize(
    "head",
    [
        b"-- MySQL dump 10.13",
        b"\x00" * 600,
        b"PK\x03\x04",
        packed("./toc.dat", b"PGDMP"),
        packed("photo.jpg", b"x"),
        b"--\n-- PostgreSQL database cluster dump\n--\n",
    ],
)
def test_anything_else_is_refused_with_a_way_on(head: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        format_of(head)
    assert refused.value.hint


def test_output_of_pg_dumpall_is_told_from_a_dump() -> None:
    with pytest.raises(InvalidInput, match="pg_dumpall"):
        format_of(b"--\n-- PostgreSQL database cluster dump\n--\n" + SCRIPT)


def test_compression_around_a_dump_is_recognised() -> None:
    assert compression_of(gzip.compress(SCRIPT)) is Compression.GZIP
    assert compression_of(zstandard.compress(SCRIPT)) is Compression.ZSTD
    assert compression_of(SCRIPT) is Compression.NONE
