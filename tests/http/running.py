"""A real server for an ASGI application, in a thread of the test's process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from pgproof.entrypoints.http.serving import make_server


@contextmanager
def running(application: FastAPI) -> Iterator[str]:
    """Serve it on a free port of the loopback address; the base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = make_server(application)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            # The socket listens already: whoever connects now waits until the server is there.
            yield f"http://127.0.0.1:{port}"
        finally:
            if waiters := getattr(application.state, "waiters", None):
                waiters.close()
            server.should_exit = True
            thread.join()
