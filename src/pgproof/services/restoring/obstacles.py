"""What stands in the way of a restore or of an undo: found before anything is made, all of it at once."""

from collections.abc import Sequence
from dataclasses import replace

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Conflict
from pgproof.domain.obstacles import Obstacle
from pgproof.domain.wording import listed
from pgproof.services.ports import PostgresServer


def check_swap(server: PostgresServer, live: ConnectionInfo) -> None:
    """Raise `Conflict` for whatever keeps the live database from making way for another."""
    _refuse(live, server.obstacles(live).to_renaming(live.dbname))


def check_swap_again(server: PostgresServer, live: ConnectionInfo) -> None:
    """The same right before the swap. Sessions come and go, and the swap itself waits for them."""
    _refuse(live, replace(server.obstacles(live), sessions=()).to_renaming(live.dbname))


def check_replacing(server: PostgresServer, live: ConnectionInfo, tables: frozenset[str] | None) -> None:
    """The same for a transaction that drops these tables, or with ``None`` everything."""
    _refuse(live, server.obstacles(live).to_replacing(live.dbname, tables))


def check_undo(server: PostgresServer, live: ConnectionInfo, previous: str) -> None:
    """The same for an undo, which renames the live database and the previous one."""
    back = live.to_database(previous)
    found = [
        *server.obstacles(live).to_renaming(live.dbname),
        *server.obstacles(back).to_renaming(previous, staying=True),
    ]
    _refuse(live, found)


def _refuse(live: ConnectionInfo, found: Sequence[Obstacle]) -> None:
    if found:
        raise Conflict(
            f"in the way of replacing {live}: {listed([one.what for one in found])}",
            hint="Nothing was changed. Take away what is in the way, then try again: "
            + " Then: ".join(one.mend for one in found),
            facts={"obstacles": [str(one) for one in found]},
        )
