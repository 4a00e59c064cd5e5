"""The databases of a server in memory: as much of the port as dropping them needs."""

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ServerUnreachable


class MemoryServer:
    """`databases` maps the names that it holds to OIDs; while `unreachable` is set every call is refused."""

    def __init__(self, **databases: int) -> None:
        self.databases = databases
        self.unreachable = False

    def list_databases(self, connection: ConnectionInfo) -> dict[str, int]:
        self._answer(connection)
        return dict(self.databases)

    def drop_database(self, connection: ConnectionInfo, name: str, oid: int) -> bool:
        self._answer(connection)
        if self.databases.get(name) != oid:
            return False
        del self.databases[name]
        return True

    def _answer(self, connection: ConnectionInfo) -> None:
        if self.unreachable:
            raise ServerUnreachable(f"unable to reach server {connection.address}", hint="Clear `unreachable`.")
