"""The server that an operator named for restore tests: every test makes one database there and drops it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.services.ports import Scratch


class NamedScratch:
    """A server that runs already; `connection` leads to any database of it."""

    def __init__(self, connection: ConnectionInfo) -> None:
        self.named: ConnectionInfo | None = connection

    def free_bytes(self) -> int | None:
        """See the port."""
        return None

    @contextmanager
    def running(self, at_least: ServerVersion) -> Iterator[Scratch]:  # noqa: ARG002 - it has the version that it has
        """See the port."""
        if self.named is not None:
            yield Scratch(self.named, throwaway=False)

    def remove_abandoned(self) -> Sequence[str]:
        """See the port."""
        return []
