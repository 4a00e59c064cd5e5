"""What only the catalog in PostgreSQL can get wrong."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from pgproof.adapters.catalog import PostgresCatalog, prepare_catalog
from pgproof.adapters.catalog.revisions import HEAD, stored_revision
from pgproof.adapters.embedded import EmbeddedServer
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import CatalogUnreachable, ConfigurationError
from pgproof.domain.secret import Secret
from pgproof.services.ports import BackupFilter, Lock
from tests.servers import Server, connect

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SEAL = FernetSeal(Secret("a secret of the tests"))

OWNER = """
import sys
from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.seal import FernetSeal
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.secret import Secret
from pgproof.services.ports import Lock

host, port, user, dbname = sys.argv[1:]
password = Secret(sys.stdin.readline().strip())
place = ConnectionInfo(dbname=dbname, host=host, port=int(port), user=user, password=password)
with PostgresCatalog(place, FernetSeal(Secret("x"))).own(Lock.BACKUP, 7):
    print("owned", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_owns_nothing(catalog: PostgresCatalog, catalog_connection: ConnectionInfo) -> None:
    place = catalog_connection
    assert place.password is not None
    argv = [sys.executable, "-c", OWNER, place.host, str(place.port), place.user, place.dbname]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(place.password.reveal() + "\n")
        owner.stdin.flush()
        assert owner.stdout.readline() == "owned\n"
        assert catalog.is_owned(Lock.BACKUP, 7)
        owner.kill()
    wait_until_free(catalog, 7)
    with catalog.own(Lock.BACKUP, 7):
        pass


def wait_until_free(catalog: PostgresCatalog, job_id: int) -> None:
    # The server ends a dead client's session as soon as it reads from its socket; 10,000 looks are a minute or more.
    for _ in range(10_000):
        if not catalog.is_owned(Lock.BACKUP, job_id):
            return
    pytest.fail("the lock of a killed process stayed")


def test_ownership_outlives_the_use_of_the_pool(catalog: PostgresCatalog) -> None:
    with catalog.own(Lock.DATABASE, 3):
        for _ in range(20):
            catalog.list_databases()
        catalog.close()
        assert catalog.is_owned(Lock.DATABASE, 3)


def test_ids_beyond_four_bytes_can_be_owned(catalog: PostgresCatalog) -> None:
    with catalog.own(Lock.BACKUP, 2**40 + 5):
        assert catalog.is_owned(Lock.BACKUP, 2**40 + 5)


def test_locks_of_other_applications_and_databases_are_not_ours(
    catalog: PostgresCatalog, server18: Server, catalog_template: ConnectionInfo, catalog_connection: ConnectionInfo
) -> None:
    elsewhere = server18.create_database(template=catalog_template.dbname)
    other = PostgresCatalog(elsewhere, SEAL)
    with ExitStack() as stack:
        stack.enter_context(other.own(Lock.BACKUP, 1))
        session = stack.enter_context(connect(catalog_connection))
        session.execute("SELECT pg_advisory_lock(1), pg_advisory_lock(1, 1)")
        assert not catalog.is_owned(Lock.BACKUP, 1)


def test_a_password_is_never_stored_readable(catalog: PostgresCatalog, server18: Server) -> None:
    place = ConnectionInfo(dbname="shop", host="db", password=Secret("top-secret-pass"))
    catalog.add_database("shop", place)
    rows = server18.sql(
        catalog.transactions.connection, "SELECT databases::text, password_sealed FROM pgproof.databases"
    )
    assert "top-secret-pass" not in rows[0][0]
    assert b"top-secret-pass" not in rows[0][1]


def test_another_secret_key_is_a_clear_error_for_whoever_needs_the_password(
    catalog: PostgresCatalog, catalog_connection: ConnectionInfo
) -> None:
    catalog.add_database("open", ConnectionInfo(dbname="open"))
    catalog.add_database("shop", ConnectionInfo(dbname="shop", password=Secret("pass")))
    other = PostgresCatalog(catalog_connection, FernetSeal(Secret("another key")))
    assert [one.name for one in other.list_databases()] == ["open", "shop"]
    lost = other.get_database("shop")
    assert lost.connection.password is not None
    with pytest.raises(ConfigurationError, match="cannot be opened") as caught:
        lost.connection.password.reveal()
    assert "BACKUP_SECRET_KEY" in caught.value.hint
    assert "database update" in caught.value.hint
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        other.update_database(replace(lost, group="berlin"))
    other.update_database(replace(lost, connection=ConnectionInfo(dbname="shop", password=Secret("anew"))))
    assert other.get_database("shop").connection.password == Secret("anew")
    other.remove_database("shop")
    other.close()


def test_a_catalog_that_does_not_answer_is_unreachable_and_keeps_the_password(server18: Server) -> None:
    wrong = replace(server18.connection, password=Secret("not-the-password"))
    nowhere = replace(wrong, port=1)
    for place in (wrong, nowhere):
        catalog = PostgresCatalog(place, SEAL)
        for call in (
            catalog.list_databases,
            lambda place=place: prepare_catalog(place),
            lambda catalog=catalog: catalog.is_owned(Lock.BACKUP, 1),
        ):
            with pytest.raises(CatalogUnreachable) as caught:
                call()
            assert place.address in caught.value.detail
            assert "not-the-password" not in caught.value.detail + caught.value.hint
        with pytest.raises(CatalogUnreachable), catalog.own(Lock.BACKUP, 1):
            pass
        catalog.close()


def test_a_catalog_works_on_after_its_server_dropped_the_sessions(
    catalog: PostgresCatalog, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    calls: list[Callable[[], object]] = [
        catalog.list_databases,  # in a transaction
        lambda: catalog.list_backups(BackupFilter()),  # and without one
    ]
    for call in calls:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: catalog.list_databases(), range(40)))  # so that some are idle, and just used
        server18.sql(
            server18.connection,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE datname = '{catalog_connection.dbname}'",
        )
        for _ in range(3):
            assert call() == []


def test_of_a_transaction_that_fails_nothing_is_left(catalog: PostgresCatalog) -> None:
    def register_and_fail() -> None:
        with catalog.transactions() as session:
            session.execute(
                text(
                    "INSERT INTO pgproof.databases (name, dbname, host, port, username)"
                    " VALUES ('shop', 'shop', 'here', 1, 'me')"
                )
            )
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            register_and_fail()
        # On the same session, without a transaction: that must not stay so for the next one.
        assert catalog.list_backups(BackupFilter()) == []
    assert catalog.list_databases() == []


def test_text_that_postgres_cannot_hold_is_stored_readable(catalog: PostgresCatalog) -> None:
    backup = catalog.create_backup(
        "shop", storage_url="file:///b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    failed = replace(
        backup,
        status=BackupStatus.FAILED,
        error_message="bad \0 byte \udcff",
        error_details={"stderr": ["\0", {"deep": "\0"}]},
    )
    catalog.save_backup(failed, expected=BackupStatus.PENDING)
    stored = catalog.get_backup(backup.id)
    assert stored.error_message == "bad \ufffd byte ?"
    assert stored.error_details == {"stderr": ["\ufffd", {"deep": "\ufffd"}]}
    catalog.append_log(Lock.BACKUP, backup.id, ["a\0b"], NOW)
    assert catalog.read_log(Lock.BACKUP, backup.id) == ["a\ufffdb"]


def test_a_backup_without_error_has_null_and_not_a_json_null(catalog: PostgresCatalog, server18: Server) -> None:
    catalog.create_backup(
        "shop", storage_url="file:///b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
    )
    rows = server18.sql(catalog.transactions.connection, "SELECT error_details IS NULL FROM pgproof.backup_jobs")
    assert rows == [(True,)]


def test_threads_share_a_catalog(catalog: PostgresCatalog) -> None:
    def work(number: int) -> int:
        return catalog.create_backup(
            f"shop{number}", storage_url="file:///b", options=BackupOptions(), trigger=BackupTrigger.MANUAL_CLI, now=NOW
        ).id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(work, range(40)))
    assert len(set(ids)) == 40
    assert len(catalog.list_backups(BackupFilter(limit=100))) == 40


def test_the_first_start_creates_the_database(server18: Server) -> None:
    place = server18.connection.to_database('new "catalog" ä')
    prepare_catalog(place)
    prepare_catalog(place)
    assert stored_revision(place) == HEAD
    server18.drop_database(place.dbname)


def test_many_first_starts_at_once_make_one_catalog(server18: Server) -> None:
    place = server18.connection.to_database("many_first_starts")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare_catalog, [place] * 4))
    assert stored_revision(place) == HEAD
    server18.drop_database(place.dbname)


def test_a_role_that_may_not_create_the_database_is_told_the_statement(server18: Server) -> None:
    role = server18.create_role('poor "role"').to_database("poor catalog")
    with pytest.raises(ConfigurationError, match="may not create it") as caught:
        prepare_catalog(role)
    statement = caught.value.hint[caught.value.hint.index("CREATE DATABASE") :]
    server18.sql(server18.connection, statement)
    prepare_catalog(role)
    assert stored_revision(role) == HEAD
    server18.drop_database("poor catalog")


def test_a_role_that_may_not_create_the_schema_is_told_the_statements(server18: Server) -> None:
    place = server18.create_database()
    role = server18.create_role('other "role"').to_database(place.dbname)
    with pytest.raises(ConfigurationError, match="may not do this") as caught:
        prepare_catalog(role)
    for statement in caught.value.hint[caught.value.hint.index("CREATE SCHEMA") :].split(";"):
        if statement.strip():
            server18.sql(place, statement)
    prepare_catalog(role)
    assert stored_revision(role) == HEAD
    server18.drop_database(place.dbname)


def test_a_catalog_of_a_newer_pgproof_is_refused(server18: Server, catalog_connection: ConnectionInfo) -> None:
    server18.sql(catalog_connection, "UPDATE pgproof.alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="revision 9999") as caught:
        prepare_catalog(catalog_connection)
    assert "newer pgproof" in caught.value.hint


def test_a_catalog_lives_on_the_embedded_server_too() -> None:
    home = Path(tempfile.mkdtemp(prefix="pgproof-home-"))
    home.chmod(0o711)
    with EmbeddedServer(home).running() as superuser:
        place = superuser.to_database("pgproof")
        prepare_catalog(place)
        catalog = PostgresCatalog(place, SEAL)
        assert catalog.add_database("shop", place).connection == catalog.get_database("shop").connection == place
        catalog.close()
    shutil.rmtree(home)


def test_every_supported_server_can_hold_the_catalog(server: Server) -> None:
    place = server.connection.to_database("catalog_on_any_server")
    prepare_catalog(place)
    catalog = PostgresCatalog(place, SEAL)
    with catalog.own(Lock.BACKUP, 1):
        assert catalog.is_owned(Lock.BACKUP, 1)
    catalog.close()
    server.drop_database(place.dbname)
