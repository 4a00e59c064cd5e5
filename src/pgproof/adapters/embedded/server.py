"""A PostgreSQL server of our own that runs while at least one process uses it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pgproof.adapters.embedded.wheel import find_installation
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError


class EmbeddedServer:
    """The wheel's PostgreSQL of one major version with its data below `home`.

    Any number of processes may use the same home. The first one starts the server, with its `settings`,
    the last one stops it. It listens on a unix socket in a private folder and nowhere else.
    """

    def __init__(
        self,
        home: Path,
        major: int = 18,
        settings: Mapping[str, str] | None = None,
        *,
        start_limit: float = 60,
        stop_limit: float = 60,
    ) -> None:
        """Limits are seconds; a server that is slower is left to finish by itself, never killed."""
        self._home = home.absolute()
        self._major = major
        self._settings = dict(settings or {})
        self._start_limit = start_limit
        self._stop_limit = stop_limit

    @contextmanager
    def running(self) -> Iterator[ConnectionInfo]:
        """Use the server for the length of a `with` block, as its superuser.

        Raises `ConfigurationError` where it cannot run, `ServerUnreachable` when it takes too long to start.
        """
        if os.name != "posix":
            raise ConfigurationError(
                "the embedded PostgreSQL is not supported on Windows",
                hint="Set BACKUP_CATALOG_URL to a PostgreSQL server that runs already.",
            )
        # It imports what only POSIX has.
        from pgproof.adapters.embedded.sharing import shared_server

        with shared_server(
            self._home,
            find_installation(self._major),
            self._settings,
            start_limit=self._start_limit,
            stop_limit=self._stop_limit,
        ) as connection:
            yield connection
