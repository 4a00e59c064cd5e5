"""Releases of PostgreSQL whose tools are known to lose something."""

from collections.abc import Mapping
from dataclasses import dataclass

from pgproof.domain.database import ServerVersion


@dataclass(frozen=True)
class KnownFault:
    """What a release does wrong, and the first one that does it right."""

    fault: str
    fixed_in: ServerVersion

    def __str__(self) -> str:
        return f"{self.fault}; fixed in {self.fixed_in}"


_CLIENT_FAULTS: Mapping[ServerVersion, KnownFault] = {
    ServerVersion.parse("18.1"): KnownFault("its pg_dump loses sequence values", ServerVersion.parse("18.2")),
}


def client_fault(version: ServerVersion) -> KnownFault | None:
    """What is known against the tools of a release; ``None`` if nothing is."""
    return _CLIENT_FAULTS.get(version)
