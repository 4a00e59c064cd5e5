"""A small web server that receives what is sent to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came, as method, path and JSON body; `status` is the answer. While `hangs` is set there is none."""

    port: int = 0
    status: int = 200
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    hangs: threading.Event | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of this machine, for the length of a `with` block."""
    place = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            place.requests.append((self.command, self.path, json.loads(content) if content else None))
            if place.hangs is not None:
                place.hangs.wait(30)
            self.send_response(place.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = handle_request  # noqa: N815 - the server looks for these names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    place.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield place
    finally:
        if place.hangs is not None:
            place.hangs.set()
        server.shutdown()
        thread.join()
        server.server_close()
