"""A test hook behind the ports: counts every call that a service makes, and kills the process at a chosen one."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pgproof.bootstrap import App

# Questions whose number depends on time or on nothing that matters; a kill there is a kill at the call before.
_NOT_COUNTED = frozenset({"append_log", "is_owned", "now", "monotonic", "url", "local_path"})


class Injector:
    """Every call of a port is two points: before it, and after it.

    `kill_at` counts points from 1, 0 kills nowhere; a name kills where a point of that name is first reached.
    """

    def __init__(self, kill_at: int | str) -> None:
        self._kill_at = kill_at
        self.points: list[str] = []

    def reach(self, point: str) -> None:
        """A point is reached; at the chosen one the process ends at once, with no chance to clean up."""
        self.points.append(point)
        if self._kill_at in (len(self.points), point):
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A port whose calls are points."""

    def __init__(self, target: Any, name: str, injector: Injector) -> None:
        self._target = target
        self._name = name
        self._injector = injector

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name in _NOT_COUNTED or not callable(found):
            return found
        return self._watched(found, f"{self._name}.{name}")

    def _watched(self, call: Callable[..., Any], point: str) -> Callable[..., Any]:
        def watched(*arguments: Any, **names: Any) -> Any:
            self._injector.reach(f"before {point}")
            result = call(*arguments, **names)
            if isinstance(result, Iterator) and hasattr(result, "close"):
                return self._stream(result, point)
            if isinstance(result, AbstractContextManager):
                return self._block(result, point)
            self._injector.reach(f"after {point}")
            return result

        return watched

    def _stream(self, stream: Any, point: str) -> Iterator[bytes]:
        """A stream has a third point, after its first chunk: the middle of a dump, of a download."""
        try:
            for number, chunk in enumerate(stream):
                yield chunk
                if number == 0:
                    self._injector.reach(f"in the middle of {point}")
            self._injector.reach(f"after {point}")
        finally:
            stream.close()

    @contextmanager
    def _block(self, block: AbstractContextManager[Any], point: str) -> Iterator[Any]:
        """What is there for the length of a `with` block has a third point, too: when it is there."""
        with block as value:
            self._injector.reach(f"inside {point}")
            yield value
        self._injector.reach(f"after {point}")


def watch(app: App, injector: Injector) -> None:
    """Put the hook between every service of an application and its ports."""
    ports = {id(getattr(app, name)): name for name in ("catalog", "storage", "server", "tools")}
    ports[id(vars(app.restore_tests)["_scratch"])] = "scratch"
    restoring = (app.restores, app.restore_tests)
    cataloguing = (app.rebuilding, app.importing)
    for service in (app.databases, app.backups, *restoring, app.recovery, app.expiry, *cataloguing):
        for attribute, value in list(vars(service).items()):
            setattr(service, attribute, _hooked(value, ports, injector))


def _hooked(value: Any, ports: dict[int, str], injector: Injector) -> Any:
    if id(value) in ports:
        return Watched(value, ports[id(value)], injector)
    if is_dataclass(value) and not isinstance(value, type) and type(value).__name__ == "World":
        watched = {f.name: _hooked(getattr(value, f.name), ports, injector) for f in fields(value)}
        return replace(value, **watched)
    return value
