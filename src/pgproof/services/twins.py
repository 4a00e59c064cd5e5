"""One database under two addresses: told apart from another database by asking the servers who they are.

A lock, a retention rule, the order of restores: all hold for a registered database. Under two names the same
one would have two of each.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pgproof.domain.database import ConnectionInfo, Database, Server
from pgproof.domain.errors import ConfigurationError, PostgresError
from pgproof.services.ports import PostgresServer

_AT_ONCE = 8


def find_twin(
    server: PostgresServer, connection: ConnectionInfo, identity: Server, registered: Iterable[Database]
) -> Database | None:
    """The registered database that a connection leads to; `identity` is who answers there.

    Only those of the same name are asked. One that does not answer is taken for another one.
    """
    known = list(registered)
    for one in known:
        if one.connection.same_place(connection):
            return one
    candidates = [one for one in known if one.connection.dbname == connection.dbname]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="identify") as pool:
        answers = pool.map(lambda one: _who_answers(server, one), candidates)
        same = [
            one for one, answer in zip(candidates, answers, strict=True) if answer and answer.is_the_same_as(identity)
        ]
    return same[0] if same else None


def _who_answers(server: PostgresServer, database: Database) -> Server | None:
    try:
        return server.identify(database.connection)
    except (PostgresError, ConfigurationError):  # the latter where its password cannot be opened
        return None
