"""Stored bytes on their way to a caller, without ever holding more than a chunk."""

from collections.abc import AsyncIterator, Generator, Iterator

from starlette.concurrency import run_in_threadpool

from pgproof.domain.errors import ChecksumMismatch


async def stream(chunks: Iterator[bytes], length: int) -> AsyncIterator[bytes]:
    """The first `length` bytes. Each chunk is read in a thread; the source is closed however this ends.

    Raises `ChecksumMismatch` if there are fewer: then the connection breaks, and the caller sees that it is not whole.
    """
    left = length
    try:
        while left > 0:
            chunk = await run_in_threadpool(next, chunks, b"")
            if not chunk:
                raise ChecksumMismatch(
                    f"the stored archive ended {left} bytes early", hint="Verify the backup: somebody has altered it."
                )
            yield chunk[:left]
            left -= len(chunk[:left])
    finally:
        if isinstance(chunks, Generator):
            chunks.close()
