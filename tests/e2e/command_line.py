"""The command line on a real database, with a catalog and a storage of its own."""

import io
from pathlib import Path

from psycopg import sql

from pgproof.domain.database import ConnectionInfo
from pgproof.entrypoints.cli.app import run
from pgproof.entrypoints.cli.session import Session
from pgproof.settings import load_settings
from tests.command_line import Outcome
from tests.servers import Server, to_url


class CommandLine:
    """`pgproof` on one real database, with a catalog and a storage of its own."""

    def __init__(self, folder: Path, server: Server, database: ConnectionInfo, **environ: str) -> None:
        self.folder = folder
        self.server = server
        self.database = database
        self.storage = folder / "backups"
        password = database.password.reveal() if database.password else ""
        self.environ = {
            "BACKUP_HOME": str(folder / "home"),
            "BACKUP_DIR": str(self.storage),
            "BACKUP_CATALOG_URL": to_url(server.create_database()),
            "BACKUP_POSTGRES_HOST": database.host,
            "BACKUP_POSTGRES_PORT": str(database.port),
            "BACKUP_POSTGRES_USER": database.user,
            "BACKUP_POSTGRES_PASSWORD": password,
            "BACKUP_POSTGRES_DB": database.dbname,
            **environ,
        }

    def __call__(self, *argv: str, piped: str = "", **environ: str) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        environment = {**self.environ, **environ}
        session = Session(io.StringIO(piped), out, err, lambda: load_settings(environment, self.folder))
        return Outcome(run(argv, session), out.getvalue(), err.getvalue())

    def fails(self, status: int, *argv: str, **environ: str) -> Outcome:
        """Run a command that must fail with a status, an explanation and a hint."""
        done = self(*argv, "--json", **environ)
        assert done.status == status, done.err
        assert done.error["detail"]
        assert done.error["hint"]
        return done

    def stored(self) -> list[str]:
        return sorted(path.name for path in self.storage.rglob("*") if path.is_file())

    def rows(self, table: str = "items") -> int:
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        return int(self.server.sql(self.database, count)[0][0])


def filled(server: Server, name: str | None = None) -> ConnectionInfo:
    database = server.create_database(name)
    server.sql(
        database,
        "CREATE TABLE items (id serial PRIMARY KEY, name text)",
        "INSERT INTO items (name) SELECT 'item ' || i FROM generate_series(1, 1000) AS i",
        "CREATE TABLE audit_logs (line text)",
        "INSERT INTO audit_logs VALUES ('secret doings')",
    )
    return database
