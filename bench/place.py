"""Where a benchmark happens: a server, a folder, and the tools of the same PostgreSQL."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pgproof.adapters.embedded import EmbeddedServer, wheel_binaries
from pgproof.domain.database import ConnectionInfo

MAJOR = 18

# As somebody would set up a server for a database of this size. Autovacuum would run beside some rounds and
# not beside others.
SETTINGS = {
    "autovacuum": "off",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "shared_buffers": "512MB",
    "work_mem": "64MB",
}


@dataclass(frozen=True)
class Place:
    """A running server and a folder for everything that a benchmark writes."""

    connection: ConnectionInfo
    folder: Path
    version: str

    @contextmanager
    def connect(self, database: str) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """An autocommit session."""
        place = self.connection
        with psycopg.connect(
            host=place.host, port=place.port, user=place.user, dbname=database, autocommit=True
        ) as session:
            yield session

    def create_database(self, name: str) -> None:
        """An empty database; one that is there is dropped first."""
        self.drop_database(name)
        with self.connect("postgres") as session:
            session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there."""
        with self.connect("postgres") as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def drop_all_but(self, kept: str) -> None:
        """Drop what swaps leave behind."""
        with self.connect("postgres") as session:
            found = session.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()
        for (name,) in found:
            if name not in {kept, "postgres"}:
                self.drop_database(name)

    def tool(self, name: str, *options: str) -> Sequence[str]:
        """A command line of the PostgreSQL project's tools, with the connection."""
        place = self.connection
        program = str(wheel_binaries()[MAJOR] / name)
        return [program, "-h", place.host, "-p", str(place.port), "-U", place.user, *options]

    def pgproof(self, *words: str) -> Sequence[str]:
        """A command line of pgproof."""
        return [sys.executable, "-m", "pgproof", *words]

    def environment(self, database: str) -> Mapping[str, str]:
        """What pgproof is told; all else is left at its defaults."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("BACKUP_", "PG", "POSTGRES_"))
        }
        return {
            **kept,
            "BACKUP_HOME": str(self.folder / "home"),
            "BACKUP_DIR": str(self.folder / "backups"),
            "BACKUP_POSTGRES_HOST": self.connection.host,
            "BACKUP_POSTGRES_PORT": str(self.connection.port),
            "BACKUP_POSTGRES_USER": self.connection.user,
            "BACKUP_POSTGRES_DB": database,
        }


@contextmanager
def open_place(parent: Path | None, settings: Mapping[str, str] | None = None) -> Iterator[Place]:
    """A place in a temporary folder below `parent`, gone at the end; `settings` of its server beside the usual ones."""
    with tempfile.TemporaryDirectory(prefix="pgproof-bench-", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o755)  # run by root, the server is another user
        with EmbeddedServer(folder / "server", MAJOR, {**SETTINGS, **(settings or {})}).running() as connection:
            with psycopg.connect(
                host=connection.host, port=connection.port, user=connection.user, dbname=connection.dbname
            ) as session:
                version = session.execute("SHOW server_version").fetchone()
            yield Place(connection, folder, str(version[0]) if version else "")
