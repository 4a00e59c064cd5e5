"""The healthcheck on a real catalog."""

from pathlib import Path

import pytest

from pgproof.adapters.catalog import PostgresCatalog
from pgproof.bootstrap.health import open_health
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError
from pgproof.services.doctor import Outcome
from pgproof.settings import Settings, load_settings
from tests.servers import Server, to_url


def settings(connection: ConnectionInfo, folder: Path) -> Settings:
    given = {"BACKUP_CATALOG_URL": to_url(connection), "BACKUP_HOME": str(folder), "BACKUP_SECRET_KEY": "k" * 32}
    return load_settings(given, folder)


def test_a_worker_that_gives_signs_of_life_is_seen_and_one_that_stopped_is_not(
    server18: Server, catalog: PostgresCatalog, catalog_connection: ConnectionInfo, tmp_path: Path
) -> None:
    with open_health(settings(catalog_connection, tmp_path)) as health:
        assert [one.check for one in health.look() if one.outcome is Outcome.FAIL] == ["workers"]
        server18.sql(catalog_connection, "INSERT INTO pgproof.procrastinate_workers DEFAULT VALUES")
        assert [one.check for one in health.look() if one.outcome is Outcome.FAIL] == []
        assert [one.check for one in health.alive() if one.outcome is Outcome.FAIL] == []
        server18.sql(
            catalog_connection,
            "UPDATE pgproof.procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'",
        )
        assert [one.check for one in health.alive() if one.outcome is Outcome.FAIL] == ["workers"]


def test_asking_makes_no_catalog(server18: Server, tmp_path: Path) -> None:
    empty = server18.create_database()
    with (
        open_health(settings(empty, tmp_path)) as health,
        pytest.raises(ConfigurationError, match="lacks what this pgproof needs"),
    ):
        health.look()
    assert server18.sql(empty, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgproof'") == [(0,)]
    assert list(tmp_path.iterdir()) == []
