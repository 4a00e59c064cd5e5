"""The protected database, how to reach it, and what its server is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Self

from pgproof.domain.archive import LONGEST_FOLDER, folder_name
from pgproof.domain.errors import InvalidInput
from pgproof.domain.secret import Secret
from pgproof.domain.wording import in_quotes, plain

OLDEST_SERVER = 13
DEFAULT_GROUP = "default"

# What a libpq connection may carry beside host, port, user, password and dbname, and pass on to the tools.
CONNECTION_OPTIONS = frozenset(
    {
        "channel_binding", "connect_timeout", "gssencmode", "hostaddr", "keepalives", "keepalives_count",
        "keepalives_idle", "keepalives_interval", "krbsrvname", "passfile", "require_auth", "service", "sslcert",
        "sslcrl", "sslkey", "sslmode", "sslrootcert", "sslsni", "target_session_attrs", "tcp_user_timeout",
    }
)  # fmt: skip

# https://www.postgresql.org/docs/current/libpq-status.html#LIBPQ-PQSERVERVERSION
_VERSION_TEXT = re.compile(r"(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, order=True)
class ServerVersion:
    """A PostgreSQL version from 10 on, ordered as the versions are.

    `number` is what libpq calls the server version: major * 10000 + minor.
    """

    number: int

    @property
    def major(self) -> int:
        """The part that decides about compatibility."""
        return self.number // 10_000

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "18.4", "16.14 (Debian ...)" or "19beta1". Raises `InvalidInput`."""
        found = _VERSION_TEXT.match(text.strip())
        if not found:
            raise InvalidInput(f"{in_quotes(text)} is not a PostgreSQL version")
        return cls(int(found[1]) * 10_000 + int(found[2] or 0))

    def __str__(self) -> str:
        return f"{self.major}.{self.number % 10_000}"


@dataclass(frozen=True)
class ConnectionInfo:
    """How to reach one database, in libpq's words; `options` holds keys of `CONNECTION_OPTIONS`."""

    dbname: str
    host: str = ""
    port: int = 5432
    user: str = ""
    password: Secret | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_database(self, dbname: str) -> "ConnectionInfo":
        """The same server and role, another database."""
        return replace(self, dbname=dbname)

    def with_settings(self, settings: Mapping[str, str]) -> "ConnectionInfo":
        """The same database, for sessions that begin with these settings of the server, beside any others.

        Written as libpq's `options` are: https://www.postgresql.org/docs/current/libpq-connect.html
        """
        if not settings:
            return self
        words = [f"-c {name}={_escaped(value)}" for name, value in settings.items()]
        before = [self.options["options"]] if "options" in self.options else []
        return replace(self, options={**self.options, "options": " ".join([*before, *words])})

    @property
    def needs_tls(self) -> bool:
        """Whether a connection without encryption is out of the question."""
        return self.options.get("sslmode") in ("require", "verify-ca", "verify-full")

    def same_place(self, other: "ConnectionInfo") -> bool:
        """Whether both name the same database by the same address."""
        return self.place == other.place

    @property
    def place(self) -> tuple[str, str, int, str]:
        """Service, address, port and name of the database."""
        # With a `hostaddr` libpq connects there, and `host` is only what the certificate is compared with.
        address = self.options.get("hostaddr") or self.host
        return self.options.get("service", ""), address, self.port, self.dbname

    @property
    def address(self) -> str:
        """Host and port, for people."""
        if self.host.startswith("/"):
            return f"socket {self.host}"
        return f"{self.host or self.options.get('hostaddr') or 'local socket'}:{self.port}"

    @property
    def with_role(self) -> str:
        """Database, address and role, for people."""
        return f"{self} as {plain(self.user)}" if self.user else str(self)

    def __str__(self) -> str:
        return f"{in_quotes(self.dbname)} on {self.address}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


@dataclass(frozen=True)
class Database:
    """One protected PostgreSQL database: what pg_dump dumps.

    `from_settings` tells that the settings registered it, not a person: its address follows theirs.
    `group` is the worker group that does its jobs.
    """

    id: int
    name: str
    connection: ConnectionInfo
    from_settings: bool = False
    group: str = DEFAULT_GROUP


@dataclass(frozen=True)
class Server:
    """The PostgreSQL cluster that a connection leads to, and who we are there."""

    version: ServerVersion
    system_identifier: str
    role: str
    is_superuser: bool
    can_create_databases: bool
    started_at: datetime | None = None

    def is_the_same_as(self, other: "Server") -> bool:
        """Whether both are one running server: a copy of its files, or a standby, has started at another moment."""
        return (self.system_identifier, self.started_at) == (other.system_identifier, other.started_at) and (
            self.started_at is not None
        )


_NAME_LIMIT = 63


def check_name(name: str) -> str:
    """A registered name as it is, or `InvalidInput`: it becomes a folder name and a lookup key."""
    if not name or name != name.strip() or len(name) > _NAME_LIMIT or not name.isprintable():
        raise InvalidInput(
            f"{in_quotes(name)} cannot be the name of a protected database",
            hint=f"Use 1 to {_NAME_LIMIT} printable characters without leading or trailing spaces.",
        )
    if len(folder_name(name)) > LONGEST_FOLDER:
        raise InvalidInput(
            f"{in_quotes(name)} is too long for the name of a protected database: the name of its folder in the "
            f"storage would take {len(folder_name(name))} bytes",
            hint=f"It may take {LONGEST_FOLDER} bytes: one for a digit or a letter from a to z, three for each byte "
            "that another character has in UTF-8, such as six for ä.",
        )
    return name
