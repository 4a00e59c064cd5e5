"""What the catalog itself guards: the audit trail, what secrets look like in it, and what a removed user leaves."""

import psycopg
import pytest

from pgproof.adapters.catalog import AccessRecords, PostgresCatalog
from pgproof.adapters.catalog.revisions import upgrade
from pgproof.adapters.passwords import Argon2Passwords
from pgproof.adapters.randomness import SystemRandomness
from pgproof.adapters.signer import JwtSigner
from pgproof.domain.access import Role
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import NotAuthenticated
from pgproof.domain.secret import Secret
from pgproof.services.access import AccessService
from pgproof.services.api_tokens import ApiTokenService
from pgproof.services.audit import AuditTrail
from pgproof.services.users import UserService
from tests.fakes.access import SetClock
from tests.servers import Server

PASSWORD = "correct horse battery"


class Services:
    """The services on a real catalog, with real hashes and signatures."""

    def __init__(self, catalog: PostgresCatalog) -> None:
        self.records = AccessRecords(catalog.transactions)
        hasher, randomness, clock = Argon2Passwords(), SystemRandomness(), SetClock()
        signer = JwtSigner(Secret("a secret of the tests"), catalog.installation())
        self.audit = AuditTrail(self.records, clock)
        self.users = UserService(self.records, hasher, signer, randomness, clock)
        self.tokens = ApiTokenService(self.records, randomness, clock)
        self.access = AccessService(
            self.records, hasher, signer, randomness, clock, self.audit, token_minutes=15, refresh_days=14
        )


@pytest.fixture
def services(catalog: PostgresCatalog) -> Services:
    return Services(catalog)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pgproof.audit_trail SET actor = 'somebody else'",
        "UPDATE pgproof.audit_trail SET actor = 'somebody else' WHERE false",
        "DELETE FROM pgproof.audit_trail",
        "TRUNCATE pgproof.audit_trail",
        "TRUNCATE pgproof.users, pgproof.audit_trail CASCADE",
        "SET session_replication_role = replica; DELETE FROM pgproof.audit_trail",
        "MERGE INTO pgproof.audit_trail t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
        """INSERT INTO pgproof.audit_trail (id, at, actor, action, object, outcome)
           SELECT id, at, 'x', 'x', 'x', 'x' FROM pgproof.audit_trail ON CONFLICT (id) DO UPDATE SET actor = 'x'""",
    ],
)
def test_the_audit_trail_can_neither_be_changed_nor_emptied(
    services: Services, server18: Server, catalog_connection: ConnectionInfo, statement: str
) -> None:
    services.audit.record("ann", "hold", object="backup 1")
    everything = "SELECT to_jsonb(t)::text FROM pgproof.audit_trail t"
    before = server18.sql(catalog_connection, everything)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="only ever added to"):
        server18.sql(catalog_connection, statement)
    assert server18.sql(catalog_connection, everything) == before


def test_a_whole_sign_in_works_on_the_real_parts(services: Services) -> None:
    services.users.add("Ann", Role.ADMIN, PASSWORD)
    signed_in = services.access.sign_in("ann", PASSWORD, address="10.0.0.1")
    assert services.access.authenticate(signed_in.access_token.reveal()) == signed_in.principal
    again = services.access.refresh(signed_in.refresh_token.reveal())
    services.access.sign_out(again.refresh_token.reveal())
    with pytest.raises(NotAuthenticated):
        services.access.authenticate(again.access_token.reveal())
    with pytest.raises(NotAuthenticated):
        services.access.sign_in("ann", "wrong password", address="10.0.0.1")


def test_no_table_holds_a_password_or_a_token(
    services: Services, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    services.users.add("ann", Role.ADMIN, PASSWORD)
    signed_in = services.access.sign_in("ann", PASSWORD, address="10.0.0.1")
    _, token = services.tokens.create("ann", "ci")
    services.access.authenticate(token.reveal())
    typed = "a password in the wrong field"
    for name, password in (("ann", "hunter22hunter22"), (typed, PASSWORD)):
        with pytest.raises(NotAuthenticated):
            services.access.sign_in(name, password, address="10.0.0.1")
    tables = server18.sql(catalog_connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'pgproof'")
    statements = [f"SELECT to_jsonb(t)::text FROM pgproof.{table} t" for (table,) in tables]
    stored = " ".join(str(row) for statement in statements for row in server18.sql(catalog_connection, statement))
    tokens = (token, signed_in.refresh_token, signed_in.access_token)
    secrets = (PASSWORD, "hunter22hunter22", typed, *(text.reveal() for text in tokens))
    assert "$argon2id$" in stored
    for secret in secrets:
        assert secret not in stored
        assert secret.removeprefix("pgp_") not in stored
        assert secret.encode().hex() not in stored


def test_a_removed_users_backups_stay_and_name_nobody(
    services: Services, server18: Server, catalog_connection: ConnectionInfo
) -> None:
    services.users.add("ann", Role.ADMIN, PASSWORD)
    bob = services.users.add("bob", Role.OPERATOR, PASSWORD)
    server18.sql(
        catalog_connection,
        "INSERT INTO pgproof.backup_jobs (filename, file_path, status, trigger_source, database, storage_url,"
        f" created_by_id) VALUES ('b', 'b', 'completed', 'manual_api', 'shop', 's', {bob.id})",
    )
    services.users.remove("bob")
    assert server18.sql(catalog_connection, "SELECT filename, created_by_id FROM pgproof.backup_jobs") == [("b", None)]


def test_an_upgrade_forgets_numbers_of_users_that_never_were(server18: Server) -> None:
    place = server18.create_database()
    upgrade(place, "0007")
    server18.sql(
        place,
        "INSERT INTO pgproof.backup_jobs (filename, file_path, status, trigger_source, database, storage_url,"
        " created_by_id) VALUES ('b', 'b', 'completed', 'manual_api', 'shop', 's', 5)",
    )
    upgrade(place)
    assert server18.sql(place, "SELECT filename, created_by_id FROM pgproof.backup_jobs") == [("b", None)]
    server18.drop_database(place.dbname)


def test_nobody_is_named_who_is_no_user(server18: Server, catalog_connection: ConnectionInfo) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        server18.sql(
            catalog_connection,
            "INSERT INTO pgproof.backup_jobs (filename, file_path, status, trigger_source, database, storage_url,"
            " created_by_id) VALUES ('b', 'b', 'completed', 'manual_api', 'shop', 's', 77)",
        )
