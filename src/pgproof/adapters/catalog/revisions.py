"""Bring the catalog's schema to the newest revision, with Alembic."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, text

from pgproof.adapters.catalog import queue_schema
from pgproof.adapters.catalog.connect import TRANSACTIONAL, connect, driver_session, make_engine
from pgproof.adapters.catalog.failures import translated
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError

# The newest revision. Known here, so that a start on an up-to-date catalog need not import Alembic.
HEAD = "0014"

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x7067_7570
_SESSION = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    f"SELECT pg_advisory_xact_lock({_LOCK})",
)
_HAS_REVISION = "SELECT to_regclass('pgproof.alembic_version') IS NOT NULL"
_REVISION = "SELECT version_num FROM pgproof.alembic_version"


def stored_revision(connection: ConnectionInfo) -> str | None:
    """The revision of the catalog, ``None`` before the first one."""
    with translated(connection), connect(connection) as session:
        found = session.execute(_HAS_REVISION).fetchone()
        row = session.execute(_REVISION).fetchone() if found and found[0] else None
    return str(row[0]) if row else None


def is_current(connection: ConnectionInfo) -> bool:
    """Whether a catalog has every migration, ours and the queue's."""
    with translated(connection), connect(connection) as session:
        found = session.execute(_HAS_REVISION).fetchone()
        row = session.execute(_REVISION).fetchone() if found and found[0] else None
        return row is not None and row[0] == HEAD and not queue_schema.missing(session)


def upgrade(connection: ConnectionInfo, revision: str = HEAD) -> None:
    """Run the missing migrations up to `revision`, in one transaction; with the newest one, the queue's as well.

    Of two processes the second one waits and finds them done. Raises `ConfigurationError` if the role may
    not, or if the catalog is of a revision that this pgproof does not know.
    """
    engine = make_engine(connection)
    try:
        with translated(connection), engine.execution_options(isolation_level=TRANSACTIONAL).begin() as opened:
            for statement in _SESSION:
                opened.execute(text(statement))
            _migrate(opened, connection, revision)
            if revision == HEAD:
                queue_schema.bring_up_to_date(driver_session(opened))
    finally:
        engine.dispose()


def steps_between(before: str | None, after: str = HEAD) -> Sequence[str]:
    """What the migrations from one revision to another bring, the first one first."""
    if before == after:
        return []
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config).iterate_revisions(after, before or "base")
    return [f"{script.revision}: {(script.doc or '').splitlines()[0]}" for script in scripts][::-1]


def _migrate(opened: Connection, place: ConnectionInfo, revision: str) -> None:
    # Imported when there is something to migrate: it takes longer than all else that a start does.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = opened
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    stored = opened.scalar(text(_REVISION)) if opened.scalar(text(_HAS_REVISION)) else None
    if stored is not None and stored not in known:
        raise ConfigurationError(
            f"the catalog {place} is of revision {stored}, which this pgproof does not know",
            hint="A newer pgproof has used it: upgrade this one, or set BACKUP_CATALOG_URL to another database.",
        )
    command.upgrade(config, revision)
