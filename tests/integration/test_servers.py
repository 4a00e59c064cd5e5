"""The tests' own servers do what the other tests rely on."""

from dataclasses import replace

import psycopg
import pytest

from pgproof.domain.secret import Secret
from tests.servers import Server, connect, to_url


def test_each_server_is_of_its_major_version_and_has_a_database_per_test(server: Server) -> None:
    connection = server.create_database()
    rows = server.sql(connection, "SHOW server_version_num", "SELECT current_database(), 1")
    assert rows == [(connection.dbname, 1)]
    assert int(server.sql(connection, "SHOW server_version_num")[0][0]) // 10_000 == server.major


def test_a_wrong_password_is_refused(server: Server) -> None:
    wrong = replace(server.connection, password=Secret("not it"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(wrong)


def test_a_created_role_can_log_in_by_url(server: Server) -> None:
    role = server.create_role('odd "role" näme', password="p@ss/w:rd ?")
    with psycopg.connect(to_url(role)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ('odd "role" näme',)
