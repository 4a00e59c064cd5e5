"""Roles are replaced where SQL has a role, and nowhere else."""

import pytest

from pgproof.adapters.postgres.role_map import owner_statements, replace_roles, statements

ROLES = {"app": "new app", 'o"neil': "plain", "reader": "viewer"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER TABLE app.app OWNER TO app;", 'ALTER TABLE app.app OWNER TO "new app";'),
        ('ALTER FUNCTION app.f(app) OWNER TO "o""neil";', 'ALTER FUNCTION app.f(app) OWNER TO "plain";'),
        ("GRANT SELECT(app) ON TABLE app.app TO app;", 'GRANT SELECT(app) ON TABLE app.app TO "new app";'),
        (
            "GRANT ALL ON SCHEMA app TO reader WITH GRANT OPTION;",
            'GRANT ALL ON SCHEMA app TO "viewer" WITH GRANT OPTION;',
        ),
        ("REVOKE ALL ON SCHEMA public FROM PUBLIC;", "REVOKE ALL ON SCHEMA public FROM PUBLIC;"),
        ("SET SESSION AUTHORIZATION app;", 'SET SESSION AUTHORIZATION "new app";'),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA app GRANT SELECT ON TABLES TO reader;",
            'ALTER DEFAULT PRIVILEGES FOR ROLE "new app" IN SCHEMA app GRANT SELECT ON TABLES TO "viewer";',
        ),
        (
            "CREATE POLICY app ON app.t TO app, reader USING ((owner = 'to app'::text) OR (app = reader));",
            'CREATE POLICY app ON app.t TO "new app", "viewer" USING ((owner = \'to app\'::text) OR (app = reader));',
        ),
        (
            "CREATE USER MAPPING FOR app SERVER app OPTIONS (user 'app');",
            "CREATE USER MAPPING FOR \"new app\" SERVER app OPTIONS (user 'app');",
        ),
        ("ALTER TABLE t OWNER TO somebody;", "ALTER TABLE t OWNER TO somebody;"),
    ],
)
def test_a_role_is_replaced_only_where_it_is_one(statement: str, expected: str) -> None:
    assert replace_roles(statement, ROLES) == expected


def test_owners_are_what_a_script_with_owners_has_more() -> None:
    without = ["-- Name: f; Owner: -", "CREATE FUNCTION f() AS $$", "ALTER TABLE t OWNER TO app;", "$$;", ""]
    with_owners = ["-- Name: f; Owner: app", *without[1:4], "", "", "ALTER FUNCTION f() OWNER TO app;", ""]
    assert list(owner_statements(with_owners, without)) == ["ALTER FUNCTION f() OWNER TO app;"]


def test_a_script_is_cut_into_its_statements() -> None:
    script = "\\restrict x\n-- a; b\nGRANT SELECT ON t TO a;\n\nCREATE POLICY p ON t USING ((x = ';'::text));\n"
    assert list(statements(script)) == ["GRANT SELECT ON t TO a;", "CREATE POLICY p ON t USING ((x = ';'::text));"]
