"""The part of the catalog that knows registered databases."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from pgproof.adapters.catalog.models import DatabaseRow
from pgproof.adapters.catalog.rows import clean, connection_values, to_database
from pgproof.adapters.catalog.transactions import Records, Transactions
from pgproof.domain.database import DEFAULT_GROUP, ConnectionInfo, Database
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import Seal


class DatabaseRecords(Records):
    """See the port `Catalog`."""

    def __init__(self, transactions: Transactions, seal: Seal) -> None:
        super().__init__(transactions)
        self._seal = seal

    def add_database(
        self, name: str, connection: ConnectionInfo, *, from_settings: bool = False, group: str = DEFAULT_GROUP
    ) -> Database:
        """Register a database; `Conflict` if the name is taken. The password is stored sealed."""
        statement = (
            insert(DatabaseRow)
            .values(
                name=name,
                from_settings=from_settings,
                worker_group=group,
                **connection_values(connection, self._seal),
            )
            .on_conflict_do_nothing(index_elements=["name"])
            .returning(DatabaseRow.id)
        )
        with self._transactions() as session:
            new_id = session.scalar(statement)
        if new_id is None:
            raise Conflict(
                f"a database named {in_quotes(name)} is registered already",
                hint="Choose another name, or remove that one first; its backups stay.",
            )
        return Database(new_id, name, connection, from_settings, group)

    def update_database(self, database: Database) -> None:
        """Store a registered database's connection and worker group anew, and whether it is the settings'."""
        values = {
            "from_settings": database.from_settings,
            "worker_group": database.group,
            **connection_values(database.connection, self._seal),
        }
        statement = update(DatabaseRow).where(DatabaseRow.name == database.name).values(**values)
        with self._transactions() as session:
            found = session.scalar(statement.returning(DatabaseRow.id))
        if found is None:
            raise _no_database(database.name)

    def get_database(self, name: str) -> Database:
        """The registered database of that name."""
        with self._transactions() as session:
            row = session.scalar(select(DatabaseRow).where(DatabaseRow.name == clean(name)))
            if row is None:
                raise _no_database(name)
            return to_database(row, self._seal)

    def list_databases(self) -> Sequence[Database]:
        """All registered databases by name."""
        with self._transactions() as session:
            rows = session.scalars(select(DatabaseRow))
            # Sorted here: the server's collation differs from machine to machine.
            return sorted((to_database(row, self._seal) for row in rows), key=lambda database: database.name)

    def remove_database(self, name: str) -> None:
        """Forget a database. Its backups stay."""
        with self._transactions() as session:
            row = session.scalar(select(DatabaseRow).where(DatabaseRow.name == clean(name)))
            if row is None:
                raise _no_database(name)
            session.delete(row)


def _no_database(name: str) -> NotFound:
    return NotFound(
        f"no database named {in_quotes(name)} is registered", hint="`pgproof database list` shows the registered ones."
    )
