"""The databases of a server in memory: as much of the port as dropping them needs."""

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ServerUnreachable


class MemoryServer:
    """`databases` are the names that it holds; while `unreachable` is set every call is refused."""

    def __init__(self, *databases: str) -> None:
        self.databases = set(databases)
        self.unreachable = False

    def list_databases(self, connection: ConnectionInfo) -> frozenset[str]:
        self._answer(connection)
        return frozenset(self.databases)

    def drop_database(self, connection: ConnectionInfo, name: str) -> None:
        self._answer(connection)
        self.databases.discard(name)

    def _answer(self, connection: ConnectionInfo) -> None:
        if self.unreachable:
            raise ServerUnreachable(f"unable to reach server {connection.address}", hint="Clear `unreachable`.")
