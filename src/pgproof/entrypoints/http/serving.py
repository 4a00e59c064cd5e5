"""Running the HTTP server until somebody asks the process to end."""

import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from types import FrameType

import uvicorn
from fastapi import FastAPI

from pgproof.domain.errors import ConfigurationError

_LONGEST_END = 10  # seconds that open requests have to come to their end
_YOUNG_OBJECTS = 20_000
_ASKING_TO_END = (signal.SIGINT, signal.SIGTERM)


def check_host(host: str, *, has_secret_key: bool) -> None:
    """Raise `ConfigurationError` for a host beyond this machine while nobody has set the key that signs tokens."""
    if not has_secret_key and not _is_loopback(host):
        raise ConfigurationError(
            f"refusing to listen on {host or 'every address'} without BACKUP_SECRET_KEY",
            hint="Set it to a long random text (this makes one: openssl rand -base64 32), or listen on 127.0.0.1. "
            "Databases that were registered without it need their passwords again: pgproof database update NAME URL",
        )


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket on which nobody listens yet. Raises `ConfigurationError` if the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    with opened:
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
        except OSError as error:
            raise _cannot_listen(host, port, error) from error
        yield opened


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again when it has ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: FastAPI) -> uvicorn.Server:
    """A server that ends when its `should_exit` is set."""
    return _Server(
        uvicorn.Config(
            app,
            # Whatever else is installed: this parser bounds what it reads of a header before anybody is known.
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            # What a proxy on this machine says about its callers is believed, and nobody else.
            forwarded_allow_ips="127.0.0.1,::1",
            timeout_graceful_shutdown=_LONGEST_END,
        )
    )


def serve(app: FastAPI, opened: socket.socket, *, on_end: Callable[[], None], on_hurry: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT, then let those that are open come to their end.

    `on_end` is called at the first signal and `on_hurry` at each further one, from the signal handler.
    """
    server = make_server(app)

    def end(_number: int, _frame: FrameType | None) -> None:
        if server.should_exit:
            server.force_exit = True
            on_hurry()
        else:
            server.should_exit = True
            app.state.waiters.close()
            on_end()

    _collect_less_garbage()
    before = {number: signal.signal(number, end) for number in _ASKING_TO_END}
    try:
        server.run(sockets=[opened])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _collect_less_garbage() -> None:
    """Look for cycles less often, and never at what is there for good: each long list would wait for that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def _is_loopback(host: str) -> bool:
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigurationError:
    said = error.strerror or str(error)
    return ConfigurationError(
        f"unable to listen on {host}:{port}: {said.lower()}",
        hint="Another process may have it: end that one, or choose another --port or --host.",
    )
