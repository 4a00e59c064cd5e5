"""What a file that somebody made with pg_dump is, known by its first bytes."""

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.errors import InvalidInput

# So many bytes of the dump itself are enough to know it.
HEAD = 4096

_ZSTD, _GZIP, _ARCHIVE = b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PGDMP"
_BLOCK = 512  # of a tar file: the first header, then the first member's content
_TAR_MARK = slice(257, 262)
_SCRIPT, _CLUSTER = b"-- PostgreSQL database dump", b"-- PostgreSQL database cluster dump"


def compression_of(head: bytes) -> Compression:
    """How the file as a whole is compressed."""
    if head.startswith(_ZSTD):
        return Compression.ZSTD
    return Compression.GZIP if head.startswith(_GZIP) else Compression.NONE


def format_of(head: bytes) -> ArchiveFormat:
    """The format of an uncompressed dump. Raises `InvalidInput` for anything else, and for output of pg_dumpall."""
    if head.startswith(_ARCHIVE):
        return ArchiveFormat.CUSTOM
    if head[_TAR_MARK] == b"ustar":
        return _format_in_tar(head)
    if _CLUSTER in head:
        raise InvalidInput(
            "this is the output of pg_dumpall: it holds a whole server, and a backup is one database",
            hint="Load it into an empty server with psql, register its databases, and back up each: pgproof backup.",
        )
    if _SCRIPT in head:
        return ArchiveFormat.PLAIN
    raise InvalidInput(
        "this is not a dump that pg_dump has written",
        hint="Dumps are files of the formats custom, tar and plain (.sql, .sql.gz, .sql.zst), or folders of the "
        "directory format.",
    )


def _format_in_tar(head: bytes) -> ArchiveFormat:
    if head.startswith(b"toc.dat\0") and head[_BLOCK:].startswith(_ARCHIVE):
        return ArchiveFormat.TAR
    raise InvalidInput(
        "this tar file does not begin with a table of contents of pg_dump",
        hint="If a folder of the directory format is packed in it, unpack it and import the folder.",
    )
