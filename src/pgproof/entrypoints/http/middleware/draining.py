"""Reading on what is refused, so that the caller gets to read the answer."""

from starlette.types import Receive

MOST = 16 << 20  # bytes


async def drain(receive: Receive, read: int = 0) -> None:
    """Read the rest of a body and forget it, up to a limit.

    A connection that is closed while the other side still sends is reset, and the answer is lost with it.
    """
    while read < MOST:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        read += len(message.get("body", b""))
