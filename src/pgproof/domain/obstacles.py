"""What others hold in a database and a restore cannot take away, with what takes it away."""

from collections.abc import Sequence
from dataclasses import dataclass

from pgproof.domain.wording import in_quotes


@dataclass(frozen=True)
class Obstacle:
    """One thing in the way; `mend` is the statement that takes it away."""

    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}: {self.mend}"


@dataclass(frozen=True)
class PreparedTransaction:
    """The first half of a two-phase commit. `tables` are those whose locks it holds."""

    gid: str
    owner: str
    tables: tuple[str, ...] = ()

    def obstacle(self, database: str) -> Obstacle:
        """It keeps the database from being renamed, and its tables from being dropped."""
        gid = "'" + self.gid.replace("'", "''") + "'"
        return Obstacle(
            f"the prepared transaction {in_quotes(self.gid)} of {in_quotes(self.owner)}",
            f"ROLLBACK PREPARED {gid}; or COMMIT PREPARED {gid}; in {in_quotes(database)}",
        )


@dataclass(frozen=True)
class LogicalSlot:
    """A logical replication slot that outlives its session; `reader` is the process that reads it now."""

    name: str
    reader: int | None = None

    @property
    def obstacle(self) -> Obstacle:
        """It would stay with the replaced database: its reader gets no further, and the server keeps all its WAL."""
        drop = f"SELECT pg_drop_replication_slot('{self.name}');"
        if self.reader is None:
            return Obstacle(f"the logical replication slot {in_quotes(self.name)}", drop)
        return Obstacle(
            f"the logical replication slot {in_quotes(self.name)}, which process {self.reader} reads",
            f"end its reader (of a subscription: ALTER SUBSCRIPTION ... DISABLE; on its own server), then {drop}",
        )


@dataclass(frozen=True)
class ProtectedSession:
    """A session that our role may not end. `of_superuser`: only a superuser may."""

    pid: int
    role: str
    of_superuser: bool

    def obstacle(self, our_role: str) -> Obstacle:
        """It would keep the database from being renamed."""
        mend = f"SELECT pg_terminate_backend({self.pid}); as a superuser"
        if not self.of_superuser:
            mend += f", or once and for all GRANT pg_signal_backend TO {_quoted(our_role)};"
        return Obstacle(
            f"the session {self.pid} of {in_quotes(self.role)}, which {in_quotes(our_role)} may not end", mend
        )


@dataclass(frozen=True)
class Obstacles:
    """All of one database. `subscriptions` are those that are enabled, `our_role` is who asked."""

    our_role: str = ""
    prepared: tuple[PreparedTransaction, ...] = ()
    slots: tuple[LogicalSlot, ...] = ()
    subscriptions: tuple[str, ...] = ()
    sessions: tuple[ProtectedSession, ...] = ()

    def to_renaming(self, database: str, *, staying: bool = False) -> Sequence[Obstacle]:
        """What is in the way of a swap that renames it; with `staying` one that gets its own name back.

        Slots and subscriptions belong to a database whatever it is called: they matter to the one that goes.
        """
        found = [one.obstacle(database) for one in self.prepared]
        found += [one.obstacle(self.our_role) for one in self.sessions]
        if not staying:
            found += [one.obstacle for one in self.slots]
            found += [_subscription(name, database) for name in self.subscriptions]
        return found

    def to_replacing(self, database: str, tables: frozenset[str] | None) -> Sequence[Obstacle]:
        """What is in the way of dropping these tables, or with ``None`` everything, in a transaction.

        Only locks are: slots and sessions stay where they are, and subscriptions are dropped with the rest.
        """
        return [one.obstacle(database) for one in self.prepared if tables is None or tables & set(one.tables)]


def _subscription(name: str, database: str) -> Obstacle:
    return Obstacle(
        f"the enabled subscription {in_quotes(name)}",
        f"ALTER SUBSCRIPTION {_quoted(name)} DISABLE; in {in_quotes(database)}",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
