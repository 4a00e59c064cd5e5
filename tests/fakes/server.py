"""The databases of a server in memory: as much of the port as dropping them and looking ahead need."""

from pgproof.adapters.postgres.connect import parse_url
from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.errors import DatabaseMissing, ServerUnreachable
from pgproof.domain.obstacles import Obstacles


class MemoryServer:
    """`databases` maps the names that it holds to OIDs; while `unreachable` is set every call is refused.

    `committed` tells what became of transactions, `asked_about` which of them somebody wanted to know.
    """

    def __init__(self, **databases: int) -> None:
        self.databases = databases
        self.unreachable = False
        self.system_identifier = "1"
        self.connected = 0
        self.in_the_way = Obstacles()
        self.committed: dict[str, bool] = {}
        self.asked_about: list[str] = []

    def parse_url(self, url: str) -> ConnectionInfo:
        return parse_url(url)

    def maintenance(self, connection: ConnectionInfo) -> ConnectionInfo:
        self._answer(connection)
        return connection.to_database("postgres")

    def identify(self, connection: ConnectionInfo) -> Server:
        self._answer(connection)
        if connection.dbname not in {"postgres", *self.databases}:
            raise DatabaseMissing(f"there is no database {connection}", hint="Add it to this fake.")
        return Server(
            ServerVersion.parse("18.4"),
            self.system_identifier,
            connection.user,
            is_superuser=True,
            can_create_databases=True,
        )

    def list_databases(self, connection: ConnectionInfo) -> dict[str, int]:
        self._answer(connection)
        return dict(self.databases)

    def sessions(self, connection: ConnectionInfo) -> int:
        self._answer(connection)
        return self.connected

    def obstacles(self, connection: ConnectionInfo) -> Obstacles:
        self._answer(connection)
        return self.in_the_way

    def transaction_committed(self, connection: ConnectionInfo, transaction: str) -> bool:
        self._answer(connection)
        self.asked_about.append(transaction)
        return self.committed[transaction]

    def drop_database(self, connection: ConnectionInfo, name: str, oid: int) -> bool:
        self._answer(connection)
        if self.databases.get(name) != oid:
            return False
        del self.databases[name]
        return True

    def _answer(self, connection: ConnectionInfo) -> None:
        if self.unreachable:
            raise ServerUnreachable(f"unable to reach server {connection.address}", hint="Clear `unreachable`.")
