"""Owning a database while something is put in its place."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pgproof.domain.database import Database
from pgproof.domain.errors import Conflict
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import Catalog, Lock


@contextmanager
def owning_database(catalog: Catalog, database: Database) -> Iterator[None]:
    """Own a database for the length of a `with` block; `Conflict`, under its name, if somebody else does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(catalog.own(Lock.DATABASE, database.id))
        except Conflict as taken:
            raise Conflict(
                f"another process works on the database {in_quotes(database.name)}",
                hint="Wait until it ends; `pgproof list --restores` shows what it does. "
                "A process that died holds nothing.",
            ) from taken
        yield
