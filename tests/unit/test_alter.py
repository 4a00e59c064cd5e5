"""Statements that give a database what belongs to it."""

from dataclasses import replace

import pytest

from pgproof.adapters.postgres import alter, grants
from pgproof.domain.database import ServerVersion
from pgproof.domain.properties import DatabaseProperties, Grant, Setting

PLAIN = DatabaseProperties(owner="o'neil", encoding="UTF8", collate="C", ctype="C")


@pytest.mark.parametrize(
    ("stored", "elements"),
    [
        ('"$user", public', ["$user", "public"]),
        ('"Odd ""Name""", "a,b"', ['Odd "Name"', "a,b"]),
        ("public", ["public"]),
        ("", []),
        ('""', [""]),
        ('"', ['"']),
    ],
)
def test_a_stored_list_setting_is_split_into_its_elements(stored: str, elements: list[str]) -> None:
    assert alter.list_elements(stored) == elements


def test_a_list_setting_comes_back_as_a_list_and_a_plain_one_as_one_value() -> None:
    properties = DatabaseProperties(
        owner="o", encoding="UTF8", collate="C", ctype="C",
        settings=(Setting("search_path", '"My Schema", public'), Setting("app.tenant", "a, b", role='ro"le')),
    )  # fmt: skip
    statements = [statement.as_string() for statement in alter.apply_properties('da"ta', properties)]
    assert """ALTER DATABASE "da""ta" SET "search_path" TO 'My Schema', 'public'""" in statements
    assert """ALTER ROLE "ro""le" IN DATABASE "da""ta" SET "app"."tenant" TO 'a, b'""" in statements


def test_grants_replace_the_defaults_only_where_they_were_changed() -> None:
    untouched = [statement.as_string() for statement in alter.apply_properties("d", PLAIN)]
    assert not any("REVOKE" in statement for statement in untouched)
    granted = DatabaseProperties(
        owner="o", encoding="UTF8", collate="C", ctype="C", grants=(Grant(None, "CONNECT", False, "o"),)
    )
    statements = [statement.as_string() for statement in alter.apply_properties("d", granted)]
    assert statements[-1] == 'GRANT CONNECT ON DATABASE "d" TO PUBLIC'
    assert 'REVOKE ALL ON DATABASE "d" FROM PUBLIC' in statements


def test_a_privilege_that_databases_do_not_have_never_becomes_a_statement() -> None:
    odd = DatabaseProperties(
        owner="o", encoding="UTF8", collate="C", ctype="C", grants=(Grant(None, "ALL; DROP", False, "o"),)
    )
    with pytest.raises(ValueError, match="not a privilege"):
        list(alter.apply_properties("d", odd))


def test_a_locale_provider_is_named_only_where_the_server_knows_providers() -> None:
    icu = DatabaseProperties(
        owner="o", encoding="UTF8", collate="C", ctype="C", locale_provider="icu", locale="de-DE", icu_rules="&a < b"
    )
    assert "LOCALE_PROVIDER" not in alter.create_database("d", PLAIN, ServerVersion(140000)).as_string()
    on_15 = alter.create_database("d", icu, ServerVersion(150000)).as_string()
    assert "ICU_LOCALE 'de-DE'" in on_15
    assert "ICU_RULES" not in on_15
    assert "ICU_RULES '&a < b'" in alter.create_database("d", icu, ServerVersion(160000)).as_string()


def test_a_grant_that_was_passed_on_is_granted_again_by_who_passed_it_on() -> None:
    chain = (
        Grant("c", "CREATE", False, "b"),
        Grant("b", "CREATE", True, "a"),
        Grant("a", "CREATE", True, "o'neil"),
    )
    properties = replace(PLAIN, grants=chain)
    statements = [one.as_string() for one in alter.apply_properties("d", properties, frozenset({"a"}))]
    assert statements[-5:] == [
        'GRANT CREATE ON DATABASE "d" TO "a" WITH GRANT OPTION',
        'SET LOCAL ROLE "a"',
        'GRANT CREATE ON DATABASE "d" TO "b" WITH GRANT OPTION',
        "SET LOCAL ROLE NONE",
        'GRANT CREATE ON DATABASE "d" TO "c"',  # a role that we may not become: the owner grants it
    ]


def test_grants_that_lead_back_to_nobody_are_kept_in_the_order_that_the_server_has() -> None:
    orphans = (Grant("x", "CONNECT", False, "y"), Grant("y", "CREATE", True, "z"))
    assert grants.in_order(orphans, "o") == list(orphans)
