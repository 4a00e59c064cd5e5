"""Roles come to a scratch server with their rights and memberships, and with nothing that lets anybody in."""

from pgproof.domain.role_statements import RoleStatement, role_statements

GLOBALS = r"""
--
-- PostgreSQL database cluster dump
--
\restrict abc
SET default_transaction_read_only = off;
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER CREATEDB LOGIN NOBYPASSRLS PASSWORD 'SCRAM;SUPERUSER' VALID UNTIL '2030-01-01';
CREATE ROLE "odd ""; name";
ALTER ROLE "odd ""; name" WITH SUPERUSER INHERIT LOGIN CONNECTION LIMIT 5;
COMMENT ON ROLE app IS 'CREATE ROLE x;';
ALTER ROLE app SET search_path TO 'a';
GRANT "odd ""; name" TO app WITH ADMIN OPTION GRANTED BY postgres;
GRANT app TO "odd ""; name" WITH INHERIT FALSE, SET TRUE GRANTED BY postgres;
GRANT app TO postgres;
GRANT SET ON PARAMETER work_mem TO app;
CREATE TABLESPACE fast OWNER app LOCATION '/fast';
GRANT ALL ON TABLESPACE fast TO app;
"""


def test_only_what_makes_a_role_what_it_is_is_taken() -> None:
    assert list(role_statements(GLOBALS)) == [
        RoleStatement("app", "CREATE ROLE app NOLOGIN"),
        RoleStatement(
            "app",
            "ALTER ROLE app WITH NOSUPERUSER CREATEDB NOBYPASSRLS NOLOGIN",
        ),
        RoleStatement('odd "; name', 'CREATE ROLE "odd ""; name" NOLOGIN'),
        RoleStatement('odd "; name', 'ALTER ROLE "odd ""; name" WITH SUPERUSER INHERIT NOLOGIN'),
        RoleStatement("app", 'GRANT "odd ""; name" TO app WITH ADMIN OPTION'),
        RoleStatement('odd "; name', 'GRANT app TO "odd ""; name" WITH INHERIT FALSE, SET TRUE'),
        RoleStatement("postgres", "GRANT app TO postgres"),
    ]


def test_no_password_gets_through() -> None:
    assert not [one for one in role_statements(GLOBALS) if "SCRAM" in one.text or " LOGIN" in one.text]
